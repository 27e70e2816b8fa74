"""What a model is converted to."""

import dataclasses
import functools

from keras_roberta.checkpoints.format_names import names
from keras_roberta.models.extended_positions import EXTENSIONS
from keras_roberta.options import OptionError, Options, option
from keras_roberta.options.sizes import bytes_of_text

DTYPES = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertOptions(Options):
    """Of `keras_roberta.jobs.convert.convert` and `keras-roberta convert`."""

    to: str = option(
        "hugging-face",
        "Format: hugging-face is what Transformers loads, keras a preset of this library; fairseq "
        "and keras-hub are those libraries' own.",
        choices=names,
    )
    drop_heads: bool = option(False, "Leave out heads that cannot be kept.")
    max_shard_size: int | None = option(
        None,
        "Weights that a file may have, such as 500MB; what is more goes into further files.",
        parse=functools.partial(bytes_of_text, "max_shard_size"),
        at_least=1,
        shown_default="5GB, and 10GB in presets",
    )
    max_sequence_length: int | None = option(
        None,
        "Positions that the model gets, if it is to read longer texts; train it on them before you "
        "rely on it.",
        at_least=1,
        shown_default="as many as it has",
    )
    extend_positions: str | None = option(
        None,
        "Where further positions come from: copy repeats the known ones, so that texts which were "
        "short enough before are read as before; interpolate stretches them.",
        choices=EXTENSIONS,
        shown_default="copy",
    )
    dtype: str | None = option(
        None,
        "Precision of the weights that are written, also where the checkpoint has another.",
        choices=DTYPES,
        shown_default="float32",
    )

    def check(self):
        if self.extend_positions is not None and self.max_sequence_length is None:
            problem = ": there are no positions to make; give --max-sequence-length too"
            raise OptionError("extend_positions", problem)
