"""On the disk, not only in the memory of the system."""

import os
from pathlib import Path


def force_to_disk(path: str | os.PathLike) -> None:
    """Waits until a file's content, or the names in a directory, would outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def force_tree_to_disk(directory: Path) -> None:
    """The same for all that is in a directory, at any depth."""
    for folder, _, names in os.walk(directory):
        for name in names:
            force_to_disk(os.path.join(folder, name))
        force_to_disk(folder)
