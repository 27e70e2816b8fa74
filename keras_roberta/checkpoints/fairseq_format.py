"""The format of fairseq's checkpoints, and writing them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from keras_roberta.checkpoints import fairseq_names as names
from keras_roberta.checkpoints import fairseq_settings
from keras_roberta.checkpoints.fairseq_checkpoint import (
    DICTIONARY,
    FILES,
    LABELS,
    MODEL,
    FairseqCheckpoint,
    files_in,
)
from keras_roberta.checkpoints.hugging_face_labels import classifier_dropout, label_names
from keras_roberta.checkpoints.hugging_face_names import HuggingFaceHead
from keras_roberta.checkpoints.protocol import CheckpointFormat, head_layers
from keras_roberta.checkpoints.torch_archive import write_torch_file
from keras_roberta.checkpoints.variable_arrays import as_arrays
from keras_roberta.checkpoints.weight_table import stored_weights
from keras_roberta.checkpoints.without_token_types import without_token_types
from keras_roberta.config import RobertaConfig
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.tokenizers.fairseq_dictionary import dictionary_text
from keras_roberta.tokenizers.fairseq_files import FAIRSEQ_FILES, fairseq_tokenizer_files
from keras_roberta.tokenizers.tokenizer_files import TOKENIZER_FILES


class FairseqFormat(CheckpointFormat):
    """Directories for `RobertaModel.from_pretrained` in fairseq 0.12 and later."""

    name = "fairseq"
    summary = "fairseq's model.pt"
    only_float32 = True
    files = (*FILES[:2], DICTIONARY, LABELS, *FAIRSEQ_FILES)
    # Other files of tokenizers, and a config.json, would be read before these. The checkpoints of a
    # training stay: `model.pt` is read before them.
    parts = frozenset({MODEL, LABELS, "config.json", *TOKENIZER_FILES})

    def detect(self, directory):
        return bool(files_in(directory))

    def open(self, directory):
        return FairseqCheckpoint(self, directory)

    def heads_left_out(self, model):
        head = _written_head(model)
        vectors = ["how vectors are made"] if model.hugging_face_files() else []
        return head_layers(model, {} if head is None else model.head_weights_by_name()) + vectors

    def atomic_directory(self, directory, *, replaces=()):
        return atomic_directory(directory, last=MODEL, replaces=(*self.parts, *replaces))

    def write(self, model, directory, *, tokenizer=None):
        """See `CheckpointFormat`. All tensors are float32."""
        backbone = getattr(model, "backbone", model)
        fairseq_settings.check_config(backbone.config)
        files: dict[str, str | bytes] = {}
        if tokenizer is not None:
            files = fairseq_tokenizer_files(tokenizer, backbone.config.vocabulary_size)
        if labels := _labels(model):
            files[LABELS] = dictionary_text(labels)
        write_torch_file(directory / MODEL, _content(model, backbone))
        for name, text in files.items():
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_bytes(text.encode() if isinstance(text, str) else text)


def _written_head(model) -> HuggingFaceHead | None:
    """What Transformers calls the head of a model that is written along; None for none."""
    head = model.hugging_face
    if head is None or not names.has_place_for(head):
        return None
    # fairseq's head for masked tokens uses the encoder's activation; heads here always use GELU.
    if head.architecture == names.MASKED_LM and model.backbone.config.hidden_activation != "gelu":
        return None
    return head


def _labels(model) -> list[str]:
    """The names of the classes, or their numbers; none where the head has no classes."""
    settings = model.hugging_face_settings()
    if _written_head(model) is None or not settings.get("id2label"):
        return []
    return label_names(settings) or list(settings["id2label"])


def _content(model, backbone) -> dict[str, Any]:
    """What `fairseq-train` saves, without the state of a training."""
    config, head = backbone.config, _written_head(model)
    tensors = dict(stored_weights(without_token_types(backbone), names.encoder_table(config), {}))
    embedding = tensors[f"encoder.{names.TOKEN_EMBEDDING}"]
    matrix = f"encoder.{names.OUTPUT_MATRIX}"
    sizes = {"hidden_dim": config.hidden_dim, "vocabulary_size": config.vocabulary_size}
    kind, settings = None, {}
    if head is not None and head.architecture == names.MASKED_LM:
        table = names.head_table(head, config, "")
        tensors |= stored_weights(as_arrays(model.head_weights_by_name()), table, sizes)
    else:
        tensors |= _untrained_lm_head(config)
    tensors.setdefault(matrix, embedding)
    if head is not None and head.architecture != names.MASKED_LM:
        table = names.head_table(head, config, fairseq_settings.DEFAULT_HEAD)
        tensors |= stored_weights(as_arrays(model.head_weights_by_name()), table, sizes)
        kind = (head.architecture, head.problem_type)
        rate = classifier_dropout(model.hugging_face_settings())
        settings["pooler_dropout"] = config.dropout if rate is None else rate
        settings["num_classes"] = len(tensors[table[-1].sources[0]])
    config = config.replace(tie_word_embeddings=tensors[matrix] is embedding)
    return {
        "args": fairseq_settings.args_of(config, kind=kind, **settings),
        "model": OrderedDict(tensors),
        "optimizer_history": [
            {
                "criterion_name": "",
                "optimizer_name": "",
                "lr_scheduler_state": {},
                "num_updates": 0,
            }
        ],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }


def _untrained_lm_head(config: RobertaConfig) -> dict[str, np.ndarray]:
    """The head for masked tokens without which fairseq loads no model."""
    hidden, head = config.hidden_dim, f"encoder.{names.LM_HEAD}"
    return {
        f"{head}dense.weight": np.zeros((hidden, hidden), np.float32),
        f"{head}dense.bias": np.zeros(hidden, np.float32),
        f"{head}layer_norm.weight": np.ones(hidden, np.float32),
        f"{head}layer_norm.bias": np.zeros(hidden, np.float32),
        f"{head}bias": np.zeros(config.vocabulary_size, np.float32),
    }
