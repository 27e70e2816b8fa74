"""What Transformers writes for a tiny RoBERTa: names and shapes after `modeling_roberta.py`."""

import json

import numpy as np

from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.config import RobertaConfig

CONFIG = RobertaConfig(
    vocabulary_size=11,
    num_layers=2,
    num_heads=2,
    hidden_dim=4,
    intermediate_dim=6,
    max_sequence_length=7,
    num_token_types=1,
)
SHAPES = {
    "roberta.embeddings.word_embeddings.weight": (11, 4),
    "roberta.embeddings.position_embeddings.weight": (9, 4),
    "roberta.embeddings.token_type_embeddings.weight": (1, 4),
    "roberta.embeddings.LayerNorm.weight": (4,),
    "roberta.embeddings.LayerNorm.bias": (4,),
}
for layer in range(2):
    prefix = f"roberta.encoder.layer.{layer}"
    for name, outputs, inputs in (
        ("attention.self.query", 4, 4),
        ("attention.self.key", 4, 4),
        ("attention.self.value", 4, 4),
        ("attention.output.dense", 4, 4),
        ("intermediate.dense", 6, 4),
        ("output.dense", 4, 6),
    ):
        SHAPES[f"{prefix}.{name}.weight"] = (outputs, inputs)
        SHAPES[f"{prefix}.{name}.bias"] = (outputs,)
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        SHAPES[f"{prefix}.{name}.weight"] = SHAPES[f"{prefix}.{name}.bias"] = (4,)
CLASSIFIER = {
    "classifier.dense.weight": (4, 4),
    "classifier.dense.bias": (4,),
    "classifier.out_proj.weight": (3, 4),
    "classifier.out_proj.bias": (3,),
}
MASKED_LM = {
    "lm_head.dense.weight": (4, 4),
    "lm_head.dense.bias": (4,),
    "lm_head.layer_norm.weight": (4,),
    "lm_head.layer_norm.bias": (4,),
    "lm_head.bias": (11,),
}
TOKENS = {"classifier.weight": (3, 4), "classifier.bias": (3,)}
QUESTIONS = {"qa_outputs.weight": (2, 4), "qa_outputs.bias": (2,)}
POOLER = {"roberta.pooler.dense.weight": (4, 4), "roberta.pooler.dense.bias": (4,)}
VALUES = {
    "model_type": "roberta",
    "vocab_size": 11,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 4,
    "intermediate_size": 6,
    "max_position_embeddings": 9,
    "type_vocab_size": 1,
    "pad_token_id": 1,
}


def random_state(shapes):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def classifier(outputs):
    return CLASSIFIER | {
        "classifier.out_proj.weight": (outputs, 4),
        "classifier.out_proj.bias": (outputs,),
    }


def write_checkpoint(directory, shapes, **changes):
    """A checkpoint with random weights; `None` leaves an entry out of its config."""
    directory.mkdir(exist_ok=True)
    values = {k: v for k, v in (VALUES | changes).items() if v is not None}
    (directory / "config.json").write_text(json.dumps(values))
    write_safetensors(directory / "model.safetensors", random_state(SHAPES | shapes))
    return directory
