"""What keeps a fine-tuning from learning its texts by heart.

By default dropout rates and layer drop are the preset's, and the rest is off.
"""

import dataclasses

from keras_roberta.options import Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegularizationOptions(Options):
    """The part of `FinetuneOptions` that says so.

    None is off, or the preset's for dropout rates and layer drop, which 0 turns off. What is given
    for these is kept in the resulting preset.
    """

    group = "Regularisation"

    dropout: float | None = option(
        None,
        "Dropout rate of the encoder. A model pre-trained without dropout needs some; few texts "
        "need more.",
        at_least=0,
        below=1,
        shown_default="the preset's",
    )
    attention_dropout: float | None = option(
        None,
        "Dropout rate on attention probabilities, if it is to be another than --dropout.",
        at_least=0,
        below=1,
        shown_default="as --dropout, or the preset's",
    )
    activation_dropout: float | None = option(
        None,
        "Dropout rate behind the activations of feed-forward layers.",
        at_least=0,
        below=1,
        shown_default="the preset's",
    )
    layer_drop: float | None = option(
        None,
        "Probability with which a step leaves out a layer (LayerDrop).",
        at_least=0,
        below=1,
        shown_default="the preset's",
    )
    layer_decay: float | None = option(
        None,
        "Factor of the learning rate from each layer to the one below it, such as 0.9.",
        above=0,
        below=1,
        shown_default="one rate for all",
    )
    label_smoothing: float = option(
        0.0, "Share of each label that is spread over all classes.", at_least=0, below=1
    )
    confidence_penalty: float | None = option(
        None,
        "Weight of the answers' entropy, which is subtracted from the loss, such as 0.1.",
        above=0,
        shown_default="none",
    )
    r_drop: float | None = option(
        None,
        "Weight of the difference between answers under two masks of dropout, such as 1; twice the "
        "time (R-Drop).",
        above=0,
        shown_default="none",
    )
    fgm: float | None = option(
        None,
        "Size of the step by which embeddings are moved to raise the loss, such as 1; training "
        "learns from both, in twice the time (fast gradient method).",
        above=0,
        shown_default="none",
    )
    mixout: float | None = option(
        None,
        "Share of the encoder's matrices that a step takes from the preset, such as 0.7.",
        above=0,
        below=1,
        shown_default="none",
    )
    ema_momentum: float | None = option(
        None,
        "Keep a moving average of the weights; a step keeps this share of the old average, such as "
        "0.99.",
        above=0,
        below=1,
        shown_default="the weights themselves",
    )
