"""What `save_to_preset` writes: KerasHub's layout, with the tokenizer in Hugging Face's files."""

import pathlib

from keras_roberta.checkpoints.activation_ranges import ActivationRanges
from keras_roberta.checkpoints.hdf5_weights import count_stored_numbers
from keras_roberta.checkpoints.keras_weight_files import (
    in_one_line,
    load_weight_file,
    weight_files,
    weights_of,
)
from keras_roberta.checkpoints.preset_kinds import BACKBONE, CONFIG, KERAS_HUB, TASK
from keras_roberta.checkpoints.protocol import Checkpoint, CheckpointFormat, naming
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.replacing import files_within
from keras_roberta.files.room import bytes_of
from keras_roberta.options import OptionError
from keras_roberta.options.sizes import GIGABYTE
from keras_roberta.tokenizers import open_tokenizer

_HINT = "is this a model's directory?"
_PACKED = 4  # numbers that a quantised model may hold in one that is stored


class KerasPreset(Checkpoint):
    """`config.json`, `model.weights.h5`, `task.json`, `task.weights.h5`, `assets/tokenizer/`."""

    def __init__(self, format: "KerasPresetFormat", directory: pathlib.Path):
        self.format, self.directory = format, directory
        path = directory / "config.json"
        values = read_json_object(path, CONFIG, hint=_HINT)
        settings = values.get("config")
        if not isinstance(settings, dict) or not isinstance(settings.get("config"), dict):
            name = values["registered_name"]
            raise InputError(f"{path}: is a {name:.60}, not a preset of keras_roberta")
        if problem := BACKBONE.problem(settings, "config"):
            raise InputError(f"{path}: {problem}")
        with naming(path):
            self.config = RobertaConfig.from_dict(settings["config"])
            self.backbone_settings = {
                "optional_inputs": settings.get("optional_inputs", ()),
                **_quantization(settings),
            }
            if settings.get("activation_ranges") is not None:
                ranges = ActivationRanges.from_dict(settings["activation_ranges"])
                self.backbone_settings["activation_ranges"] = ranges

    def check_backbone(self):
        quantized = "dtype" in self.backbone_settings
        files = weight_files(self.directory)
        there = sum(count_stored_numbers(path, whole_numbers=quantized) for path in files)
        needed = self.config.encoder_parameters
        if needed > there * (_PACKED if quantized else 1):
            raise InputError(
                f"{self.directory}: config.json makes an encoder of {needed:,} numbers, and its "
                f"weights have {there:,}; they are not of one model"
            )

    def load_backbone_weights(self, backbone):
        load_weight_file(backbone.load_weights, weights_of(self.directory), backbone.weights)

    @property
    def head_name(self):
        saved_as, _ = self._task()
        return saved_as and saved_as.rpartition(">")[2]

    def task_settings(self, cls):
        saved_as, settings = self._task()
        if saved_as is None:
            return None
        if saved_as != _registered_name(cls):
            try:
                settings = cls.settings_from_other_task(saved_as, settings)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise InputError(
                    f"{self.directory}/task.json: the preset is damaged (no {reason_of(error)})"
                ) from error
        if settings is None:
            return None
        settings = dict(settings)
        self._check_head(settings)
        preprocessor = settings.get("preprocessor")
        settings["preprocessor"] = preprocessor and preprocessor["config"]
        backbone = settings.pop("backbone", None)
        with naming(self.directory / "task.json"):
            settings["backbone"] = _quantization(backbone["config"]) if backbone else {}
        return {k: v for k, v in settings.items() if k != "name"}

    def preprocessor_settings(self):
        _, settings = self._task()
        preprocessor = (settings or {}).get("preprocessor")
        return dict(preprocessor["config"]) if preprocessor else {}

    def _check_head(self, settings):
        """Raises an InputError if the settings make a larger head than there are weights for."""
        path = self.directory / "task.weights.h5"
        outputs, width = settings.get("num_classes"), settings.get("hidden_dim")
        if not path.exists() or not (outputs or width):
            return
        needed = (outputs or 1) * (width or self.config.hidden_dim)
        there = count_stored_numbers(path, whole_numbers=True)
        if needed > there * _PACKED:
            raise InputError(
                f"{self.directory}: task.json makes a head of more than {needed:,} numbers, and "
                f"task.weights.h5 has {there:,}; they are not of one model"
            )

    def load_head(self, task):
        if not task.has_task_weights():
            return
        path = self.directory / "task.weights.h5"
        of_task = (self._task()[1] or {}).get("backbone")
        quantized = bool(of_task and _quantization(of_task["config"]))
        count_stored_numbers(path, whole_numbers=quantized)
        encoder = {id(weight) for weight in task.backbone.weights}
        of_head = [weight for weight in task.weights if id(weight) not in encoder]
        load_weight_file(task.load_task_weights, path, of_head)

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
        saved = read_json_object(path, TASK, hint=_HINT)
        return saved["registered_name"], saved["config"]


def _quantization(backbone_settings):
    """The `dtype` argument of a backbone that was saved quantised; nothing for another, whose
    weights are cast to the dtype asked for."""
    dtype = backbone_settings.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") == "DTypePolicyMap":
        import keras

        try:
            return {"dtype": keras.dtype_policies.get(dtype)}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"dtype: not a policy of Keras ({in_one_line(error)})") from error
    return {}


def _registered_name(cls):
    import keras  # here: to look into a preset takes no TensorFlow

    return keras.saving.get_registered_name(cls)


class KerasPresetFormat(CheckpointFormat):
    """Presets of this library. Every head has a place."""

    name = "keras"
    keeps_model_options = True
    summary = "a preset of this library, whose config.json has a registered_name"
    files = ("*.json", "*.weights.h5", "assets/tokenizer/*")
    parts = frozenset(
        {
            *("task.json", "task.weights.h5", "preprocessor.json"),
            *("model.weights.h5", "model.weights.json", "model_[0-9]*.weights.h5"),
            "assets/tokenizer/*",
        }
    )
    shards = True

    def detect(self, directory):
        path = directory / "config.json"
        if not path.exists():
            return False
        name = read_json_object(path, hint=_HINT).get("registered_name")
        return name is not None and str(name).partition(">")[0] not in KERAS_HUB

    def open(self, directory):
        return KerasPreset(self, directory)

    def write(self, model, directory, *, tokenizer=None, max_shard_size=10 * GIGABYTE):
        """See `CheckpointFormat`. Heads are in one file, however large.

        Args:
            max_shard_size: None for one file of any size.

        Raises:
            OptionError: a weight of the encoder is larger than a file may be.
        """
        gigabytes = None
        if max_shard_size is not None:
            _check_largest(getattr(model, "backbone", model), max_shard_size)
            gigabytes = max_shard_size / GIGABYTE
        import keras_hub

        is_task = isinstance(model, keras_hub.models.Task)
        base = keras_hub.models.Task if is_task else keras_hub.models.Backbone
        base.save_to_preset(model, str(directory), max_shard_size=gigabytes)
        if tokenizer is not None and getattr(model, "preprocessor", None) is None:
            backbone = model.backbone if is_task else model
            length = backbone.config.max_sequence_length
            tokenizer.save(directory / "assets" / "tokenizer", model_max_length=length)


def _check_largest(backbone, max_shard_size):
    """Raises an OptionError if the files are to be smaller than a weight. A model that fits into
    one file is written into one."""
    largest = max(bytes_of([weight]) for weight in backbone.weights)
    if largest > max_shard_size:
        problem = f": the largest weight takes {largest:,} bytes, and Keras does not divide it"
        raise OptionError("max_shard_size", problem)


def remove_preset(directory: pathlib.Path) -> None:
    """Removes a preset of ours from a directory; what else is there stays."""
    # The first makes a directory a preset, so that nothing takes the rest for one.
    for part in ("config.json", "metadata.json", *sorted(KerasPresetFormat.parts)):
        for path in files_within(directory, part):
            path.unlink()
