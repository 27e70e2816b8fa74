"""What a model is converted to."""

import dataclasses

from keras_roberta.checkpoints.format_names import names
from keras_roberta.options import Options, option


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
