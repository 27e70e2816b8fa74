"""What a model is measured on, and what it answers."""

import dataclasses
from pathlib import Path

from keras_roberta.jobs.options.tables import TableColumns, TextColumns
from keras_roberta.jobs.prediction_formats import FORMATS
from keras_roberta.options import OptionError, Options, option

# What the options that only some models have are for, as messages say it.
GOES_WITH = {
    "n_best": "a model that answers from contexts",
    "top_k": "a model that fills <mask>, or with --corpus",
    "candidates": "a model that fills <mask>",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunningOptions(Options):
    """How a model runs, whatever it is kept in."""

    group = "Running"

    tokenizer: str | None = option(
        None, "Preset that a model on token ids came from, for its tokenizer.", is_path=True
    )
    threads: int = option(1, "For TFLite.", at_least=1)
    threshold: float | None = option(
        None,
        "Probability from which a label is given, for two classes (the second one) or labels that "
        "do not exclude one another; or above which there is no answer.",
        above=0,
        below=1,
        shown_default="the model's, or 0.5",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RunningOptions, TableColumns):
    """Of `keras_roberta.jobs.evaluate.evaluate` and `keras-roberta evaluate`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictOptions(RunningOptions, TextColumns):
    """Of `keras_roberta.jobs.predict.predict` and `keras-roberta predict`."""

    group = "Answers"

    all_scores: bool = option(False, "Give the probability of every label.")
    n_best: int | None = option(
        None, "Give so many parts of each context, the best first.", at_least=1
    )
    top_k: int | None = option(
        None,
        "Tokens for each <mask>, or texts of --corpus, the likeliest first.",
        at_least=1,
        shown_default="5 tokens, 10 texts",
    )
    candidates: tuple[str, ...] | None = option(
        None, "The only words to choose from for each <mask>, such as red,green; of a preset."
    )
    corpus: str | None = option(
        None,
        "Texts to search, a table or a .txt file with a text a line: those nearest to each text, "
        "for a model that gives vectors.",
        is_path=True,
    )
    corpus_column: str | None = option(
        None, "Column of the texts of --corpus.", shown_default="text, or the only one"
    )
    format: str | None = option(
        None,
        "What to write.",
        choices=tuple(FORMATS),
        shown_default="that of --out's name; text on standard output",
    )

    def check(self):
        super().check()
        for name in ("all_scores", "threshold", "n_best", "candidates"):
            if self.corpus is not None and getattr(self, name) not in (None, False):
                raise OptionError((name, "corpus"), ": do not go together; leave one out")
        if self.corpus is None:
            self.check_not_given("corpus_column", problem="names a column of a corpus; give corpus")

    def check_source(self, data: str | Path | None) -> None:
        """Raises where options say how a table is read, and there is none."""
        if data is not None:
            return
        names = ("text_column", "text_pair_column")
        self.check_not_given(*names, problem="names a column of a table; give the table as data")
        if self.corpus is None:
            problem = "is of tables that are read; give one as data or corpus"
            self.check_not_given("no_header", problem=problem)
