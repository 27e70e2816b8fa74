"""What is raised where an exported file would not do what it should."""


class ExportMismatch(RuntimeError):
    """An exported file does not do what it should; the message says what is wrong and by how much.

    No file is left behind. It is a fault of the exporter or of the model (weights that are not
    finite, or that 8 bits cannot hold), not of the caller.
    """
