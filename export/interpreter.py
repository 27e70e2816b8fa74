"""TFLite's interpreter of a file."""


def open_interpreter(path, threads=1):
    """`ai_edge_litert`'s `Interpreter`, its first signature allocated.

    The first one of a process prints a line to the error output when XNNPACK takes the graph over.

    Raises:
        ValueError: TFLite cannot open the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter
