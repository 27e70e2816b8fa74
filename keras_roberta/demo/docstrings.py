"""English text that every Python environment holds: the docstrings of the installed packages.

Sources are parsed, never imported. `collect` reads them, `library_of_docstring` makes a labelled
set of them: which library was this written for?
"""

import ast
import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import gzip
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import re
import sysconfig
import time
import zlib
from pathlib import Path

from keras_roberta.errors import InputError
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
# What people call a library in its own documentation, besides its name.
_ALIASES = {
    "tensorflow": ("tf", "xla"),
    "numpy": ("np", "ndarray"),
    "matplotlib": ("mpl", "plt", "pyplot"),
    "sklearn": ("scikit",),
    "scipy": ("sp",),
    "huggingface_hub": ("huggingface", "hf"),
    "PIL": ("pillow",),
}
_PHRASES = re.compile(r"(?i)scikit[- ]learn|hugging face|tensor flow")
# Hidden wherever they stand inside a word: KerasTensor, set_matplotlib_formats.
_LONG_ENOUGH = 5
_KEY_LENGTH = 60  # letters of a text that tell it from others


# Reading


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
    for path in sorted(paths, key=lambda path: _hash(path.relative_to(directory).as_posix())):
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


# The labelled set


@dataclasses.dataclass(frozen=True)
class LabelledDocstrings:
    """Texts and the numbers of the libraries they come from, in two parts that share no text.

    Attributes:
        labels: the libraries.
        train, test: (texts, class numbers)
        corpus: docstrings of all libraries for pre-training, without those in `test`.
    """

    labels: tuple[str, ...]
    train: tuple[list[str], list[int]]
    test: tuple[list[str], list[int]]
    corpus: list[str]


def library_of_docstring(
    found, num_libraries=8, per_library=1500, test_share=0.2, min_words=8, max_words=40
):
    """A classification task from docstrings: of which library is this text?

    The libraries' names and aliases are taken out of the texts. Of texts with equal first lines
    one is kept, none where two libraries share it. The split goes by a hash of the text, so that
    it stays as it is when other texts come and go.

    Args:
        found: (library, docstring) pairs; see `collect`.
        num_libraries: those with the most docstrings are taken.
        per_library: at most so many texts of one.
        test_share: of the texts, about.
        min_words: shorter texts are left out, counted after the names are gone.
        max_words: longer ones are cut.

    Raises:
        InputError: there are fewer than two libraries with texts.
    """
    counts = collections.Counter(library for library, _ in found)
    labels = sorted(sorted(counts, key=lambda name: (-counts[name], name))[:num_libraries])
    hide = _name_remover(labels)

    def key(docstring):
        return _key(hide(docstring.split("\n", 1)[0]))

    groups = collections.defaultdict(dict)  # first line -> {library: (text, docstring)}
    for library, docstring in found:
        if library in labels:
            text = " ".join(hide(_prose(docstring, max_words)).split()[:max_words])
            if len(text.split()) >= min_words:
                groups[key(docstring)].setdefault(library, text)
    by_library = collections.defaultdict(list)
    for libraries in groups.values():
        if len(libraries) == 1:
            ((library, text),) = libraries.items()
            by_library[library].append(text)

    rows = []  # (hash, text, label)
    for label, library in enumerate(labels):
        rows += sorted((_hash(text), text, label) for text in by_library[library])[:per_library]
    rows = list({text: (digest, text, label) for digest, text, label in sorted(rows)}.values())
    # The last digits: the first ones decided who is within `per_library`.
    is_test = [int(digest[-8:], 16) < test_share * 16**8 for digest, *_ in rows]
    train, test = (
        ([text for _, text, _ in side], [label for *_, label in side])
        for wanted in (False, True)
        for side in [[row for row, flag in zip(rows, is_test, strict=True) if flag == wanted]]
    )
    if min(len(set(train[1])), len(set(test[1]))) < 2:
        raise InputError("the installed packages hold too few docstrings for a labelled set")
    test_keys = {_key(text)[:_KEY_LENGTH] for text in test[0]}
    corpus = dict.fromkeys(
        text
        for _, text in found
        if _key(hide(_prose(text, max_words)))[:_KEY_LENGTH] not in test_keys
    )
    return LabelledDocstrings(tuple(labels), train, test, list(corpus))


def _prose(docstring, max_words):
    """The text without interactive examples, on one line, somewhat more than `max_words`."""
    lines = (line.strip() for line in docstring.splitlines())
    text = " ".join(line for line in lines if not line.startswith((">>>", "...")))
    return " ".join(text.split()[: 2 * max_words])


def _key(text):
    """The letters and digits alone."""
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def _name_remover(libraries):
    """A function that takes words out of a text that name a library, with what is dotted to them:
    `np.ndarray`, `KerasTensor`, `sklearn.svm.SVC`."""
    names = {library.lower() for library in libraries}
    names |= {alias for library in libraries for alias in _ALIASES.get(library, ())}
    inside = tuple(name for name in names if len(name) >= _LONG_ENOUGH)

    @functools.cache
    def replacement(word):
        lower = word.lower()
        named = not names.isdisjoint(lower.split(".")) or any(name in lower for name in inside)
        return " " if named else word

    def hide(text):
        text = _PHRASES.sub(" ", text)
        text = re.sub(r"\w+(?:\.\w+)*", lambda match: replacement(match[0]), text)
        return " ".join(text.split())

    return hide


def _hash(text):
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
