"""The list of checkpoint formats, and opening a checkpoint of any."""

import os

from keras_roberta.checkpoints import format_names
from keras_roberta.checkpoints.fairseq_format import FairseqFormat
from keras_roberta.checkpoints.hugging_face import HuggingFaceFormat
from keras_roberta.checkpoints.keras_hub_format import KerasHubFormat
from keras_roberta.checkpoints.keras_preset import KerasPresetFormat
from keras_roberta.checkpoints.protocol import Checkpoint, CheckpointFormat
from keras_roberta.errors import InputError
from keras_roberta.files.hub import local_directory

# A directory is opened by the first that detects it.
FORMATS: list[CheckpointFormat] = [
    KerasPresetFormat(),
    HuggingFaceFormat(),
    FairseqFormat(),
    KerasHubFormat(),
]


def register_format(added: CheckpointFormat) -> CheckpointFormat:
    """Adds a format of your own, behind the others.

    The same class registered again, as by a module that was reloaded, takes the older one's place.

    Raises:
        InputError: another class has the name.
    """
    cls = type(added)
    for place, known in enumerate(FORMATS):
        if known.name != added.name:
            continue
        taken = type(known)
        if (taken.__module__, taken.__name__) != (cls.__module__, cls.__name__):
            raise InputError(
                f"{cls.__name__}: the format name {added.name!r} is taken by {taken.__name__}; "
                "choose another"
            )
        FORMATS[place] = added
        return added
    FORMATS.append(added)
    format_names.NAMES.append(added.name)
    return added


def format_named(name: str) -> CheckpointFormat:
    """The format of this name.

    Raises:
        InputError: there is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise InputError(f"format {name!r}: expected one of {names}")


def open_checkpoint(source: str | os.PathLike) -> Checkpoint:
    """Opens a checkpoint of any format.

    Args:
        source: a directory, or "hf://organisation/name".

    Raises:
        InputError: no such directory, or it holds no checkpoint, or a damaged one.
    """
    patterns = list(dict.fromkeys(name for known in FORMATS for name in known.files))
    directory = local_directory(source, patterns)
    for known in FORMATS:
        if known.detect(directory):
            return known.open(directory)
    summaries = ", or ".join(known.summary for known in FORMATS)
    raise InputError(f"{directory}: holds no checkpoint that is known here: {summaries}")
