"""What a checkpoint format has to answer, so that models need not know which one they read."""

from __future__ import annotations

import abc
import contextlib
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from keras_roberta.checkpoints.matching_tokenizer import check_tokenizer
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.room import bytes_in_float32, bytes_of, check_room

logger = logging.getLogger("keras_roberta")

_TOKENIZER = 1 << 23  # bytes, more than one takes


class Checkpoint(abc.ABC):
    """A model in a directory, opened for reading.

    Attributes:
        format: the `CheckpointFormat` that opened it.
        directory: where it lies.
        config: the encoder's.
        backbone_settings: arguments of `RobertaBackbone` besides the config.
    """

    format: CheckpointFormat
    directory: pathlib.Path
    config: RobertaConfig
    backbone_settings: dict[str, Any]

    def check_backbone(self) -> None:
        """Compares the files with the config, before a model of that size is built.

        Raises:
            InputError: weights are missing, or are of another size.
        """
        return

    @abc.abstractmethod
    def load_backbone_weights(self, backbone) -> None:
        """Assigns the encoder's weights.

        Raises:
            InputError: names the file or tensor that is missing or does not fit.
        """

    @property
    @abc.abstractmethod
    def head_name(self) -> str | None:
        """What the checkpoint calls its head, for messages; None for an encoder alone."""

    @abc.abstractmethod
    def task_settings(self, cls: type) -> dict[str, Any] | None:
        """Constructor arguments for a task if the checkpoint has the head of that task, else None.

        Those of its preprocessor, besides the tokenizer, are a dict under "preprocessor"; those of
        its backbone, which the head needs besides `backbone_settings`, under "backbone".

        Raises:
            InputError: the head is damaged, or the files contradict each other about it.
        """

    def preprocessor_settings(self) -> dict[str, Any]:
        """Arguments of the preprocessor besides the tokenizer, of whatever task it is for."""
        return {}

    @abc.abstractmethod
    def load_head(self, task) -> None:
        """Assigns the head's weights to a task whose class `task_settings` gave arguments for."""

    @abc.abstractmethod
    def heads_unread_by(self, cls: type | None) -> list[str]:
        """The heads that stay behind when it is opened as a `cls`; None for the encoder alone."""

    def unused_weights(self) -> list[str]:
        """Weights that are no head's and that no model here has."""
        return []

    @abc.abstractmethod
    def tokenizer(self):
        """The tokenizer that the model was trained with.

        Raises:
            InputError: there is none, or it is damaged.
        """


class CheckpointFormat(abc.ABC):
    """A way to lay out a model in a directory; `checkpoints.formats.FORMATS` lists them.

    Attributes:
        name: what the command line calls it.
        summary: what tells its directories, for the message where no format fits.
        files: names of the files to download from a repository, with `*` and `?`.
        parts: files that not every checkpoint of the format has, with `*` and `?`. One that is
            left of a checkpoint that was saved over would be read as a part of the new one, so it
            is removed.
        keeps_model_options: whether it keeps the whole `RobertaConfig`, so that models with any
            options can be written. Else those of `options_left_out` are refused, and weights that
            layers share are written for each layer.
        only_float32: whether weights of 16 bits are written in 32.
        shards: whether `write` takes `max_shard_size`, bytes that a file of weights may have.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    parts: ClassVar[frozenset[str]] = frozenset()
    keeps_model_options: ClassVar[bool] = False
    only_float32: ClassVar[bool] = False
    shards: ClassVar[bool] = False

    @abc.abstractmethod
    def detect(self, directory: pathlib.Path) -> bool:
        """Whether a directory holds a checkpoint of this format.

        Raises:
            InputError: the file that would tell is damaged.
        """

    @abc.abstractmethod
    def open(self, directory: pathlib.Path) -> Checkpoint:
        """Opens a checkpoint; weights are read when they are asked for.

        Raises:
            InputError: it is damaged, or of another model.
        """

    @abc.abstractmethod
    def write(self, model, directory: pathlib.Path, *, tokenizer=None, **options) -> None:
        """Writes a model's files into an empty directory.

        Args:
            model: a backbone or a task.
            tokenizer: to be written along; None for none.
            **options: the format's own.
        """

    def options_left_out(self, config: RobertaConfig) -> list[str]:
        """The fields of a config that the format has no place for, as "norm_first=True"."""
        return config.beyond_roberta()

    def heads_left_out(self, model) -> list[str]:
        """The heads of a model that the format has no place for."""
        return []

    def save(
        self, model, directory: str | os.PathLike, *, tokenizer=None, drop_heads=False, **options
    ) -> None:
        """Writes a model's files beside `directory` and moves them into it when all are there.

        Args:
            model: a backbone or a task.
            directory: where they go; other files in it stay.
            tokenizer: for a model without a preprocessor.
            drop_heads: leave out heads that the format has no place for.
            **options: see `write`.

        Raises:
            InputError: there is a head or an option of the model without a place, the tokenizer is
                not the model's, or there is no room on the disk.
        """
        directory = pathlib.Path(directory)
        config = getattr(model, "backbone", model).config
        if not self.keeps_model_options:
            self._check_options(config, directory)
        left_out = self.heads_left_out(model)
        if left_out and not drop_heads:
            raise InputError(
                f"{directory}: {self.name} has no place for {', '.join(left_out)}; "
                "drop_heads=True (--drop-heads) leaves it out"
            )
        if left_out:
            logger.warning("%s: left out %s", directory, ", ".join(left_out))
        if getattr(model, "preprocessor", None) is not None:
            tokenizer = model.preprocessor.tokenizer
        if tokenizer is not None:
            check_tokenizer(tokenizer, config, str(directory))
        with self.atomic_directory(directory) as temporary:
            # Beforehand: HDF5 does not report every write that fails.
            check_room(temporary, self._bytes(model) + _TOKENIZER)
            self.write(model, temporary, tokenizer=tokenizer, **options)

    def _bytes(self, model):
        """What the weights take, those that layers share as often as they are written."""
        backbone = getattr(model, "backbone", model)
        size = bytes_in_float32 if self.only_float32 else bytes_of
        num_bytes = size(model.weights)
        if self.keeps_model_options or backbone.config.parameter_sharing == "none":
            return num_bytes
        written = backbone.weights_by_name().values()
        once = {id(weight): weight for weight in written}.values()
        return num_bytes + size(written) - size(once)

    def _check_options(self, config, directory):
        if options := self.options_left_out(config):
            raise InputError(
                f"{directory}: {self.name} has no place for {' and '.join(options)}; presets of "
                "this library have (--to keras)"
            )
        if config.parameter_sharing != "none":
            logger.warning("%s: weights that layers share are written for each layer", directory)

    def atomic_directory(self, directory: str | os.PathLike, *, replaces: Sequence[str] = ()):
        """`atomic_directory` for a checkpoint of this format.

        Args:
            replaces: patterns of files besides the checkpoint's that go in any case.
        """
        patterns = (*self.parts, *replaces)
        return atomic_directory(directory, last="config.json", replaces=patterns)


@contextlib.contextmanager
def naming(place: str | os.PathLike) -> Iterator[None]:
    """A context that puts a file or directory in front of what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error.__cause__


def head_layers(model, kept: Mapping[str, Any] | None = None) -> list[str]:
    """The names of a task's layers that are neither the encoder's nor hold one of some variables.

    Args:
        model: a backbone, which has none, or a task.
        kept: variables that the format has a place for, by any names.
    """
    backbone = getattr(model, "backbone", None)
    if backbone is None:
        return []
    encoder = {id(weight) for weight in backbone.weights}
    placed = {id(weight) for weight in (kept or {}).values()}
    names = []
    for layer in model.layers:
        own = {id(weight) for weight in layer.weights} - encoder
        if own and not own & placed:
            names.append(layer.name)
    return names
