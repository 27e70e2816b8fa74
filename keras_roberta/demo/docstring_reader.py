"""English text that every Python environment holds: the docstrings of the installed packages.

Sources are parsed, never imported.
"""

import ast
import collections
import concurrent.futures
import contextlib
import gzip
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import sysconfig
import time
import zlib
from pathlib import Path

from keras_roberta.files.atomic_write import atomic_file

# Copies of other packages, and tests, whose docstrings say little.
_SKIPPED_FOLDERS = {"tests", "test", "testing", "_vendor", "vendor", "externals", "third_party"}
_SKIPPED_LIBRARIES = {"tf_keras"}  # Keras again
_SKIPPED_PATHS = ("tensorflow/python/keras/",)  # and again
_LARGEST_FILE = 500_000  # bytes; larger ones are mostly generated
# Enough to learn from, little enough to parse in half a minute on two cores.
_LIBRARIES = 16  # those with the most source
_BYTES_A_LIBRARY = 6_000_000
_FILES_A_TASK = 40


def collect(site_packages=None, cache=None, seconds=45, on_progress=None):
    """All docstrings of the packages in a directory.

    Args:
        site_packages: the directory; the running interpreter's by default.
        cache: where to keep the result, under a name made of the installed versions;
            the user's cache directory by default.
        seconds: stop reading after about this long; what was read by then is returned and not
            cached.
        on_progress: function of (files read, files in all).

    Returns:
        list of (library, docstring), in the order of the files' names.
    """
    directory = Path(site_packages or sysconfig.get_paths()["purelib"])
    path = Path(cache or _user_cache()) / f"docstrings-{_fingerprint(directory)}.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return [tuple(json.loads(line)) for line in file]
    except (OSError, EOFError, ValueError, zlib.error):
        pass  # Not there, or cut off: read anew.
    found, complete = _read_all(directory, seconds, on_progress or (lambda *_: None))
    if complete and found:
        with contextlib.suppress(OSError):  # A cache that cannot be written is none.
            with atomic_file(path) as temporary, gzip.open(temporary, "wt", encoding="utf-8") as f:
                f.writelines(json.dumps(pair) + "\n" for pair in found)
    return found


def docstrings(path):
    """The docstrings of one file: the module's, its classes' and its functions'."""
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return []  # Not Python of this version: templates, Python 2.
    found, documented = [], [tree]
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    while documented:  # Not `ast.walk`: docstrings are never inside expressions.
        node = documented.pop()
        found.append(ast.get_docstring(node))
        statements = list(node.body)
        while statements:
            statement = statements.pop()
            if isinstance(statement, kinds):
                documented.append(statement)
            else:
                for block in ("body", "orelse", "handlers"):  # if, try, with
                    statements += getattr(statement, block, None) or ()
    return [text for text in found if text]


def source_files(directory):
    """(library, path) of the files worth reading, for the libraries with the most source."""
    by_library = collections.defaultdict(list)
    for path in sorted(Path(directory).rglob("*.py")):
        parts = path.relative_to(directory).parts
        skipped = (
            len(parts) < 2
            or parts[0] in _SKIPPED_LIBRARIES
            or not _SKIPPED_FOLDERS.isdisjoint(parts)
            or "/".join(parts).startswith(_SKIPPED_PATHS)
            or path.name.startswith("test_")
            or path.name.endswith("_test.py")
            or path.stat().st_size > _LARGEST_FILE
        )
        if not skipped:
            by_library[parts[0]].append(path)
    size = {name: sum(p.stat().st_size for p in paths) for name, paths in by_library.items()}
    largest = sorted(size, key=lambda name: (-size[name], name))[:_LIBRARIES]
    return [
        (name, path)
        for name in sorted(largest)
        for path in _sample(by_library[name], directory, _BYTES_A_LIBRARY)
    ]


def _sample(paths, directory, num_bytes):
    """Paths of about `num_bytes` together, the same ones every time."""
    kept, total = [], 0
    for path in sorted(paths, key=lambda path: _path_hash(path, directory)):
        total += path.stat().st_size
        if total > num_bytes:
            break
        kept.append(path)
    return sorted(kept)


def _read_all(directory, seconds, on_progress):
    files = source_files(directory)
    tasks = [files[i : i + _FILES_A_TASK] for i in range(0, len(files), _FILES_A_TASK)]
    workers = min(os.cpu_count() or 1, len(tasks), 8)
    if workers < 2:
        return _read(files), True
    deadline = time.monotonic() + seconds
    # Spawned: a fork would copy TensorFlow's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    found = []
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        for done, pairs in enumerate(pool.map(_read, tasks), 1):
            found += pairs
            on_progress(min(done * _FILES_A_TASK, len(files)), len(files))
            if time.monotonic() > deadline and done < len(tasks):
                pool.shutdown(wait=False, cancel_futures=True)
                return found, False
    return found, True


def _read(files):
    return [(library, text) for library, path in files for text in docstrings(path)]


def _fingerprint(directory):
    versions = sorted(
        f"{d.metadata['Name']}=={d.version}"
        for d in importlib.metadata.distributions(path=[str(directory)])
    )
    return hashlib.sha256("\n".join([str(directory), *versions]).encode()).hexdigest()[:16]


def _user_cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keras_roberta"


def _path_hash(path, directory):
    return hashlib.sha256(
        path.relative_to(directory).as_posix().encode("utf-8", "replace")
    ).digest()
