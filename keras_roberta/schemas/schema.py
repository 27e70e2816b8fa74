"""The questions that every schema answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from keras_roberta.data.examples.columns import Columns, read_texts
from keras_roberta.data.examples.named_columns import TEXT, TEXT_PAIR
from keras_roberta.data.examples.table_files import Table
from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.data.examples.windows import Windows
from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.schemas.comparison import Comparison
from keras_roberta.schemas.metrics import Details
from keras_roberta.schemas.table_targets import check_texts, targets_of_column


@dataclasses.dataclass(frozen=True)
class Schema:
    """What a task's examples and answers look like to people.

    A schema is a frozen record of plain values. Subclasses set the class attributes and override
    what differs.

    Attributes:
        name: by which files name it.
        main_score: the key of `scores` by which models are ranked, larger is better; see also
            `main_score_of`.
        main_score_points: how many points one of the main score is: 100 of a share, 1 of percent.
        takes_pairs: whether a row may be a pair of texts.
        needs_pairs: whether it always is one, so that exported files take two texts without being
            asked to.
        takes_options: whether a row is a question with options, whose inputs are those of
            `data.examples.choices`; exported files then answer for one option at a time, and
            `join_options` makes one answer of several.
        prefix: what exported files and the tokenizer put in front of each text.
        label_columns: what a column of labels is usually called, the likeliest first.
        default_suffix: a table whose own suffix is unknown is read as if it had this one; None: it
            is refused.
        settings: options of fine-tuning that only some tasks have.
        has_targets: whether there are labels to train on and to measure with.
        ragged_outputs: names of the outputs with something for each token of a row; an exported
            model gives them as lists of arrays, without those of padding.
        has_prediction_files: whether answers come in files by their ids, see `measure_predictions`.
        stride: where texts that are longer than a row are read in windows: how many tokens a window
            shares with the one before, see `data.examples.windows`. None where texts are cut.
        training_options: those of the options of training that not every task has, and this one
            has: `label_smoothing`, `class_weight`, `calibrate`, `r_drop`, `confidence_penalty`.
        asked_besides: what `predict` may be asked for besides, in Keras and of exported files, such
            as `n_best`; see `as_asked`.
        names_numbers: whether labels of tables may be numbers that `Columns.label_names` names.
    """

    name: ClassVar[str]
    main_score: ClassVar[str | None] = None
    main_score_points: ClassVar[float] = 100.0
    takes_pairs: ClassVar[bool] = True
    needs_pairs: ClassVar[bool] = False
    takes_options: ClassVar[bool] = False
    prefix: ClassVar[str] = ""
    label_columns: ClassVar[tuple[str, ...]] = ("label",)
    default_suffix: ClassVar[str | None] = None
    settings: ClassVar[tuple[str, ...]] = ()
    has_targets: ClassVar[bool] = True
    ragged_outputs: ClassVar[tuple[str, ...]] = ()
    has_prediction_files: ClassVar[bool] = False
    stride = None  # without a type: in subclasses it may be a field behind others
    training_options: ClassVar[frozenset[str]] = frozenset()
    asked_besides: ClassVar[frozenset[str]] = frozenset()
    names_numbers: ClassVar[bool] = False

    # From tables and Python data

    @classmethod
    def from_table(
        cls, table: Table, columns: Columns, *, num_classes: int | None = None
    ) -> Schema:
        """The schema that fits a training table: it finds the label names there.

        Args:
            num_classes: where labels are numbers; by default as many as are found.

        Raises:
            InputError: names the file and the line that does not fit.
        """
        raise NotImplementedError

    @classmethod
    def needs_no_labels(cls, table: Table, columns: Columns) -> bool:
        """Whether a table without a column of labels may be one to measure with."""
        return False

    @classmethod
    def label_column(cls, table: Table, columns: Columns) -> str:
        """The column that is named, or the first of the usual ones that the table has.

        Raises:
            InputError: there are names for numbers, and labels are no numbers here.
        """
        if columns.label_names is not None and not cls.names_numbers:
            raise OptionError("labels", ": the task has no numbered labels; leave it out")
        if columns.label is not None:
            return columns.label
        usual = cls.label_columns
        return next((name for name in usual if name in table.columns), usual[0])

    def read_inputs(self, table: Table, columns: Columns, *, prefix: str = "--"):
        """The texts of a table as the task takes them: a list, or a pair of lists.

        Args:
            prefix: "--" or "--dev-", in front of the option's name in messages.
        """
        label = self.label_column(table, columns)
        return read_texts(table, dataclasses.replace(columns, label=label), prefix)

    def shown_inputs(self, inputs: Any) -> list[dict[str, Any]]:
        """What of each row of texts stands beside its answer.

        Args:
            inputs: as `read_inputs` gives them.
        """
        columns = inputs if isinstance(inputs, tuple) else (inputs,)
        names = (TEXT, TEXT_PAIR)[: len(columns)]
        rows = zip(*columns[: len(names)], strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def read_targets(self, table: Table, columns: Columns, *, prefix: str = "--") -> np.ndarray:
        """The targets of a table, as `targets` gives them.

        Raises:
            InputError: names the line whose label does not fit, or that has no text to its label.
        """
        check_texts(self.read_inputs(table, columns, prefix=prefix), table)
        column = self.label_column(table, columns)
        labels = self.read_labels(table, column, f"{prefix}label-column")
        if columns.label_names is not None:
            labels = [columns.label_name(label) for label in labels]
        return targets_of_column(self.targets, labels, table, column)

    def read_labels(self, table: Table, column: str, option: str) -> list:
        """A column of a table as `targets` takes it: one label for each row.

        Args:
            option: how the user would name another column, for messages.
        """
        return table.labels(column, option)

    def texts_of(self, asked: Any) -> tuple[list[str], list[str] | None]:
        """The texts, and the second ones or None, of what a model is asked.

        Args:
            asked: texts in memory, in a form that the task's `predict` takes.

        Raises:
            InputError: they are in no such form; names the row.
        """
        return texts_and_pairs(asked)

    def repairs(self, table: Table, columns: Columns) -> dict[str, int]:
        """How often `read_targets` repairs what a table holds, by what is repaired; zeros are left
        out."""
        return {}

    def targets(self, labels: Any) -> np.ndarray:
        """Labels in Python (lists or arrays, names or numbers) as the loss takes them.

        Raises:
            InputError: names the first label that does not fit.
        """
        raise NotImplementedError

    def class_factors(self, weights: dict) -> np.ndarray:
        """Factors of the classes, float32 (num_classes,), from some of them by name or number.

        Raises:
            InputError: there is no such class, or a text has not one class.
        """
        raise InputError(
            "class_weight: only where each text has one class; give sample_weight instead"
        )

    def balanced_factors(self, targets: np.ndarray) -> np.ndarray:
        """Factors by which all classes weigh the same, float32 (num_classes,).

        Those of scikit-learn's "balanced": rows / (classes that occur * rows of the class); 1 for a
        class without rows.

        Args:
            targets: as `targets` gives them.

        Raises:
            InputError: a text has not one class.
        """
        raise InputError('class_weight="balanced": only where each text has one class')

    def with_dev_targets(self, targets: np.ndarray, dev_targets: np.ndarray) -> Schema:
        """The schema of a training, where dev data tell more of it than the training data do.

        Args:
            targets, dev_targets: as `targets` gives them.

        Raises:
            InputError: the two do not fit together.
        """
        return self

    # To people

    def outputs(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        """The named outputs of an exported model, computed from logits."""
        raise NotImplementedError

    def as_asked(self, **asked: Any) -> Schema:
        """The schema by which an exported file answers what it is asked for besides, see
        `asked_besides`; an InputError where it cannot."""
        return self

    def check_asked_of_ids(self, **asked: Any) -> None:
        """Raises an InputError where that cannot be asked of token ids, see `asked_besides`."""

    def finish(self, outputs: dict[str, Any]) -> dict[str, np.ndarray]:
        """The outputs that belong to the task, of all that an exported file gives."""
        besides = ("token_ids", "num_tokens", "label_name", "label_names")
        return {k: v for k, v in outputs.items() if k not in besides}

    def spell(self, outputs: dict[str, Any], tokenizer) -> dict[str, Any]:
        """The outputs with what only a tokenizer can tell, such as the spelling of tokens.

        Args:
            tokenizer: `keras_roberta.tokenizers.Tokenizer`
        """
        return outputs

    def with_texts(self, outputs: dict[str, Any], asked: Any) -> dict[str, Any]:
        """The outputs with what only the texts can tell, such as the texts themselves, of which
        answers are parts.

        Args:
            outputs: named outputs.
            asked: texts or features, as for `predict`.
        """
        return outputs

    def join_windows(
        self, outputs: dict[str, Any], windows: Windows, **asked: Any
    ) -> dict[str, Any]:
        """The outputs of texts, from those of the rows that they were cut into.

        Args:
            outputs: named outputs, each a list with an array for each row.
            windows: which row holds which tokens of which text.
            **asked: see `asked_besides`.
        """
        return {name: windows.joined(rows) for name, rows in outputs.items()}

    def vectors_of(
        self, texts: Any, predict: Callable[[Any], dict[str, Any]], *, of_corpus: bool = False
    ) -> np.ndarray:
        """The vectors of single texts, out of an exported file: float32 (texts, size).

        Args:
            predict: the file's, texts to named outputs.
            of_corpus: whether they are searched, rather than what is searched for.

        Raises:
            InputError: the answers are no vectors, or the file makes those of the other side.
        """
        raise InputError(f"the model gives {self.name}, no vectors to compare or to search with")

    def check_answered(self, asked: Any, outputs: dict[str, np.ndarray]) -> None:
        """Checks that the outputs answer all that was asked; a schema that always does checks
        nothing.

        Args:
            asked: texts or features, as for `predict`; None where they are not at hand.
            outputs: named outputs.

        Raises:
            InputError: names the first row without an answer, such as a text without `<mask>`.
        """

    def answers(self, outputs: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """What people read: a dict of plain values for each row.

        Args:
            outputs: named outputs, each (rows, ...).
        """
        raise NotImplementedError

    def labels_of(self, answers: list[dict[str, Any]]) -> list:
        """Answers as labels, in a form that `targets` takes, for another model to learn.

        Raises:
            InputError: the answers are no labels.
        """
        return [answer["label"] for answer in answers]

    def scores(self, outputs: dict[str, np.ndarray], targets: np.ndarray) -> dict[str, float]:
        """How good outputs are, by the names of the measures."""
        raise NotImplementedError

    @classmethod
    def main_score_of(cls, targets: np.ndarray) -> str | None:
        """The `main_score` where models are measured with these targets."""
        return cls.main_score

    def ranking_scores(self, targets: np.ndarray) -> tuple[str, ...]:
        """The keys of `scores` by which models may be ranked: those of which larger is better."""
        main = self.main_score_of(targets)
        return () if main is None else (main,)

    @classmethod
    def measure_predictions(
        cls, table: Table, columns: Columns, predictions: dict[str, str]
    ) -> tuple[dict[str, float], Details]:
        """`scores` and `details` of answers in a file, whatever model gave them.

        Args:
            table: with the right answers, and an `id` for each row.
            predictions: answers by id.

        Raises:
            InputError: names what does not fit.
        """
        raise NotImplementedError

    def details(self, outputs: dict[str, np.ndarray], targets: np.ndarray) -> Details:
        """What the scores sum up: class by class, and by threshold, where the task has these."""
        return Details()

    def calibrated(self, outputs: dict[str, np.ndarray], targets: np.ndarray) -> Schema:
        """The schema whose probabilities fit these targets best, see `calibration`.

        Raises:
            InputError: the outputs are no probabilities of one class.
        """
        raise OptionError("calibrate", f": {self.name} has no probabilities of one class each")

    def at_threshold(self, outputs: dict[str, np.ndarray], threshold: float) -> dict:
        """The outputs with labels given from another probability on, and with that `threshold`.

        Raises:
            InputError: the answers do not depend on a threshold.
        """
        raise OptionError("threshold", f": {self.name} is not decided by a threshold; leave it out")

    def all_scores(self, outputs: dict[str, np.ndarray]) -> list[dict[str, float]]:
        """The probability of every label, by its name, for each row.

        Raises:
            InputError: there are no labels.
        """
        raise OptionError(
            "all_scores", f": {self.name} has no labels to give scores of; leave it out"
        )

    def compare(self, found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> Comparison:
        """How far the outputs of one model are from those of another."""
        raise NotImplementedError

    # Kept in files

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names for each column of the probabilities; () where there are none."""
        return ()

    def task_settings(self) -> dict[str, Any]:
        """Arguments of the task's `from_preset` that make a new head for this schema."""
        return {}

    def settings_with_head(self, saved: dict[str, Any]) -> dict[str, Any]:
        """Arguments of the task's `from_preset` that the data set where a head learns on.

        Args:
            saved: the arguments that the head was made with, those of its preprocessor among them.
        """
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the schema's name."""
        return {"name": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Schema:
        """The inverse of `to_dict`, without the name."""
        return cls(**values)
