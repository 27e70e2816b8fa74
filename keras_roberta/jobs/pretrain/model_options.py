"""How a model that is pre-trained differs from a RoBERTa of its size."""

import dataclasses
from typing import Any

from keras_roberta.config import PARAMETER_SHARING, FieldError, RobertaConfig
from keras_roberta.options import OptionError, Options, option


@dataclasses.dataclass(frozen=True)
class ModelOptions(Options):
    """Fields of the `RobertaConfig` of a new model, which describes them.

    >>> options = ModelOptions(num_layers=6, parameter_sharing="all")
    >>> config = RobertaConfig.named("base", **options.fields())
    >>> config.num_layers, config.parameter_sharing
    (6, 'all')
    """

    group = "Model"

    num_layers: int | None = option(
        None,
        "Layers: in a new model instead of its size's; of a preset so many, evenly spaced.",
        at_least=1,
        shown_default="the size's or the preset's",
    )
    parameter_sharing: str = option(
        "none", "What the layers have one copy of.", choices=PARAMETER_SHARING
    )
    sharing_groups: int = option(
        1, "Groups of layers, each with a copy of its own of what is shared.", at_least=1
    )
    embedding_dim: int | None = option(
        None, "Width of the embeddings, if less than the model's.", at_least=1
    )
    norm_first: bool | None = option(
        None,
        "Layer norms in front of layers, not behind (pre-LN).",
        shown_default="the size's: of xlm-xl and xlm-xxl",
    )
    embedding_norm: bool | None = option(
        None,
        "A layer norm behind the embeddings.",
        shown_default="the size's: of all but xlm-xl and xlm-xxl",
    )
    tie_word_embeddings: bool = option(
        True, "Predict masked tokens with the matrix of the token embeddings."
    )

    def fields(self) -> dict[str, Any]:
        """Those of the config of a new model that are not as its size has them."""
        return self.changed()

    def check_size(self, size: str, **more: Any) -> None:
        """Raises an OptionError if they do not fit a size.

        Args:
            size: that `RobertaConfig.named` knows.
            **more: further fields.
        """
        try:
            RobertaConfig.named(size, **self.fields(), **more)
        except FieldError as error:
            raise OptionError(error.names, error.problem) from None

    def of_preset(self, config: RobertaConfig) -> RobertaConfig:
        """The config of a model that goes on from a preset with this one.

        Raises:
            OptionError: the preset has fewer layers.
        """
        if self.num_layers is None:
            return config
        if self.num_layers > config.num_layers:
            raise OptionError(
                "num_layers", f"{self.num_layers}: the preset has {config.num_layers} layers"
            )
        return config.with_layers(self.num_layers)

    def check_start(self, preset: str | None) -> None:
        """Raises an OptionError if a preset is to be another model than it is."""
        for name, value in self.changed().items():
            if preset is not None and name != "num_layers":
                raise OptionError(name, f"{value}: a preset has its own weights; leave it out")
