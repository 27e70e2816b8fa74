"""What a model is converted to."""

import dataclasses

from keras_roberta.options import Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertOptions(Options):
    """Of `keras-roberta convert`."""

    to: str = option(
        "hugging-face",
        "What Transformers loads, or a preset of this library.",
        choices=("hugging-face", "keras"),
    )
