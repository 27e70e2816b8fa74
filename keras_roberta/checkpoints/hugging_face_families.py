"""Transformers' kinds of encoders that are read and written here: their classes and their names.

After `modeling_roberta.py`, `modeling_xlm_roberta_xl.py` and `modeling_roberta_prelayernorm.py`.
They name all but their layer norms alike, and have the same heads.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from keras_roberta.config import RobertaConfig
from keras_roberta.hugging_face_config import model_type_of

# Names of classes and of weights in tables begin so; each family has its own in their place.
ROBERTA = "Roberta"
PREFIX = "roberta."


@dataclasses.dataclass(frozen=True)
class Family:
    """Encoders whose tensors have the same names.

    Attributes:
        class_prefix: what the names of its classes begin with, in the place of "Roberta".
        prefix: in front of the encoder's tensors where a head was saved along.
        layer_norms: ours to theirs, those of a block without its name in front.
        parts: what the names of the encoder's tensors begin with, behind the prefix.
    """

    class_prefix: str
    prefix: str
    layer_norms: Mapping[str, str]
    parts: tuple[str, ...] = ("embeddings.", "encoder.")

    def architecture(self, roberta: str) -> str:
        """The name of its class for that of RoBERTa's with the same head.

        >>> FAMILIES["xlm-roberta-xl"].architecture("RobertaForMaskedLM")
        'XLMRobertaXLForMaskedLM'
        """
        return self.class_prefix + roberta.removeprefix(ROBERTA)


# By the `model_type` that is written; see `family_of`.
FAMILIES = {
    "roberta": Family(
        ROBERTA,
        PREFIX,
        {
            "embeddings/layer_norm": "embeddings.LayerNorm",
            "attention_layer_norm": "attention.output.LayerNorm",
            "output_layer_norm": "output.LayerNorm",
        },
    ),
    "xlm-roberta-xl": Family(
        "XLMRobertaXL",
        PREFIX,
        {
            "attention_layer_norm": "attention.self_attn_layer_norm",
            "output_layer_norm": "LayerNorm",
            "encoder/layer_norm": "encoder.LayerNorm",
        },
    ),
    "roberta-prelayernorm": Family(
        "RobertaPreLayerNorm",
        "roberta_prelayernorm.",
        {
            "embeddings/layer_norm": "embeddings.LayerNorm",
            "attention_layer_norm": "attention.LayerNorm",
            "output_layer_norm": "intermediate.LayerNorm",
            "encoder/layer_norm": "LayerNorm",
        },
        parts=("embeddings.", "encoder.", "LayerNorm."),
    ),
}
_SAME_LAYOUT = ("XLMRoberta", "Camembert")  # classes of model types that are RoBERTa's otherwise
_CLASSES = "|".join([*_SAME_LAYOUT, *(family.class_prefix for family in FAMILIES.values())])


def family_of(config: RobertaConfig) -> Family:
    """The family of an encoder.

    Raises:
        InputError: no encoder of Transformers computes so.
    """
    return FAMILIES[model_type_of(config)]


def roberta_architecture(name: str) -> str:
    """The name of RoBERTa's class with the same head as that of another family.

    >>> roberta_architecture("XLMRobertaXLForMaskedLM"), roberta_architecture("CamembertModel")
    ('RobertaForMaskedLM', 'RobertaModel')
    """
    return re.sub(rf"^({_CLASSES})(?=For|Model$)", ROBERTA, name)
