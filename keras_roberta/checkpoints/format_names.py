"""The names of the checkpoint formats, where the command line can read them without TensorFlow."""

# In the order of `formats.FORMATS`.
NAMES = ["keras", "hugging-face", "fairseq", "keras-hub"]


def names() -> tuple[str, ...]:
    """What `convert --to` may be."""
    return tuple(NAMES)
