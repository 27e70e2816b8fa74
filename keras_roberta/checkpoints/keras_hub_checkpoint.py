"""Presets of KerasHub's RoBERTa and XLM-R opened."""

from __future__ import annotations

import functools
import math
import pathlib
from typing import Any

import numpy as np

from keras_roberta.checkpoints import keras_hub_models as models
from keras_roberta.checkpoints.assign_weights import assign_weights
from keras_roberta.checkpoints.hdf5_weights import count_stored_numbers
from keras_roberta.checkpoints.hugging_face_names import encoder_weights
from keras_roberta.checkpoints.keras_weight_files import (
    load_weight_file,
    weight_files,
    weights_of,
)
from keras_roberta.checkpoints.preset_kinds import CONFIG
from keras_roberta.checkpoints.protocol import Checkpoint, CheckpointFormat, naming
from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import (
    OBJECT,
    TEXT,
    TRUTH,
    Maybe,
    Number,
    Record,
    Whole,
    short,
)
from keras_roberta.tokenizers.keras_hub_files import read_tokenizer

_HINT = "is this a preset's directory?"
_HEAD_WEIGHTS = "task.weights.h5"
_SIZES = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
_BACKBONE = Record(
    {name: Whole(1) for name in _SIZES},
    {"max_sequence_length": Whole(1), "dropout": Number(0, 1)},
)
_TASK = Record(
    {"registered_name": TEXT, "config": OBJECT},
    {
        "config": Record(
            {},
            {
                "num_classes": Whole(1, 1 << 24),
                "hidden_dim": Maybe(Whole(1, 1 << 16)),
                "dropout": Number(0, 1),
                "pooling_mode": TEXT,
                "normalize": TRUTH,
            },
        )
    },
)
_PREPROCESSOR = Record({}, {"config": Record({}, {"sequence_length": Maybe(Whole(3))})})
# The activations on the outputs of a classifier, and what Transformers calls its problem; None
# stands for one output or several.
_PROBLEMS = {
    None: None,
    "linear": None,
    "softmax": "single_label_classification",
    "sigmoid": "multi_label_classification",
}
_POOLINGS = ("mean", "cls")


class KerasHubPreset(Checkpoint):
    """`config.json`, `model.weights.h5`, `task.json`, `task.weights.h5`, `assets/tokenizer/`."""

    def __init__(self, format: CheckpointFormat, directory: pathlib.Path):
        self.format, self.directory = format, directory
        path = directory / "config.json"
        values = read_json_object(path, CONFIG, hint=_HINT)
        name = values["registered_name"].partition(">")[2]
        known = {f"{family}Backbone": family for family in models.FAMILIES}
        if name not in known:
            raise InputError(
                f"{path}: registered_name is {short(values['registered_name'])}; of KerasHub's "
                f"models this library reads {', '.join(known)}"
            )
        self._family = known[name]
        if problem := _BACKBONE.problem(values.get("config"), "config"):
            raise InputError(f"{path}: {problem}")
        with naming(path):
            self.config = models.config_of(values["config"])
        self.backbone_settings = {}

    # The encoder

    def check_backbone(self):
        there = sum(count_stored_numbers(path) for path in weight_files(self.directory))
        needed = (
            sum(
                len(weight.sources) * math.prod(weight.shape)
                for weight in encoder_weights(self.config)
            )
            - (self.config.pad_token_id + 1) * self.config.hidden_dim
        )
        if needed > there:
            raise InputError(
                f"{self.directory}: config.json makes an encoder of {needed:,} numbers, and its "
                f"weights have {there:,}; they are not of one model"
            )

    def load_backbone_weights(self, backbone):
        theirs = models.backbone_of(self._family, self.config)
        load_weight_file(theirs.load_weights, weights_of(self.directory), theirs.weights)
        assign_weights(backbone.weights_by_name(), models.read_encoder(theirs, self.config))

    # The head

    @functools.cached_property
    def _task(self) -> tuple[str | None, dict[str, Any]]:
        """The kind of the saved task, such as "MaskedLM", and its arguments; (None, {}) without."""
        path = self.directory / "task.json"
        if not path.exists():
            return None, {}
        saved = read_json_object(path, _TASK, hint=_HINT)
        name = saved["registered_name"].partition(">")[2]
        kind = name.removeprefix(self._family)
        kinds = (*models.HEADS, models.EMBEDDER)
        if kind == "Classifier":  # as KerasNLP called it
            kind = models.CLASSIFIER
        return (kind if kind in kinds else name), saved["config"]

    @property
    def head_name(self):
        kind, settings = self._task
        try:
            if kind == models.CLASSIFIER and self._problem_type() is None:
                return f"{kind} of one output with {settings['activation']}"
        except InputError:  # `task_settings` says it to those who want the head
            pass
        return kind

    def _problem_type(self) -> str | None:
        """What Transformers calls the problem of a classifier; None where no task here has it."""
        _, settings = self._task
        activation, outputs = settings.get("activation"), settings.get("num_classes", 0)
        path = self.directory / "task.json"
        if not isinstance(activation, (str, type(None))) or activation not in _PROBLEMS:
            raise InputError(
                f"{path}: config.activation is {short(activation)}; this library reads "
                f"{', '.join(str(name) for name in _PROBLEMS)}"
            )
        if not outputs:
            raise InputError(f"{path}: config.num_classes: missing")
        several = _PROBLEMS[activation] or "single_label_classification"
        if outputs > 1:
            return several
        return "regression" if _PROBLEMS[activation] is None else None

    def _is_head_of(self, head) -> bool:
        kind, _ = self._task
        if kind == models.EMBEDDER:
            return not head.marks
        if head.architecture != models.ARCHITECTURES.get(kind):
            return False
        return kind != models.CLASSIFIER or head.problem_type == self._problem_type()

    def task_settings(self, cls):
        head = cls.hugging_face
        if head is None or not self._is_head_of(head):
            return None
        kind, settings = self._task
        path = self.directory / "task.json"
        if kind == models.EMBEDDER:
            pooling = settings.get("pooling_mode", "mean")
            if pooling not in _POOLINGS:
                raise InputError(
                    f"{path}: config.pooling_mode is {short(pooling)}; this library has "
                    f"{', '.join(_POOLINGS)}"
                )
            values = {"pooling": pooling, "normalize": settings.get("normalize", True)}
            values["preprocessor"] = self.preprocessor_settings()
            return cls.settings_from_hugging_face({}, values)
        self._check_head()
        with naming(path):
            found = cls.settings_from_hugging_face(self._zeros(), self._values())
        if kind == models.CLASSIFIER:
            width = settings.get("hidden_dim") or self.config.hidden_dim
            found |= {"hidden_dim": None if width == self.config.hidden_dim else width}
            if settings.get("activation") not in (None, "linear"):
                found["activation"] = settings["activation"]
        found["preprocessor"] = {**found.get("preprocessor", {}), **self.preprocessor_settings()}
        return found

    def _check_head(self):
        """Raises an InputError if the settings make a larger head than there are weights for."""
        # Whole numbers too: KerasHub saves its optimizer along.
        there = count_stored_numbers(self.directory / _HEAD_WEIGHTS, whole_numbers=True)
        needed = sum(zeros.size for zeros in self._zeros().values())
        if needed > there:
            raise InputError(
                f"{self.directory}: task.json makes a head of {needed:,} numbers, and "
                f"{_HEAD_WEIGHTS} has {there:,}; they are not of one model"
            )

    def _values(self):
        """What a `config.json` of Hugging Face would say of the head."""
        kind, settings = self._task
        if kind != models.CLASSIFIER:
            return {}
        return {"classifier_dropout": settings.get("dropout", 0.0)}

    def _zeros(self):
        """Zeros in the shapes of the head's weights by our names; none is read."""
        kind, settings = self._task
        hidden, vocabulary = self.config.hidden_dim, self.config.vocabulary_size
        shapes = {"dense/kernel": (hidden, hidden), "dense/bias": (hidden,)}
        if kind == models.MASKED_LM:
            shapes |= {"layer_norm/gamma": (hidden,), "layer_norm/beta": (hidden,)}
            shapes["bias"] = (vocabulary,)
        else:
            width = settings.get("hidden_dim") or hidden
            outputs = settings["num_classes"]
            shapes = {"dense/kernel": (hidden, width), "dense/bias": (width,)}
            shapes |= {"out/kernel": (width, outputs), "out/bias": (outputs,)}
        zero = np.float32(0)
        return {name: np.broadcast_to(zero, shape) for name, shape in shapes.items()}

    def preprocessor_settings(self):
        path = self.directory / "preprocessor.json"
        if not path.exists():
            return {}
        found = read_json_object(path, _PREPROCESSOR, hint=_HINT).get("config", {})
        length = found.get("sequence_length")
        return {} if length is None else {"sequence_length": length}

    def load_head(self, task):
        kind, settings = self._task
        if kind == models.EMBEDDER:
            return
        arguments = {}
        if kind == models.CLASSIFIER:
            arguments = {name: settings.get(name) for name in ("num_classes", "hidden_dim")}
        # The smallest encoder on which KerasHub makes this head.
        encoder = models.backbone_of(self._family, self.config.replace(num_layers=1))
        theirs = models.class_named(self._family + kind)(encoder, **arguments)
        theirs.optimizer = None  # whose state is not wanted
        of_encoder = {id(weight) for weight in encoder.weights}
        of_head = [weight for weight in theirs.weights if id(weight) not in of_encoder]
        load_weight_file(theirs.load_task_weights, self.directory / _HEAD_WEIGHTS, of_head)
        assign_weights(task.head_weights_by_name(), models.read_head(theirs, kind))

    def heads_unread_by(self, cls):
        return [self.head_name] if cls is None and self.head_name is not None else []

    def tokenizer(self):
        return read_tokenizer(self.directory)
