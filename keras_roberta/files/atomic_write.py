"""Files and directories that appear whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def atomic_file(path):
    """Yields a temporary path beside `path`; renamed to it on success, removed on failure."""
    path = pathlib.Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    # In a directory of its own, so that the suffix, which some writers look at, is kept.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as directory:
        temporary = pathlib.Path(directory) / path.name
        yield temporary
        os.replace(temporary, path)


@contextlib.contextmanager
def atomic_directory(path):
    """Yields a temporary directory beside `path`, which takes its place on success.

    Where `path` exists its other files stay, and those of the same name are replaced, each whole.
    """
    path = pathlib.Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    os.chmod(temporary, 0o777 & ~_umask())  # mkdtemp makes it private
    try:
        yield temporary
        if not path.exists():
            os.replace(temporary, path)
            return
        for source in sorted(p for p in temporary.rglob("*") if p.is_file()):
            target = path / source.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
