"""Directories that go again if nothing was put into them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def made_directory(directory: Path) -> Iterator[None]:
    """A context with a directory that is there; those made for it go in the end if empty."""
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
