"""Checkpoints of fairseq opened: `model.pt`, `dict.txt` and a tokenizer's files."""

from __future__ import annotations

import functools
import pathlib
from typing import Any, NamedTuple

import numpy as np

from keras_roberta.checkpoints import fairseq_names as names
from keras_roberta.checkpoints import fairseq_settings
from keras_roberta.checkpoints.protocol import Checkpoint, CheckpointFormat, naming
from keras_roberta.checkpoints.tensor_files import StateDict, named_views
from keras_roberta.checkpoints.torch_pickle import read_torch_file
from keras_roberta.checkpoints.weight_table import (
    check_shapes,
    find_sources,
    listed,
    load_into,
    zeros_like,
)
from keras_roberta.errors import InputError
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.fairseq_dictionary import num_ids, read_names
from keras_roberta.tokenizers.fairseq_files import check_dictionary

MODEL = "model.pt"
FILES = (MODEL, "checkpoint_best.pt", "checkpoint_last.pt")  # as `fairseq-train` names them
DICTIONARY = "dict.txt"
LABELS = "label/dict.txt"  # where the task sentence_prediction looks for names of classes


def files_in(directory: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoints in a directory, the one to be opened first."""
    return [directory / name for name in FILES if (directory / name).exists()]


class _Head(NamedTuple):
    """A head of the checkpoint, by the names that Transformers has for its kind."""

    name: str  # of a classification head; "" for the one for masked tokens
    architecture: str
    problem_type: str | None


class FairseqCheckpoint(Checkpoint):
    """`model.pt` with its `args` or `cfg`, `dict.txt` and the tokenizer's files.

    The head is a classification head where there is one, else the one for masked tokens: every
    checkpoint has that, also one that was fine-tuned. One whose first matrix is all zeros was never
    trained, and is passed over.
    """

    def __init__(self, format: CheckpointFormat, directory: pathlib.Path):
        self.format, self.directory = format, directory
        self.path = files_in(directory)[0]
        content = read_torch_file(self.path)
        with naming(self.path):
            if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
                raise InputError("holds no 'model'; it is no checkpoint of fairseq")
            self._settings = fairseq_settings.read_settings(content)
            state = StateDict(named_views(content["model"]))
            self._front = self._front_of(state)
            self.tensors = names.with_single_projections(state)
            self.config = self._config()
        self.backbone_settings = {}

    def _front_of(self, state):
        front = names.front_of(state)
        settings, place = self._settings, self._settings["place"]
        if front is None:
            raise InputError(
                f"is a {settings.get('arch')!r:.60} ({place}.arch), not a RoBERTa: it lacks "
                f"encoder.{names.TOKEN_EMBEDDING}"
            )
        if f"{front}.{names.FINAL_NORM}" in state:
            raise InputError(
                "its layer norm comes before each block (pre-LN; as in XLM-R XL, "
                f"{place}.encoder_normalize_before), which is not read from fairseq's checkpoints: "
                f"{front}.{names.FINAL_NORM}"
            )
        return front

    def _config(self):
        rows = {}
        for name in (names.TOKEN_EMBEDDING, names.POSITION_EMBEDDING):
            name = f"{self._front}.{name}"
            if name not in self.tensors:
                raise InputError(f"the checkpoint lacks {name}")
            shape = self.tensors.shape(name)
            if len(shape) != 2:
                raise InputError(f"{name} has the shape {shape}; expected two sizes")
            rows[name] = shape[0]
        vocabulary_size, num_positions = rows.values()
        return fairseq_settings.config_of(
            self._settings,
            vocabulary_size=vocabulary_size,
            num_positions=num_positions,
            tied=not self._has_own_output_matrix(),
        )

    def _has_own_output_matrix(self):
        matrix = f"{self._front}.{names.OUTPUT_MATRIX}"
        embedding = f"{self._front}.{names.TOKEN_EMBEDDING}"
        if matrix not in self.tensors or self.tensors.at_one_place(matrix, embedding):
            return False
        return not self.tensors.same_numbers(matrix, embedding)

    # The encoder

    def check_backbone(self):
        with naming(self.path):
            self._encoder_sources()

    def load_backbone_weights(self, backbone):
        with naming(self.path):
            sources = self._encoder_sources()
            table = names.encoder_table(self.config, self._front)
            load_into(backbone.weights_by_name(), self.tensors, table, sources)

    def _encoder_sources(self):
        """The name of each tensor that the encoder is made of; none is read."""
        if self.config.num_layers > len(self.tensors):  # before a table is made that long
            raise InputError(
                f"{self._settings['place']}.encoder_layers is {self.config.num_layers}, but there "
                f"are {len(self.tensors)} tensors in all"
            )
        table = names.encoder_table(self.config, self._front)
        sources = find_sources(self.tensors, table)
        check_shapes(self.tensors, table, sources, {})
        known = {*sources.values(), *(f"{self._front}.{name}" for name in names.BUFFERS)}
        encoder = f"{self._front}.{names.ENCODER}"
        left_over = [n for n in self.tensors if n.startswith(encoder) and n not in known]
        if left_over:
            place = self._settings["place"]
            raise InputError(
                f"weights that its settings have no place for ({place}.encoder_layers is "
                f"{self.config.num_layers}): {listed(left_over)}"
            )
        return sources

    # The head

    @functools.cached_property
    def _classification_heads(self):
        return names.classification_heads(self.tensors)

    @functools.cached_property
    def _head(self) -> _Head | None:
        found = self._classification_heads
        if not found:
            return _Head("", names.MASKED_LM, None) if self._has_lm_head else None
        name = found[0]
        if len(found) > 1:
            fields = ("classification_head_name", "ranking_head_name")
            named = [self._settings.get(field) for field in fields]
            name = next((name for name in (*named, fairseq_settings.DEFAULT_HEAD) if name in found),
                        None)  # fmt: skip
        if name is None:
            raise InputError(
                f"{self.path}: has the heads {listed(found)}, and "
                f"{self._settings['place']}.classification_head_name names none of them"
            )
        bias = f"{names.HEADS}{name}.out_proj.bias"
        with naming(self.path):
            if bias not in self.tensors:
                raise InputError(f"the checkpoint lacks {bias}")
            shape = self.tensors.shape(bias)
            if len(shape) != 1:
                raise InputError(f"{bias} has the shape {shape}; expected one size")
        return _Head(name, *fairseq_settings.head_kind(self._settings, shape[0]))

    @functools.cached_property
    def _has_lm_head(self) -> bool:
        """Whether there is a head for masked tokens that was trained."""
        name = f"{self._front}.{names.LM_DENSE}"
        return name in self.tensors and bool(np.any(self.tensors[name]))

    @property
    def _lm_head_name(self):
        return f"{self._front}.{names.LM_HEAD.rstrip('.')}"

    @property
    def head_name(self):
        found = [f"{names.HEADS}{name}" for name in self._classification_heads]
        return listed(found) or (self._lm_head_name if self._has_lm_head else None)

    def preprocessor_settings(self):
        return {"labels": self._labels()}

    def _labels(self) -> list[str] | None:
        """The names of the classes; None where there are none, or they are their numbers."""
        path = self.directory / LABELS
        found = read_names(path) if path.exists() else []
        return None if found == [str(i) for i in range(len(found))] else found

    def task_settings(self, cls):
        head = cls.hugging_face
        if head is None or not head.marks or self._head is None:
            return None
        if head.architecture != self._head.architecture:
            return None
        if head.problem_type not in (None, self._head.problem_type):
            return None
        with naming(self.path):
            self._check_activation()
            table, sources = self._head_sources(head)
            arrays = zeros_like(self.tensors, table, sources)
            return cls.settings_from_hugging_face(arrays, self._values_of_head(arrays))

    def _check_activation(self):
        """Raises an InputError if the head computes with another function than those here."""
        is_lm_head = self._head.architecture == names.MASKED_LM
        field, usual = (
            ("activation_fn", "gelu")
            if is_lm_head
            else ("pooler_activation_fn", fairseq_settings.POOLER_ACTIVATION)
        )
        if self._settings[field] != usual:
            raise InputError(
                f"{self._settings['place']}.{field} is {self._settings[field]!r:.60}; the head "
                f"here has {usual!r}; convert takes drop_heads=True (--drop-heads)"
            )

    def _values_of_head(self, arrays) -> dict[str, Any]:
        """What a `config.json` of Hugging Face would say of the head."""
        if self._head.problem_type is None:
            return {}
        values: dict[str, Any] = {"classifier_dropout": self._settings["pooler_dropout"]}
        labels = self._labels()
        if labels and self._head.problem_type != "regression":
            outputs = len(arrays["out/bias"])
            if len(labels) != outputs:
                raise InputError(
                    f"{LABELS} names {len(labels)} classes, but "
                    f"{names.HEADS}{self._head.name}.out_proj.bias has {outputs}"
                )
            values["id2label"] = {str(i): name for i, name in enumerate(labels)}
        return values

    def _head_sources(self, head):
        table = names.head_table(head, self.config, self._head.name, self._front)
        sources = find_sources(self.tensors, table)
        sizes = {
            "hidden_dim": self.config.hidden_dim,
            "vocabulary_size": self.config.vocabulary_size,
        }
        check_shapes(self.tensors, table, sources, sizes)
        return table, sources

    def load_head(self, task):
        with naming(self.path):
            table, sources = self._head_sources(task.hugging_face)
            load_into(task.head_weights_by_name(), self.tensors, table, sources)

    def heads_unread_by(self, cls):
        read = None if cls is None else self._head.name
        heads = [f"{names.HEADS}{n}" for n in self._classification_heads if n != read]
        if cls is None and not heads and self._has_lm_head:
            heads = [self._lm_head_name]
        known = (names.HEADS, f"{self._front}.{names.ENCODER}", f"{self._lm_head_name}.")
        return heads + sorted(name for name in self.tensors if not name.startswith(known))

    def unused_weights(self):
        """The head for masked tokens that a fine-tuned checkpoint has from its pre-training."""
        return [self._lm_head_name] if self._classification_heads and self._has_lm_head else []

    def tokenizer(self):
        tokenizer = open_tokenizer(self.directory)
        path = self.directory / DICTIONARY
        if not path.exists():
            return tokenizer
        ids, rows = num_ids(path), self.config.vocabulary_size
        if ids != rows:
            raise InputError(
                f"{path}: gives {ids} ids, with <mask> and the four in front, but "
                f"{self._front}.{names.TOKEN_EMBEDDING} in {self.path.name} has {rows} rows; "
                "lines are missing, or it is of another model"
            )
        check_dictionary(path, tokenizer)
        return tokenizer
