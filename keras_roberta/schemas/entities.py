"""Labelled parts of a text, such as the names in it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar, NamedTuple

import numpy as np

from keras_roberta.data.examples import word_forms
from keras_roberta.data.examples.label_names import LabelError, checked_names
from keras_roberta.data.examples.named_columns import TEXT
from keras_roberta.data.examples.word_tokens import first_tokens
from keras_roberta.data.examples.words import (
    Places,
    finest_words,
    places_in_characters,
    usual_words,
)
from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.schemas import labelled_words
from keras_roberta.schemas.comparison import Comparison, changed_by
from keras_roberta.schemas.labelled_words import Annotation
from keras_roberta.schemas.metrics import Details
from keras_roberta.schemas.one_label import softmax
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.span_scores import SpanCounts
from keras_roberta.schemas.tag_schemes import (
    OUTSIDE,
    Span,
    TagScheme,
    scheme_of_rows,
    training_tags,
)

PIECES = ("all", "first")
DEFAULT_STRIDE = 128
_TEXT_COLUMNS = (*word_forms.WORDS, *word_forms.TEXTS)


@dataclasses.dataclass(frozen=True)
class Entities(Schema):
    """A tag for each word, and the spans of words that the tags mark; see `tag_schemes`.

    Texts are given as they are, or as lists of words, which are joined by spaces. The labels of a
    text are a list of tags, one a word, or a list of spans with `start`, `end` (in characters, the
    last one not included) and `label`.

    A word has the tag of its first piece. Of a text that is given as such, words are runs of
    letters and digits, and all else character by character, where every piece of a word was learnt;
    where only the first was, they are those that corpora have (`data.examples.words`).

    Attributes:
        num_classes: columns of the logits.
        labels: the tags in the order of their numbers, or None: then 0 is outside of all spans.
        labelled_pieces: "all" or "first": which pieces of a word the model learns the tag of.
        stride: see `Schema`.
    """

    num_classes: int
    labels: tuple[str, ...] | None = None
    labelled_pieces: str = "all"
    stride: int = DEFAULT_STRIDE

    name: ClassVar[str] = "entities"
    main_score: ClassVar[str] = "f1"
    takes_pairs: ClassVar[bool] = False
    default_suffix: ClassVar[str | None] = ".conll"
    settings: ClassVar[tuple[str, ...]] = ("labelled_pieces", "stride")
    label_columns: ClassVar[tuple[str, ...]] = word_forms.LABELS
    training_options: ClassVar[frozenset[str]] = frozenset(
        {"label_smoothing", "r_drop", "confidence_penalty"}
    )
    names_numbers: ClassVar[bool] = True
    ragged_outputs: ClassVar[tuple[str, ...]] = (
        *("logits", "probabilities", "label", "score", "offsets"),
    )

    def __post_init__(self):
        object.__setattr__(self, "labels", checked_names(self.labels, self.num_classes))
        if self.labelled_pieces not in PIECES:
            raise OptionError(
                "labelled_pieces", f": expected {' or '.join(PIECES)}; got {self.labelled_pieces!r}"
            )
        if type(self.stride) is not int or self.stride < 0:
            raise OptionError("stride", f": expected a whole number from 0; got {self.stride!r}")

    @functools.cached_property
    def scheme(self) -> TagScheme:
        """How the tags are to be read."""
        return TagScheme(self.label_names)

    # From tables and Python data

    @classmethod
    def from_table(cls, table, columns, *, num_classes=None):
        rows = _read_annotations(table, cls.label_column(table, columns), columns.label_names)
        if columns.label_names is not None:
            return cls._of_names(table, columns.label_names, num_classes)
        tags = [row.tags for row in rows if row.tags is not None]
        scheme = scheme_of_rows(tags)
        labels = {*scheme.labels, *(span.label for row in rows for span in row.spans or ())}
        if not labels:
            raise InputError(f"{table.path}: has no label but {OUTSIDE}: there is nothing to learn")
        found = training_tags(labels, scheme if tags else TagScheme((OUTSIDE, "B-LABEL")))
        return cls._of_names(table, found, num_classes)

    @classmethod
    def _of_names(cls, table, names, num_classes):
        if num_classes not in (None, len(names)):
            raise InputError(
                f"{table.path}: {len(names)} tags, but --num-classes is {num_classes}; leave it out"
            )
        if set(names) == {OUTSIDE}:
            raise OptionError("labels", f": there is nothing to learn but {OUTSIDE}; name the tags")
        return cls(len(names), names)

    def read_inputs(self, table, columns, *, prefix="--"):
        if columns.text_pair is not None:
            raise OptionError("text_pair_column", ": the words of single texts are labelled")
        name = columns.text or next((n for n in _TEXT_COLUMNS if n in table.columns), None)
        if name is None:
            raise InputError(
                f"{table.path}: which column holds the texts, or lists of their words? say "
                f"{prefix}text-column (one of {table.names})"
            )
        rows = table.column(name, f"{prefix}text-column")
        for row, line in zip(rows, table.lines, strict=True):
            try:
                word_forms.texts_and_words([row])
            except InputError:
                message = f"expected a text or a list of words, found {row!r:.40}"
                raise table.error(line, name, message) from None
        return list(rows)

    def read_targets(self, table, columns, *, prefix="--"):
        column = self.label_column(table, columns)
        names = columns.label_names or self.label_names
        annotations = _read_annotations(table, column, names, f"{prefix}label-column")
        try:
            return self.checked(self.read_inputs(table, columns, prefix=prefix), annotations)
        except LabelError as error:
            raise table.error(table.lines[error.row], column, error.problem) from None

    def checked(self, asked: Any, labels: Any) -> list[Annotation]:
        """`targets` that fit the texts.

        Raises:
            LabelError: names the first text whose labels do not.
        """
        annotations = self.targets(labels)
        has_tags = any(one.tags is not None for one in annotations)
        texts, given = word_forms.texts_and_words(asked)
        if len(texts) != len(annotations):
            raise InputError(f"{len(texts)} texts, but {len(annotations)} lists of labels")
        for row, (text, words) in enumerate(zip(texts, given, strict=True)):
            if words is not None and annotations[row].spans == () and has_tags:
                annotations[row] = Annotation((), None)  # an empty list, of tags as the others
            try:
                places = self._split(text) if words is None else words
                labelled_words.true_spans(annotations[row], text, places, self.scheme)
            except InputError as error:
                raise LabelError(row, str(error)) from None
        return annotations

    def repairs(self, table, columns):
        """`repaired_tags`, tags such as I- that follow no tag of their span; `widened_spans`,
        those that end within a word and are learnt as if they ended with it; and
        `skipped_comments`, lines of the file that begin with `#` and were not taken for words."""
        names = columns.label_names or self.label_names
        annotations = _read_annotations(table, self.label_column(table, columns), names)
        scheme = scheme_of_rows(row.tags for row in annotations if row.tags is not None)
        counts = {"repaired_tags": 0, "widened_spans": 0}
        texts, words = self.words_of(self.read_inputs(table, columns))
        for text, places, found in zip(texts, words, annotations, strict=True):
            kind = "widened_spans" if found.tags is None else "repaired_tags"
            counts[kind] += labelled_words.repairs_of(found, text, places, scheme)
        counts["skipped_comments"] = table.skipped_comments
        return {name: count for name, count in counts.items() if count}

    def texts_of(self, asked):
        return word_forms.texts_and_words(asked)[0], None

    def shown_inputs(self, asked):
        return [{TEXT: text} for text in self.texts_of(asked)[0]]

    def words_of(self, asked: Any) -> tuple[list[str], list[Places]]:
        """The texts, and where the words of each lie: those that are given, or those that it is
        split into."""
        texts, words = word_forms.texts_and_words(asked)
        return texts, [
            self._split(text) if places is None else places
            for text, places in zip(texts, words, strict=True)
        ]

    def _split(self, text):
        return finest_words(text) if self.labelled_pieces == "all" else usual_words(text)

    def targets(self, labels):
        """An `Annotation` for each text, a list: whether they fit the texts is known only there."""
        found = []
        for row, value in enumerate(word_forms.rows_of_column(labels)):
            try:
                annotation = value
                if not isinstance(value, Annotation):
                    annotation = labelled_words.read_annotation(value, self.label_names)
                labelled_words.check_known(annotation, self.scheme)
            except InputError as error:
                raise LabelError(row, str(error)) from None
            found.append(annotation)
        return found

    # To people

    def outputs(self, logits):
        """Of one array (rows, length, classes), or a list of arrays (tokens, classes)."""
        if isinstance(logits, np.ndarray):
            return _outputs_of(logits)
        rows = [_outputs_of(row) for row in logits]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def with_texts(self, outputs, asked):
        """Adds `texts`, and `words`, where they lie, and turns `offsets` from bytes into
        characters."""
        if "offsets" not in outputs or (isinstance(asked, dict) and "token_ids" in asked):
            return outputs
        texts, words = self.words_of(asked)
        offsets = [
            places_in_characters(text, places)
            for text, places in zip(texts, outputs["offsets"], strict=True)
        ]
        return {**outputs, "offsets": offsets, "texts": texts, "words": words}

    def finish(self, outputs):
        outputs = super().finish(outputs)
        return {name: value for name, value in outputs.items() if name != "input_ids"}

    def answers(self, outputs):
        """A dict of `entities`, each with its text, label, first character, the one behind its
        last, and as its score the mean of its words' probabilities."""
        rows = []
        for text, (spans, scores) in zip(
            _texts(outputs), self._found(self._units(outputs)), strict=True
        ):
            entities = [
                {
                    "text": text[span.begin : span.end],
                    "label": span.label,
                    "start": span.begin,
                    "end": span.end,
                    "score": score,
                }
                for span, score in zip(spans, scores, strict=True)
            ]
            rows.append({"entities": entities})
        return rows

    def labels_of(self, answers):
        """Spans."""
        return [answer["entities"] for answer in answers]

    def scores(self, outputs, targets):
        """Those of seqeval over all spans, see `span_scores`; and `accuracy`, the share of words
        whose tag is right. Words that have no token, such as a zero-width space, do not count, and
        a true span does not begin or end with one."""
        units = self._units(outputs)
        true = self._true(outputs, targets, units)
        right = words = 0
        for spans, of_text, places in zip(true, units, outputs["words"], strict=True):
            tags = self.scheme.tags_of(labelled_words.words_of_spans(spans, places)[0], len(places))
            for unit in of_text:
                inside = self.scheme.inside(unit.tag)
                found = [unit.tag, *[inside] * (unit.last_word - unit.word)]
                expected = tags[unit.word : unit.last_word + 1]
                right += sum(one == other for one, other in zip(found, expected, strict=True))
                words += len(found)
        return {**self._counts(units, true).scores(), "accuracy": right / max(words, 1)}

    def ranking_scores(self, targets):
        return ("precision", "recall", "f1", "macro_f1", "accuracy")

    def details(self, outputs, targets):
        units = self._units(outputs)
        true = self._true(outputs, targets, units)
        return Details(classes=self._counts(units, true).by_label())

    def compare(self, found, expected):
        """The share of tokens whose tag is the same, and of the text that changed most the mean
        change of its tokens. Single tokens of thousands are near a tie, and change by more."""
        same, largest = [], 0.0
        for one, other in zip(_token_rows(found), _token_rows(expected), strict=True):
            same.append(one["label"] == other["label"])
            changes = map(changed_by, one["probabilities"], other["probabilities"])
            largest = max(largest, float(np.mean(list(changes))))
        return Comparison(float(np.concatenate(same).mean()), largest)

    def _counts(self, units, true):
        found = [spans for spans, _ in self._found(units)]
        return SpanCounts.of(self.scheme.labels, found, true)

    def _true(self, outputs, targets, units):
        """For each text its true spans in characters, as far as the model has tokens of them."""
        columns = (self.targets(targets), _texts(outputs), outputs["words"], units)
        rows = []
        for annotation, text, words, of_text in zip(*columns, strict=True):
            spans = labelled_words.true_spans(annotation, text, words, self.scheme)
            read = [words[i] for unit in of_text for i in range(unit.word, unit.last_word + 1)]
            rows.append(labelled_words.between_words(spans, read))
        return rows

    def _found(self, units):
        """For each text its spans in characters, and their scores."""
        for of_text in units:
            spans = self.scheme.spans(unit.tag for unit in of_text)
            yield (
                [Span(of_text[b].begin, of_text[e - 1].end, label) for b, e, label in spans],
                [float(np.mean([unit.score for unit in of_text[b:e]])) for b, e, _ in spans],
            )

    def _units(self, outputs):
        """For each text its words, with the tags and scores of their first tokens. Words that share
        their first token count as one; a word without a token is left out."""
        names, rows = self.label_names, []
        for number in range(len(_texts(outputs))):
            labels, scores = outputs["label"][number], outputs["score"][number]
            units = first_tokens(outputs["words"][number], outputs["offsets"][number])
            rows.append(
                [
                    _Tagged(*unit, names[int(labels[unit.token])], float(scores[unit.token]))
                    for unit in units
                ]
            )
        return rows

    # Kept in files

    @property
    def label_names(self):
        return self.labels or (OUTSIDE, *map(str, range(1, self.num_classes)))

    def task_settings(self):
        return {
            "num_classes": self.num_classes,
            "labels": self.labels,
            "labelled_pieces": self.labelled_pieces,
            "stride": self.stride,
        }


class _Tagged(NamedTuple):
    """A `Unit` with its tag and the tag's probability."""

    begin: int
    end: int
    word: int
    last_word: int
    token: int
    tag: str
    score: float


def _outputs_of(logits):
    logits = np.asarray(logits, "float32")
    probabilities = softmax(logits)
    return {
        "logits": logits,
        "probabilities": probabilities,
        "label": probabilities.argmax(axis=-1).astype("int32"),
        "score": probabilities.max(axis=-1),
    }


def _texts(outputs):
    if "texts" not in outputs:
        raise InputError("entities are parts of a text: give the texts, not token ids")
    return outputs["texts"]


def _token_rows(outputs):
    """For each text the numbers and the probabilities of its tokens' tags."""
    names = ("label", "probabilities")
    for row in zip(*(outputs[name] for name in names), strict=True):
        yield dict(zip(names, map(np.asarray, row), strict=True))


def _read_annotations(table, column, names, option="--label-column"):
    """The labels of each row of a table, whose tags are names, or the numbers of these."""
    rows = []
    for value, line in zip(table.column(column, option), table.lines, strict=True):
        try:
            rows.append(labelled_words.read_annotation(value, names))
        except InputError as error:
            raise table.error(line, column, str(error)) from None
    return rows
