"""Checkpoints of Hugging Face's Transformers: read as downloaded, and written."""

import functools
import json
import os
import pathlib

import numpy as np

from keras_roberta.checkpoints import sentence_transformers
from keras_roberta.checkpoints.hugging_face_families import family_of, roberta_architecture
from keras_roberta.checkpoints.hugging_face_labels import id2label, label_names
from keras_roberta.checkpoints.hugging_face_names import (
    HEAD_TENSORS,
    PROBLEM_TYPES,
    WITH_POOLER,
    HuggingFaceHead,
)
from keras_roberta.checkpoints.hugging_face_weights import (
    check_encoder,
    has_own_output_matrix,
    head_and_pooler,
    load_encoder_into,
    load_head_into,
    to_hugging_face,
    unwrapped,
    zeros_of_head,
)
from keras_roberta.checkpoints.protocol import (
    Checkpoint,
    CheckpointFormat,
    head_layers,
    logger,
    naming,
)
from keras_roberta.checkpoints.safetensors_files import MAX_SHARD_SIZE, WEIGHT_FILES, write_shards
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.checkpoints.variable_arrays import array_of
from keras_roberta.checkpoints.weight_table import listed
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import short
from keras_roberta.hugging_face_config import MODEL_TYPES, beyond_transformers
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.tokenizer_files import MODEL_FILES


def read_config(directory: str | os.PathLike) -> dict:
    """The content of `config.json`.

    Raises:
        InputError: it is missing or mangled, or of a model that is not RoBERTa's kind.
    """
    path = pathlib.Path(directory) / "config.json"
    config = read_json_object(path, hint="is this a model's directory?")
    if config.get("model_type") not in MODEL_TYPES:
        raise InputError(
            f"{path}: model_type is {short(config.get('model_type'))}; "
            f"supported are {', '.join(MODEL_TYPES)}"
        )
    return config


class HuggingFaceCheckpoint(Checkpoint):
    """`config.json`, weights and tokenizer, as downloaded.

    Which head there is comes from `architectures` and `problem_type` in the config, whose
    contradiction by the tensors is an error; from the names of the tensors only where the config
    has no `architectures`.
    """

    def __init__(self, format: "HuggingFaceFormat", directory: pathlib.Path):
        self.format, self.directory = format, directory
        self._values = read_config(directory)
        with naming(directory):
            self.config = RobertaConfig.from_hugging_face(self._values)
        self._family = family_of(self.config)
        if self.config.tie_word_embeddings and self._has_own_output_matrix():
            self.config = self.config.replace(tie_word_embeddings=False)
            logger.warning(
                "%s: the output matrix differs from the token embedding, so both are kept; set "
                "tie_word_embeddings to false in config.json",
                directory,
            )
        self.backbone_settings = {}

    @functools.cached_property
    def tensors(self):
        """The state dict, each array read when asked for."""
        tensors = open_state_dict(self.directory)
        with naming(self.directory):
            return unwrapped(tensors, self._family)

    def _has_own_output_matrix(self):
        try:
            return has_own_output_matrix(self.tensors, self._family)
        except InputError:
            return False  # `tensors` says it again where weights are asked for

    @functools.cached_property
    def _head_tensors(self) -> list[str]:
        return head_and_pooler(self.tensors, self._family)[0]

    @functools.cached_property
    def _pooler(self) -> list[str]:
        return head_and_pooler(self.tensors, self._family)[1]

    @property
    def _uses_pooler(self) -> bool:
        """Whether its head computes on the pooler. Where the config does not say which head it is,
        a linear layer of one output does: of tokens it would have two or more."""
        if self._architecture is not None:
            return self._architecture in WITH_POOLER
        weight = "classifier.weight"
        return weight in self._head_tensors and self.tensors.shape(weight)[:1] == (1,)

    def check_backbone(self):
        tensors = self.tensors
        with naming(self.directory):
            check_encoder(tensors, self.config)

    def load_backbone_weights(self, backbone):
        tensors = self.tensors
        with naming(self.directory):
            load_encoder_into(backbone.weights_by_name(), tensors, self.config)

    @property
    def head_name(self):
        name = self._architecture
        if name is None:
            return listed(self._named(self._head_tensors)) or None
        if HEAD_TENSORS.get(name) == ():
            return sentence_transformers.NAME if self._makes_vectors else None
        problem_type = self._values.get("problem_type")
        return f"{name} ({problem_type})" if problem_type else name

    def preprocessor_settings(self):
        with naming(self.directory):
            return {"labels": label_names(self._values)}

    def task_settings(self, cls):
        head = cls.hugging_face
        if head is None or not self._has(head):
            return None
        if not head.marks:
            modules = sentence_transformers.read_modules(self.directory)
            return cls.settings_from_hugging_face({}, {**self._values, **modules})
        tensors = self.tensors
        with naming(self.directory):
            arrays = zeros_of_head(tensors, head, self.config)
            return cls.settings_from_hugging_face(arrays, self._values)

    def load_head(self, task):
        tensors = self.tensors
        with naming(self.directory):
            load_head_into(task.head_weights_by_name(), tensors, task.hugging_face, self.config)

    def heads_unread_by(self, cls):
        read = cls.hugging_face.tensor_names() if cls is not None else set()
        left_over = [name for name in self._head_tensors if name not in read]
        names = self._named(left_over)
        if cls is None and not left_over and self.head_name is not None:
            names = [self.head_name]  # announced in the config
        return names

    def unused_weights(self):
        return [] if self._uses_pooler else self._pooler

    def tokenizer(self):
        return open_tokenizer(self.directory)

    # Which head it is

    @property
    def _makes_vectors(self) -> bool:
        """Whether it is meant for vectors of texts, which takes no head."""
        return sentence_transformers.has_modules(self.directory)

    @functools.cached_property
    def _architecture(self) -> str | None:
        """The class in Transformers; None where the config does not say."""
        names = self._values.get("architectures")
        if self._makes_vectors and not self._head_tensors:
            return "RobertaModel"  # some say what the encoder was pre-trained as
        if names is None or names == []:
            return None
        if not isinstance(names, list) or not isinstance(names[0], str):
            raise InputError(
                f"{self.directory}/config.json: architectures must be a list of class names; "
                f"got {short(names)}"
            )
        return roberta_architecture(names[0])

    def _has(self, head: HuggingFaceHead) -> bool:
        """Whether the checkpoint's head is this one."""
        if not head.marks:  # vectors need no head, but have to be meant
            return self._makes_vectors
        architecture = self._architecture
        if architecture is None:
            if not any(name.startswith(head.marks) for name in self._head_tensors):
                return False
            if head.marks == HEAD_TENSORS[WITH_POOLER[0]] and head.with_pooler != self._uses_pooler:
                return False
        else:
            is_this = architecture == head.architecture
            self._check_tensors(head.marks if is_this else HEAD_TENSORS.get(architecture))
            if not is_this:
                return False
        return head.problem_type is None or self._problem_type(head) == head.problem_type

    def _check_tensors(self, marks: tuple[str, ...] | None) -> None:
        """Raises an InputError if the config announces another head than the tensors are of.

        Args:
            marks: what the tensors' names should begin with; () for no head, None if unknown.
        """
        found = self._head_tensors
        if marks is None or (not marks and not found):
            return
        if marks and any(name.startswith(marks) for name in found):
            return
        says = f"{self.directory}: config.json says {self._architecture}, but the weights hold"
        if not found:
            raise InputError(
                f"{says} no head; give num_classes (or load_head=False) for a new head; convert "
                "takes drop_heads=True (--drop-heads)"
            )
        raise InputError(
            f"{says} the head {listed(self._named(found))}; correct architectures in config.json"
        )

    def _problem_type(self, head: HuggingFaceHead) -> str:
        """As Transformers takes it; with the number of outputs where no task here has so many."""
        found = self._values.get("problem_type")
        if found not in (None, *PROBLEM_TYPES):
            raise InputError(
                f"{self.directory}/config.json: problem_type is {short(found)}; expected one of "
                f"{', '.join(PROBLEM_TYPES)}"
            )
        source = head.weights()[-1].sources[0]
        shape = self.tensors.shape(source) if source in self.tensors else ()
        outputs = shape[0] if shape else None  # `load_head` names what is missing
        with naming(self.directory):
            named = len(id2label(self._values))
        if named and outputs is not None and named != outputs:
            raise InputError(
                f"{self.directory}: config.json names {named} labels, but {source} has {outputs}"
            )
        if found is None:
            return "regression" if outputs == 1 else "single_label_classification"
        if outputs is not None and (found == "regression") != (outputs == 1):
            return found if found == "multi_label_classification" else f"{found} of {outputs}"
        return found

    def _named(self, tensors: list[str]) -> list[str]:
        """The heads that tensors belong to, by Transformers' names, and the tensors of others."""
        names, rest = [], set(tensors)
        for marks in dict.fromkeys(HEAD_TENSORS.values()):
            belonging = {name for name in tensors if marks and name.startswith(marks)}
            if not belonging:
                continue
            rest -= belonging
            classes = [name for name, other in HEAD_TENSORS.items() if other == marks]
            if self._architecture in classes:
                classes = [self._architecture]
            problem_type = self._values.get("problem_type")
            if problem_type and classes == [self._architecture]:
                classes = [f"{self._architecture} ({problem_type})"]
            names.append(f"{' or '.join(classes)}: {listed(sorted(belonging))}")
        return names + sorted(rest)


class HuggingFaceFormat(CheckpointFormat):
    """Directories for `from_pretrained` in Transformers."""

    name = "hugging-face"
    summary = "a Hugging Face checkpoint, whose config.json has a model_type"
    files = ("*.json", "*.txt", "*.safetensors", "pytorch_model*.bin", *MODEL_FILES)
    parts = frozenset({*sentence_transformers.FILES, *WEIGHT_FILES})
    shards = True

    def detect(self, directory):
        path = directory / "config.json"
        return path.exists() and "model_type" in read_json_object(path, hint="")

    def open(self, directory):
        return HuggingFaceCheckpoint(self, directory)

    def options_left_out(self, config):
        return beyond_transformers(config)

    def heads_left_out(self, model):
        head = model.hugging_face
        return head_layers(model, {} if head is None else model.head_weights_by_name())

    def write(self, model, directory, *, tokenizer=None, max_shard_size=MAX_SHARD_SIZE):
        """See `CheckpointFormat`. `config.json`, and the weights in the dtype of the variables."""
        backbone = getattr(model, "backbone", model)
        config, weights = backbone.config, _arrays(backbone.weights_by_name())
        if not config.num_token_types:  # Transformers always adds one; nothing is a row of zeros.
            config = config.replace(num_token_types=1)
            of_rows = weights["embeddings/token"].dtype
            weights["embeddings/token_type"] = np.zeros((1, config.hidden_dim), of_rows)
        head = model.hugging_face
        head_weights = {} if head is None else _arrays(model.head_weights_by_name())
        architecture = head.architecture if head_weights else "RobertaModel"
        values = {
            "architectures": [family_of(config).architecture(architecture)],
            **config.to_hugging_face(),
            "dtype": str(weights["embeddings/token"].dtype),
        }
        if head_weights:
            if head.problem_type is not None:
                values["problem_type"] = head.problem_type
            values |= model.hugging_face_settings()
        if tokenizer is not None:
            values["bos_token_id"] = tokenizer.start_token_id
            values["eos_token_id"] = tokenizer.end_token_id
        for name, content in {"config.json": values, **model.hugging_face_files()}.items():
            (directory / name).parent.mkdir(exist_ok=True)
            text = json.dumps(content, indent=2) + "\n"
            (directory / name).write_text(text, encoding="utf-8")
        table = head.weights_of(config) if head_weights else []
        tensors = to_hugging_face(weights, config, table, head_weights)
        write_shards(directory, tensors, max_shard_size)
        if tokenizer is not None:
            tokenizer.save(directory, model_max_length=config.max_sequence_length)


def _arrays(variables):
    return {name: array_of(variable) for name, variable in variables.items()}
