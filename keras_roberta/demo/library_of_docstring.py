"""A classification task made from docstrings: of which library is this text?"""

import collections
import dataclasses
import functools
import hashlib
import re

from keras_roberta.errors import InputError

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
