"""What pruning may be told; looked at without TensorFlow."""

from keras_roberta.options import OptionError

BLOCK, M_BY_N = "block", "2:4"
STRUCTURES = ("unstructured", BLOCK, M_BY_N)
BLOCK_SIZE = (4, 1)


def check_pruning(sparsity, structure, block_size, begin, end) -> float:
    """The sparsity that is asked for; see `MagnitudePruning`.

    Raises:
        OptionError: names the argument that does not fit.
    """
    if structure not in STRUCTURES:
        raise OptionError("structure", f"{structure!r}: expected one of {', '.join(STRUCTURES)}")
    if structure == M_BY_N:
        if sparsity not in (None, 0.5):
            raise OptionError("sparsity", ": of 2:4 it is a half; leave it out")
        sparsity = 0.5
    if sparsity is None:
        raise OptionError("sparsity", ": say which share of the weights is to be zero, as 0.8")
    if isinstance(sparsity, bool) or not isinstance(sparsity, (int, float)) or not 0 < sparsity < 1:
        raise OptionError("sparsity", f": expected more than 0 and less than 1; got {sparsity!r}")
    sizes = tuple(block_size) if isinstance(block_size, (tuple, list)) else ()
    if len(sizes) != 2 or any(type(size) is not int or size < 1 for size in sizes):
        raise OptionError(
            "block_size", f": expected two numbers, of inputs and outputs; got {block_size!r}"
        )
    if structure == BLOCK and sizes == (1, 1):
        raise OptionError("block_size", ": is 1 by 1, a single weight; choose unstructured")
    for name, value in (("begin", begin), ("end", end)):
        if not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise OptionError(name, f": expected a number of steps, or a share; got {value!r}")
    if (begin <= 1) == (end <= 1) and begin >= end:
        raise OptionError(("begin", "end"), f"are {begin:g} and {end:g}: end has to come later")
    return float(sparsity)
