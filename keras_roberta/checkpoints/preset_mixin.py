"""Saving for models."""

import os
from typing import Any

from keras_roberta.checkpoints.formats import format_named
from keras_roberta.checkpoints.hugging_face_names import HuggingFaceHead
from keras_roberta.options.sizes import bytes_of_gigabytes, bytes_of_text
from keras_roberta.unknown_arguments import named_arguments


class PresetMixin:
    """Saving for models that extend a KerasHub base; goes before it in the bases.

    Attributes:
        hugging_face: what Transformers calls a task's head; None for an encoder, and for a head
            that Transformers does not have.
    """

    hugging_face: HuggingFaceHead | None = None

    @named_arguments
    def save_to_preset(
        self, preset_dir: str | os.PathLike, max_shard_size: float | str | None = 10
    ) -> None:
        """Writes a preset directory that `from_preset` reads.

        The files are written beside `preset_dir` and moved into it when all are there.

        Args:
            preset_dir: path of the directory; other files in it stay.
            max_shard_size: GB that a file of the encoder's weights may have, or text such as
                "500MB". What is more is spread over several files. None for one file of any size.

        Raises:
            InputError: `max_shard_size` is no size, or less than the largest weight; or there is
                no room.
        """
        self.check_values()
        size = bytes_of_gigabytes("max_shard_size", max_shard_size)
        format_named("keras").save(self, expanded(preset_dir), max_shard_size=size)

    @named_arguments
    def save_to_hugging_face(
        self,
        directory: str | os.PathLike,
        *,
        drop_heads: bool = False,
        max_shard_size: int | str = "5GB",
    ) -> None:
        """Writes a directory that Transformers loads with `from_pretrained`.

        `config.json`, `model.safetensors` in the dtype of the weights, and where the model has a
        tokenizer its files. They are written beside `directory` and moved into it when all are
        there.

        Args:
            directory: path of the directory; other files in it stay.
            drop_heads: leave out heads that Transformers has no place for.
            max_shard_size: bytes of weights in a file, or text such as "500MB". What is more is
                spread over several files, with `model.safetensors.index.json` beside them.

        Raises:
            InputError: names such a head, `max_shard_size` is no size, or there is no room.
        """
        self.check_values()
        size = bytes_of_text("max_shard_size", max_shard_size)
        format_named("hugging-face").save(
            self, expanded(directory), drop_heads=drop_heads, max_shard_size=size
        )

    def check_values(self) -> None:
        """Raises an InputError if the model has weights without values; it is called before it is
        saved."""

    # Keras takes "~" for a name like any other.

    def save(self, filepath, *args, **kwargs):
        self.check_values()
        return super().save(expanded(filepath), *args, **kwargs)

    def export(self, filepath, *args, **kwargs):
        self.check_values()
        return super().export(expanded(filepath), *args, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        self.check_values()
        return super().save_weights(expanded(filepath), *args, **kwargs)

    def load_weights(self, filepath, *args, **kwargs):
        return super().load_weights(expanded(filepath), *args, **kwargs)

    def hugging_face_settings(self) -> dict[str, Any]:
        """Entries of Hugging Face's `config.json` that the head needs, such as `id2label`."""
        return {}

    def hugging_face_files(self) -> dict[str, Any]:
        """Further JSON files of the head beside Hugging Face's `config.json`: their contents by
        their paths."""
        return {}

    @classmethod
    def settings_from_hugging_face(cls, head: dict, config: dict) -> dict[str, Any]:
        """Constructor arguments for the task that a Hugging Face checkpoint holds.

        Args:
            head: arrays in the shapes of the head's, by the names of `head_weights_by_name`. Their
                numbers are zeros: the weights are read once the task is built.
            config: the content of `config.json`.

        Returns:
            those of the task, and under "preprocessor" those of its preprocessor.
        """
        return {}


def expanded(path: Any) -> Any:
    """A path whose "~" is the home directory; an open file as it is."""
    return os.path.expanduser(path) if isinstance(path, (str, os.PathLike)) else path
