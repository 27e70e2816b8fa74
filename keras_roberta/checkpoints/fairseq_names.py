"""fairseq's names for RoBERTa's weights, old and new.

After fairseq/models/roberta/model.py and what `upgrade_state_dict_named` renames there and in the
modules that it uses.

- All but classification heads have `encoder.` in front, before version 0.10 `decoder.`.
- The layer norm on the embeddings was `emb_layer_norm` before 0.12, and those of a block
  `layer_norms.0` and `layer_norms.1` in the oldest checkpoints.
- Queries, keys and values were one tensor of three times the rows, `in_proj_weight`, before 0.9.

Layouts are PyTorch's, which Hugging Face's tables describe; they are taken over with other names.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from keras_roberta.checkpoints.hugging_face_names import HuggingFaceHead, encoder_weights
from keras_roberta.checkpoints.tensor_files import StateDict
from keras_roberta.checkpoints.weight_table import Weight
from keras_roberta.config import RobertaConfig

FRONTS = ("encoder", "decoder")
ENCODER = "sentence_encoder."
TOKEN_EMBEDDING = f"{ENCODER}embed_tokens.weight"
POSITION_EMBEDDING = f"{ENCODER}embed_positions.weight"
FINAL_NORM = f"{ENCODER}layer_norm.weight"  # of pre-LN models
BUFFERS = (f"{ENCODER}version", f"{ENCODER}embed_positions._float_tensor")
LM_HEAD = "lm_head."
LM_DENSE = f"{LM_HEAD}dense.weight"
OUTPUT_MATRIX = f"{LM_HEAD}weight"
HEADS = "classification_heads."

# Hugging Face's names and fairseq's, for parts of names, the longer ones first.
_ENCODER_NAMES = (
    ("encoder.layer.", f"{ENCODER}layers."),
    ("embeddings.word_embeddings.", f"{ENCODER}embed_tokens."),
    ("embeddings.position_embeddings.", f"{ENCODER}embed_positions."),
    ("embeddings.LayerNorm.", f"{ENCODER}layernorm_embedding."),
    (".attention.self.query.", ".self_attn.q_proj."),
    (".attention.self.key.", ".self_attn.k_proj."),
    (".attention.self.value.", ".self_attn.v_proj."),
    (".attention.output.dense.", ".self_attn.out_proj."),
    (".attention.output.LayerNorm.", ".self_attn_layer_norm."),
    (".intermediate.dense.", ".fc1."),
    (".output.dense.", ".fc2."),
    (".output.LayerNorm.", ".final_layer_norm."),
)
_OLD_NAMES = (
    (".layernorm_embedding.", ".emb_layer_norm."),
    (".self_attn_layer_norm.", ".layer_norms.0."),
    (".final_layer_norm.", ".layer_norms.1."),
)
_LM_NAMES = (("lm_head.decoder.", LM_HEAD),)
# Of the classes of Transformers for which fairseq has a classification head: the names in it.
_HEAD_NAMES = {
    "RobertaForSequenceClassification": (("classifier.", ""),),
    "RobertaForMultipleChoice": (("roberta.pooler.", ""), ("classifier.", "out_proj.")),
}
MASKED_LM = "RobertaForMaskedLM"


def encoder_table(config: RobertaConfig, front: str = FRONTS[0]) -> list[Weight]:
    """The weights of an encoder without token types, which fairseq's has not.

    >>> encoder_table(RobertaConfig.named("tiny", num_token_types=0))[4].sources[1]
    'encoder.sentence_encoder.layers.0.self_attn.k_proj.weight'
    """
    table = encoder_weights(config.replace(num_token_types=0))
    return [_renamed(weight, _ENCODER_NAMES, f"{front}.") for weight in table]


def has_place_for(head: HuggingFaceHead) -> bool:
    """Whether fairseq has a task's head."""
    if head.problem_type == "multi_label_classification":
        return False
    return head.architecture in (MASKED_LM, *_HEAD_NAMES)


def head_table(
    head: HuggingFaceHead, config: RobertaConfig, name: str, front: str = FRONTS[0]
) -> list[Weight]:
    """The weights of a task's head.

    Args:
        name: of a classification head.
    """
    table = head.weights_of(config)
    if head.architecture == MASKED_LM:
        return [_renamed(weight, _LM_NAMES, f"{front}.") for weight in table]
    names = _HEAD_NAMES[head.architecture]
    return [_renamed(weight, names, f"{HEADS}{name}.") for weight in table]


def front_of(names: Iterable[str]) -> str | None:
    """What stands in front of the names; None where they are of another model."""
    names = set(names)
    return next((f for f in FRONTS if f"{f}.{TOKEN_EMBEDDING}" in names), None)


def with_single_projections(state: StateDict) -> StateDict:
    """Queries, keys and values as tensors of their own, where they are one."""
    parts = {}
    for name in state:
        if found := re.fullmatch(r"(.*\.self_attn\.)in_proj_(weight|bias)", name):
            parts[name] = [f"{found[1]}{x}_proj.{found[2]}" for x in "qkv"]
    return state.divided(parts) if parts else state


def classification_heads(names: Iterable[str]) -> list[str]:
    """The names of the classification heads, sorted."""
    found = (re.match(re.escape(HEADS) + r"([^.]+)\.", name) for name in names)
    return sorted({match[1] for match in found if match})


def _renamed(weight: Weight, names: Sequence[tuple[str, str]], front: str) -> Weight:
    sources = tuple(front + _replaced(source, names) for source in weight.sources)
    old = _replaced(sources[0], _OLD_NAMES)
    return dataclasses.replace(
        weight, sources=sources, other_source=old if old != sources[0] else None
    )


def _replaced(name: str, names: Sequence[tuple[str, str]]) -> str:
    for old, new in names:
        name = name.replace(old, new)
    return name
