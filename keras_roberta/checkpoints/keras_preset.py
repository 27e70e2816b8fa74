"""What `save_to_preset` writes: KerasHub's layout, with the tokenizer in Hugging Face's files."""

import pathlib

from keras_roberta.checkpoints.protocol import Checkpoint, CheckpointFormat
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.replacing import files_within
from keras_roberta.tokenizers import open_tokenizer

_HINT = "is this a model's directory?"


class KerasPreset(Checkpoint):
    """`config.json`, `model.weights.h5`, `task.json`, `task.weights.h5`, `assets/tokenizer/`."""

    def __init__(self, format: "KerasPresetFormat", directory: pathlib.Path):
        self.format, self.directory = format, directory
        values = read_json_object(directory / "config.json", hint=_HINT)
        settings = values.get("config")
        if not isinstance(settings, dict) or not isinstance(settings.get("config"), dict):
            raise InputError(
                f"{directory}/config.json: is a {values.get('registered_name')}, not a preset of "
                "keras_roberta"
            )
        self.config = RobertaConfig.from_dict(settings["config"])
        self.backbone_settings = {
            "optional_inputs": settings.get("optional_inputs", ()),
            **_quantization(settings),
        }

    def load_backbone_weights(self, backbone):
        path = self.directory / "model.weights.h5"
        if not path.exists():
            path = self.directory / "model.weights.json"  # sharded
        _load_weights(backbone.load_weights, path)

    @property
    def head_name(self):
        saved_as, _ = self._task()
        return saved_as and saved_as.rpartition(">")[2]

    def task_settings(self, cls):
        saved_as, settings = self._task()
        if saved_as is None:
            return None
        if saved_as != _registered_name(cls):
            settings = cls.settings_from_other_task(saved_as, settings)
        if settings is None:
            return None
        settings = dict(settings)
        preprocessor = settings.get("preprocessor")
        settings["preprocessor"] = preprocessor and preprocessor["config"]
        backbone = settings.pop("backbone", None)
        settings["backbone"] = _quantization(backbone["config"]) if backbone else {}
        return {k: v for k, v in settings.items() if k != "name"}

    def preprocessor_settings(self):
        _, settings = self._task()
        preprocessor = (settings or {}).get("preprocessor")
        return dict(preprocessor["config"]) if preprocessor else {}

    def load_head(self, task):
        if task.has_task_weights():
            _load_weights(task.load_task_weights, self.directory / "task.weights.h5")

    def heads_unread_by(self, cls):
        saved_as, settings = self._task()
        if saved_as is None:
            return []
        if cls is None:
            return [self.head_name]
        if saved_as == _registered_name(cls):
            return []
        return cls.heads_left_out_of(saved_as, settings)

    def tokenizer(self):
        return open_tokenizer(self.directory / "assets" / "tokenizer")

    def _task(self):
        """Registered name and constructor arguments of the saved task; (None, None) without."""
        path = self.directory / "task.json"
        if not path.exists():
            return None, None
        saved = read_json_object(path, hint=_HINT)
        name, settings = saved.get("registered_name"), saved.get("config")
        if not isinstance(name, str) or not isinstance(settings, dict):
            raise InputError(f"{path}: names no task; the preset is damaged")
        return name, settings


def _quantization(backbone_settings):
    """The `dtype` argument of a backbone that was saved quantised; nothing for another, whose
    weights are cast to the dtype asked for."""
    dtype = backbone_settings.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") == "DTypePolicyMap":
        import keras

        return {"dtype": keras.dtype_policies.get(dtype)}
    return {}


def _registered_name(cls):
    import keras  # here: to look into a preset takes no TensorFlow

    return keras.saving.get_registered_name(cls)


def _load_weights(load, path):
    if not path.exists():
        raise InputError(f"{path}: no such file; the preset is not complete")
    try:
        load(str(path))
    except (OSError, ValueError, KeyError) as error:
        reason = reason_of(error)
        raise InputError(f"{path}: does not hold this model's weights ({reason})") from error


class KerasPresetFormat(CheckpointFormat):
    """Presets of this library. Every head has a place."""

    name = "keras"
    summary = "a preset of this library, whose config.json has a registered_name"
    files = ("*.json", "*.weights.h5", "assets/tokenizer/*")
    parts = frozenset(
        {
            *("task.json", "task.weights.h5", "preprocessor.json"),
            *("model.weights.h5", "model.weights.json", "model_[0-9]*.weights.h5"),
            "assets/tokenizer/*",
        }
    )

    def detect(self, directory):
        path = directory / "config.json"
        return path.exists() and "registered_name" in read_json_object(path, hint=_HINT)

    def open(self, directory):
        return KerasPreset(self, directory)

    def write(self, model, directory, *, tokenizer=None, max_shard_size=10):
        """See `CheckpointFormat`.

        Args:
            max_shard_size: GB a weight file may have.
        """
        import keras_hub

        is_task = isinstance(model, keras_hub.models.Task)
        base = keras_hub.models.Task if is_task else keras_hub.models.Backbone
        base.save_to_preset(model, str(directory), max_shard_size=max_shard_size)
        if tokenizer is not None and getattr(model, "preprocessor", None) is None:
            backbone = model.backbone if is_task else model
            length = backbone.config.max_sequence_length
            tokenizer.save(directory / "assets" / "tokenizer", model_max_length=length)


def remove_preset(directory: pathlib.Path) -> None:
    """Removes a preset of ours from a directory; what else is there stays."""
    # The first makes a directory a preset, so that nothing takes the rest for one.
    for part in ("config.json", "metadata.json", *sorted(KerasPresetFormat.parts)):
        for path in files_within(directory, part):
            path.unlink()
