"""Where a model comes from: our own preset directory, or a Hugging Face one as downloaded.

Both kinds answer the same questions, so that a model asks for its parts without knowing which it
reads.
"""

import json
import logging
import math
import pathlib
import shutil

import keras
import numpy as np

from keras_roberta.checkpoints.hugging_face import (
    load_encoder_weights,
    read_config,
    write_checkpoint,
)
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.hub import local_directory
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.tokenizer_files import TOKENIZER_FILES

# What to download of a repository.
PRESET_FILES = ["*.json", "*.txt", "*.safetensors", "pytorch_model*.bin", "*.weights.h5"]
PRESET_FILES += ["assets/tokenizer/*"]
# What a preset consists of, depending on its kind and size.
PRESET_PARTS = {"task.json", "task.weights.h5", "model.weights.h5", "model.weights.json"}

_REST_OF_A_PRESET = 1 << 23  # bytes, more than a tokenizer takes

logger = logging.getLogger("keras_roberta")


def open_preset(source):
    """Opens a preset.

    Args:
        source: a directory, or "hf://organisation/name".

    Returns:
        `KerasPreset` or `HuggingFacePreset`.

    Raises:
        InputError: no such directory, or it holds no preset.
    """
    directory = local_directory(source, PRESET_FILES)
    config = read_json(directory / "config.json")
    if "registered_name" in config:
        return KerasPreset(directory, config)
    return HuggingFacePreset(directory)


def read_json(path):
    """The object in a JSON file, or an InputError that names it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; is this a model directory?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: should hold a JSON object, holds a {type(values).__name__}")
    return values


def remove_preset(directory):
    """Removes a preset of ours from a directory; what else is there stays."""
    # The first makes a directory a preset, so that nothing takes the rest for one.
    parts = ["config.json", "metadata.json", *sorted(PRESET_PARTS)]
    parts += [path.name for path in directory.glob("model_[0-9]*.weights.h5")]  # sharded
    parts += [f"assets/tokenizer/{name}" for name in TOKENIZER_FILES]
    for part in parts:
        (directory / part).unlink(missing_ok=True)


class KerasPreset:
    """What `save_to_preset` wrote: KerasHub's layout, with the tokenizer in Hugging Face's files.

    `config.json`, `model.weights.h5`, `task.json`, `task.weights.h5`, `assets/tokenizer/`.
    """

    def __init__(self, directory, config):
        self.directory = directory
        self._config = config
        if "config" not in config.get("config", {}):
            raise InputError(
                f"{directory}/config.json: is a {config['registered_name']}, not a preset of "
                "keras_roberta"
            )
        self.config = RobertaConfig.from_dict(config["config"]["config"])

    @property
    def backbone_settings(self):
        """Arguments of `RobertaBackbone` besides the config."""
        return {"optional_inputs": self._config["config"].get("optional_inputs", ())}

    def load_backbone_weights(self, backbone):
        path = self.directory / "model.weights.h5"
        if not path.exists():
            path = self.directory / "model.weights.json"  # sharded
        _load_weights(backbone.load_weights, path)

    def task_settings(self, cls):
        """Constructor arguments of the saved task if it has the head of a `cls`, else None."""
        path = self.directory / "task.json"
        saved = read_json(path) if path.exists() else {}
        saved_as, settings = saved.get("registered_name"), saved.get("config")
        if saved_as != keras.saving.get_registered_name(cls):
            settings = cls.settings_from_other_task(saved_as, settings)
        if settings is None:
            return None
        settings = dict(settings)
        preprocessor = settings.get("preprocessor")
        settings["preprocessor"] = preprocessor and preprocessor["config"]
        return {k: v for k, v in settings.items() if k not in ("backbone", "name")}

    def load_head(self, task):
        if task.has_task_weights():
            _load_weights(task.load_task_weights, self.directory / "task.weights.h5")

    def tokenizer(self):
        return open_tokenizer(self.directory / "assets" / "tokenizer")


def _load_weights(load, path):
    if not path.exists():
        raise InputError(f"{path}: no such file; the preset is not complete")
    try:
        load(str(path))
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: does not hold this model's weights ({first_line})") from error


class HuggingFacePreset:
    """A Hugging Face checkpoint as downloaded: config.json, weights, tokenizer."""

    backbone_settings = {}

    def __init__(self, directory):
        self.directory = directory
        self._values = read_config(directory)
        self.config = RobertaConfig.from_hugging_face(self._values)
        self._tensors = None

    @property
    def tensors(self):
        """The state dict, each array read when asked for."""
        if self._tensors is None:
            self._tensors = open_state_dict(self.directory)
        return self._tensors

    def load_backbone_weights(self, backbone):
        assign_weights(backbone.weights_by_name(), load_encoder_weights(self.tensors, self.config))

    def task_settings(self, cls):
        """Constructor arguments for a `cls` that the checkpoint has a head of, else None."""
        head = cls.read_hugging_face_head(self.tensors)
        if head is None:
            return None
        names = self._values.get("id2label") or {}
        labels = [names[key] for key in sorted(names, key=int)]
        if all(label == f"LABEL_{i}" for i, label in enumerate(labels)):
            labels = None  # Transformers' placeholders
        return cls.settings_from_hugging_face(head, labels)

    def load_head(self, task):
        assign_weights(task.head_weights_by_name(), task.read_hugging_face_head(self.tensors))

    def tokenizer(self):
        return open_tokenizer(self.directory)


def assign_weights(variables, arrays):
    """Assigns arrays to the variables of the same names.

    Raises:
        InputError: names the first weight that is missing or has another shape.
    """
    for name, variable in variables.items():
        if name not in arrays:
            raise InputError(f"the checkpoint lacks the weight {name}")
        if tuple(arrays[name].shape) != tuple(variable.shape):
            raise InputError(
                f"weight {name}: the checkpoint's shape is {tuple(arrays[name].shape)}, the "
                f"model's {tuple(variable.shape)}"
            )
        variable.assign(arrays[name])


class PresetMixin:
    """Saving for models that extend a KerasHub base; goes before it in the bases."""

    def save_to_preset(self, preset_dir, max_shard_size=10):
        """Writes a preset directory that `from_preset` reads.

        The files are written beside `preset_dir` and moved into it when all are there.

        Args:
            preset_dir: path of the directory; other files in it stay.
            max_shard_size: GB a weight file may have.

        Raises:
            InputError: there is no room for it.
        """
        preset_dir = pathlib.Path(preset_dir)
        replaces = (preset_dir / "config.json").exists()
        with atomic_directory(preset_dir) as directory:
            _check_room(directory, self.weights, preset_dir)
            super().save_to_preset(str(directory), max_shard_size=max_shard_size)
            written = {path.name for path in directory.iterdir()}
        if replaces:  # A part that only the old preset had would be read with the new ones.
            for name in PRESET_PARTS - written:
                (preset_dir / name).unlink(missing_ok=True)

    def save_to_hugging_face(self, directory):
        """Writes a directory that Transformers loads with `from_pretrained`.

        `config.json`, `model.safetensors` in float32, and where the model has a tokenizer its
        files. They are written beside `directory` and moved into it when all are there.
        """
        backbone = getattr(self, "backbone", self)
        architecture, settings, head = self.hugging_face_head()
        with atomic_directory(directory) as temporary:
            write_checkpoint(
                temporary,
                backbone.config,
                architecture,
                _arrays(backbone.weights_by_name()),
                {name: _arrays(weights) for name, weights in head.items()},
                settings,
            )
            if getattr(self, "preprocessor", None) is not None:
                self.preprocessor.tokenizer.save(temporary)

    def hugging_face_head(self):
        """What Transformers calls this model.

        Returns:
            the class there; more entries of its `config.json`; a dict with the head's weights by
            our names, under the argument that `checkpoints.hugging_face.to_hugging_face` takes
            them as.
        """
        return "RobertaModel", {}, {}


def _check_room(directory, weights, preset_dir):
    # Beforehand: HDF5 does not report every write that fails.
    needed = 4 * sum(math.prod(weight.shape) for weight in weights) + _REST_OF_A_PRESET
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise InputError(
            f"{preset_dir}: cannot be written: it takes {needed / 1e6:,.0f} MB, and "
            f"{free / 1e6:,.0f} are free; make room and run it again"
        )


def _arrays(variables):
    return {name: np.asarray(variable, "float32") for name, variable in variables.items()}
