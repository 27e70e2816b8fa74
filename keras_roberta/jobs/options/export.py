"""What a preset is exported as."""

import dataclasses

from keras_roberta.export.arguments import OF_TFLITE
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.saved_model_quantization import SAVED_MODEL_SCHEMES
from keras_roberta.options import OptionError, Options, option

_OF_TFLITE = "TFLite files"
AUTO = "auto"
# Formats, with what a file of each is called and the schemes that it may be quantized by.
FORMATS = {
    "tflite": ("a TFLite file", SCHEMES),
    "saved-model": ("a SavedModel", SAVED_MODEL_SCHEMES),
}


def _summaries(schemes):
    return "; ".join(f"{scheme.name}, {scheme.summary}" for scheme in schemes.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Of `keras_roberta.jobs.export.export` and `keras-roberta export`.

    What is None is left to the exporter.
    """

    group = "Model"

    format: str = option("tflite", "What to write.", choices=tuple(FORMATS))
    quantization: str | None = option(
        None,
        f"How weights are kept. In a TFLite file: {_summaries(SCHEMES)}; {AUTO}, the best of these "
        "within the limits of a budget, by --dev. In a SavedModel: "
        f"{_summaries(SAVED_MODEL_SCHEMES)}.",
        choices=lambda: tuple(dict.fromkeys([*SCHEMES, *SAVED_MODEL_SCHEMES, AUTO])),
        shown_default="int8; none in a SavedModel",
    )
    sequence_lengths: tuple[int, ...] | str | None = option(
        None,
        "Lengths in tokens that the TFLite model takes, ascending, with commas; or auto, those at "
        "which the texts of --lengths-from take the least time, or else of --dev or --calibration.",
        at_least=3,
        shown_default="32,64,128",
        group=_OF_TFLITE,
    )
    lengths_from: str | None = option(
        None,
        "Table, or .txt file, of texts like those that the model will see: the lengths are those "
        "at which they take the least time.",
        is_path=True,
        group=_OF_TFLITE,
    )
    num_lengths: int | None = option(
        None,
        "How many lengths, of --lengths-from and auto.",
        at_least=1,
        shown_default="3",
        group=_OF_TFLITE,
    )
    calibration: str | None = option(
        None,
        "Table, or .txt file, of texts like those that the model will see, for quantizations that "
        "need them and were not trained with.",
        is_path=True,
        group=_OF_TFLITE,
    )
    inputs: str = option(
        "text", "Whether the tokenizer goes into the model.", choices=("text", "tokens")
    )
    pairs: bool = option(False, "The model takes pairs of texts.")
    top_k: int | None = option(
        None,
        "Candidates for each <mask>, of a masked language model.",
        at_least=1,
        shown_default="5",
    )

    license: str | None = option(
        None, "Licence of the model, such as apache-2.0, to be kept in the file's metadata."
    )
    prefix: str | None = option(
        None,
        "Put in front of each text by the model, of a task whose texts have a prefix.",
        shown_default="the preset's",
    )

    def check(self):
        names = (*OF_TFLITE, "lengths_from", "num_lengths")
        given = [name for name in names if getattr(self, name) is not None]
        if self.format != "tflite" and given:
            raise OptionError(
                given[0],
                "is for TFLite: a SavedModel takes texts of any length, and no quantization of it "
                "needs sample texts; leave it out",
            )
        kind, schemes = FORMATS[self.format]
        if self.quantization == AUTO:
            if self.format != "tflite":
                raise OptionError("quantization", f"{AUTO!r}: is for TFLite; name one")
        elif self.quantization is not None and self.quantization not in schemes:
            raise OptionError(
                "quantization",
                f"{self.quantization!r}: {kind} has {', '.join(schemes)}; choose one of these",
            )
        if isinstance(self.sequence_lengths, str) and self.sequence_lengths != AUTO:
            raise OptionError(
                "sequence_lengths",
                f"{self.sequence_lengths!r}: give whole numbers such as 32,64,128, or {AUTO}",
            )
        if self.lengths_from is not None and self.sequence_lengths not in (None, AUTO):
            raise OptionError(
                ("lengths_from", "sequence_lengths"), "both say which lengths there are; give one"
            )
        if self.chooses_lengths and self.prefix is not None:
            raise OptionError(
                ("sequence_lengths" if self.lengths_from is None else "lengths_from", "prefix"),
                "do not go together: texts are counted with the preset's prefix; name the lengths "
                "in sequence_lengths",
            )
        if self.num_lengths is not None and not self.chooses_lengths:
            raise OptionError(
                "num_lengths",
                f": is how many lengths to choose by texts; give lengths_from, or {AUTO!r} for "
                "sequence_lengths",
            )

    @property
    def chooses_lengths(self) -> bool:
        """Whether lengths are chosen by those of texts."""
        return self.lengths_from is not None or self.sequence_lengths == AUTO

    @property
    def of_head(self) -> dict:
        """The arguments that some tasks' heads have, where given."""
        given = {"top_k": self.top_k, "prefix": self.prefix}
        return {name: value for name, value in given.items() if value is not None}
