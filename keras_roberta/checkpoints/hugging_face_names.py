"""Hugging Face's names and layouts for RoBERTa's weights, and ours.

Theirs are those of `modeling_roberta.py` in Transformers, which XLM-R and CamemBERT share, and with
other names for layer norms the families in `hugging_face_families`: with `roberta.` in front where
a head was saved along, without it where not; in checkpoints converted from TensorFlow 1 with
`gamma` and `beta` for a layer norm's `weight` and `bias`. A PyTorch `Linear.weight` is (out, in);
our kernels are (in, out), and queries, keys and values share one.
"""

import dataclasses
from collections.abc import Callable, Iterable

from keras_roberta.checkpoints.hugging_face_families import PREFIX, family_of
from keras_roberta.checkpoints.weight_table import Weight
from keras_roberta.config import RobertaConfig

TOKEN_EMBEDDING = "embeddings.word_embeddings.weight"
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")

# The classes of Transformers, and what the names of the tensors in their heads begin with.
HEAD_TENSORS = {
    "RobertaModel": (),
    "RobertaForMaskedLM": ("lm_head.",),
    "RobertaForCausalLM": ("lm_head.",),
    "RobertaForSequenceClassification": ("classifier.dense.", "classifier.out_proj."),
    "RobertaForTokenClassification": ("classifier.weight", "classifier.bias"),
    "RobertaForMultipleChoice": ("classifier.weight", "classifier.bias"),
    "RobertaForQuestionAnswering": ("qa_outputs.",),
}
WITH_POOLER = ("RobertaForMultipleChoice",)  # those that compute on the encoder's pooler


@dataclasses.dataclass(frozen=True)
class HuggingFaceHead:
    """What Transformers calls a task's head, and where its weights lie.

    Attributes:
        architecture: the class there, such as "RobertaForSequenceClassification".
        weights: gives the table of its weights; ours have the names of the task's
            `head_weights_by_name`. The outputs are the first size of the last of them.
        marks: what the names of its tensors begin with, and those of no other head.
        problem_type: for tasks that share an architecture, the one of `config.json`:
            "single_label_classification", "multi_label_classification" or "regression". Where the
            config is silent it is a regression with one output, else a single label.
        with_pooler: whether it computes on the encoder's pooler, which is then a part of it.
        tied: weights that the head has besides where `tie_word_embeddings` is False; else the
            first is the token embedding.
    """

    architecture: str
    weights: Callable[[], list[Weight]]
    marks: tuple[str, ...]
    problem_type: str | None = None
    with_pooler: bool = False
    tied: tuple[Weight, ...] = ()

    def weights_of(self, config: RobertaConfig) -> list[Weight]:
        """The table of its weights in a model of this config."""
        table = [*self.weights(), *(() if config.tie_word_embeddings else self.tied)]
        prefix = family_of(config).prefix
        return [weight.with_prefix(PREFIX, prefix) for weight in table]

    def tensor_names(self) -> set[str]:
        """All names that its tensors may have."""
        weights = (*self.weights(), *self.tied)
        names = {name for weight in weights for name in (*weight.sources, weight.other_source)}
        return names - {None}


def _dense(ours: str, sources: str | Iterable[str], inputs, outputs) -> list[Weight]:
    sources = (sources,) if isinstance(sources, str) else tuple(sources)
    return [
        Weight(f"{ours}/kernel", tuple(f"{s}.weight" for s in sources), (outputs, inputs)),
        Weight(f"{ours}/bias", tuple(f"{s}.bias" for s in sources), (outputs,)),
    ]


def _layer_norm(ours: str, source: str, dim) -> list[Weight]:
    return [
        Weight(f"{ours}/gamma", (f"{source}.weight",), (dim,), f"{source}.gamma"),
        Weight(f"{ours}/beta", (f"{source}.bias",), (dim,), f"{source}.beta"),
    ]


def encoder_weights(config: RobertaConfig) -> list[Weight]:
    """All weights of the encoder, in order, by the names of its family.

    Raises:
        InputError: no encoder of Transformers computes so.

    >>> config = RobertaConfig.named("tiny")
    >>> encoder_weights(config)[5].sources[1], encoder_weights(config)[5].shape
    ('encoder.layer.0.attention.self.key.weight', (128, 128))
    """
    hidden, inner = config.hidden_dim, config.intermediate_dim
    norms = family_of(config).layer_norms

    def layer_norm(name, ours="", theirs=""):
        return _layer_norm(ours + name, theirs + norms[name], hidden)

    tables = [
        ("token", "word_embeddings", config.vocabulary_size),
        ("position", "position_embeddings", config.num_positions),
        ("token_type", "token_type_embeddings", config.num_token_types),
    ]
    weights = [
        Weight(f"embeddings/{ours}", (f"embeddings.{theirs}.weight",), (rows, hidden))
        for ours, theirs, rows in tables
        if rows
    ]
    if config.embedding_norm:
        weights += layer_norm("embeddings/layer_norm")
    for i in range(config.num_layers):
        ours, theirs = f"encoder/block_{i}", f"encoder.layer.{i}"
        query_key_value = [f"{theirs}.attention.self.{x}" for x in ("query", "key", "value")]
        weights += [
            *_dense(f"{ours}/attention/query_key_value", query_key_value, hidden, hidden),
            *_dense(f"{ours}/attention/output", f"{theirs}.attention.output.dense", hidden, hidden),
            *layer_norm("attention_layer_norm", f"{ours}/", f"{theirs}."),
            *_dense(f"{ours}/intermediate", f"{theirs}.intermediate.dense", hidden, inner),
            *_dense(f"{ours}/output", f"{theirs}.output.dense", inner, hidden),
            *layer_norm("output_layer_norm", f"{ours}/", f"{theirs}."),
        ]
    if config.norm_first:
        weights += layer_norm("encoder/layer_norm")
    return weights


def classifier_weights() -> list[Weight]:
    """`RobertaClassificationHead`: `dense/...` and `out/...`."""
    return [
        *_dense("dense", "classifier.dense", "hidden_dim", "hidden_dim"),
        *_dense("out", "classifier.out_proj", "hidden_dim", "outputs"),
    ]


def masked_lm_weights() -> list[Weight]:
    """`RobertaLMHead` without its output matrix; see `OUTPUT_PROJECTION`."""
    return [
        *_dense("dense", "lm_head.dense", "hidden_dim", "hidden_dim"),
        *_layer_norm("layer_norm", "lm_head.layer_norm", "hidden_dim"),
        Weight("bias", ("lm_head.bias",), ("vocabulary_size",), "lm_head.decoder.bias"),
    ]


# Of a `RobertaLMHead` whose output matrix is not the token embedding. Transformers then computes
# with the bias of the matrix, and keeps the head's.
OUTPUT_PROJECTION = (
    Weight("output_projection", ("lm_head.decoder.weight",), ("vocabulary_size", "hidden_dim")),
    Weight("bias", ("lm_head.decoder.bias",), ("vocabulary_size",), "lm_head.bias"),
)


def linear_head_weights(source: str) -> list[Weight]:
    """A single linear layer, `out/...`: `classifier` (token classification) or `qa_outputs`."""
    return _dense("out", source, "hidden_dim", "outputs")


def multiple_choice_weights() -> list[Weight]:
    """The pooler, `pooler/...`, and a linear layer on it, `out/...`."""
    return [
        *_dense("pooler", f"{PREFIX}pooler.dense", "hidden_dim", "hidden_dim"),
        *_dense("out", "classifier", "hidden_dim", "outputs"),
    ]
