"""How large a model is on disk, and what it is called there."""

from pathlib import Path


def bytes_on_disk(path: str | Path) -> int:
    """Bytes of a file, or of all files below a directory; 0 where there is none."""
    path = Path(path).expanduser()
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files)


def short_name(path: str | Path) -> str:
    """A file's or directory's name; of a version directory as "model/1"."""
    path = Path(path)
    return "/".join(path.parts[-2:]) if path.name.isdigit() else path.name
