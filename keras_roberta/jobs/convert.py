"""From any checkpoint format to any other, also with more positions."""

import logging
import os

from keras_roberta.checkpoints.formats import format_named, open_checkpoint
from keras_roberta.checkpoints.protocol import Checkpoint
from keras_roberta.errors import InputError
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.jobs.options.convert import ConvertOptions
from keras_roberta.options import OptionError
from keras_roberta.tasks.registry import task_class_of
from keras_roberta.unknown_arguments import named_arguments

logger = logging.getLogger("keras_roberta")


@named_arguments
def convert(
    model: str | os.PathLike,
    out: str | os.PathLike,
    options: ConvertOptions | None = None,
    *,
    overwrite: bool = False,
) -> str:
    """Writes a model in another format.

    Args:
        model: a checkpoint's directory, or hf://org/name.
        out: directory to write.
        options: the format, how large its files may be, how many positions and which precision
            the model gets, and whether to leave out heads that no task here reads or that the
            format has no place for; None for Transformers' format and all heads.
        overwrite: replace files in `out`.

    Returns:
        the name of the class that opens what was written.

    Raises:
        InputError: there is no model, `out` is in use, a head would be left out, or the format has
            no shards or no such precision.
    """
    options = options or ConvertOptions()
    if options.max_shard_size is not None and not format_named(options.to).shards:
        problem = f": {options.to} keeps all weights in one file; leave it out"
        raise OptionError("max_shard_size", problem)
    if options.dtype not in (None, "float32") and format_named(options.to).only_float32:
        raise OptionError("dtype", f": {options.to} keeps weights in float32; leave it out")
    with hold_directory(out, overwrite):
        return _convert(model, out, options)


def _convert(model, out, options):
    """`convert`, once nobody else writes to `out`."""
    target, drop_heads = format_named(options.to), options.drop_heads
    source = open_checkpoint(model)

    from keras_roberta.models.roberta_backbone import RobertaBackbone

    cls = _task_of(source, drop_heads)
    unread = source.heads_unread_by(cls)
    if unread and not drop_heads:
        raise InputError(
            f"{source.directory}: no task here reads the head {', '.join(unread)}; "
            "drop_heads=True (--drop-heads) converts the rest without it"
        )
    for name in unread:
        logger.warning("%s: the head %s is left out", source.directory, name)
    if unused := source.unused_weights():
        logger.warning(
            "%s: %s left out, which no model here has", source.directory, ", ".join(unused)
        )
    names = ("max_sequence_length", "extend_positions", "dtype")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    converted = (cls or RobertaBackbone).from_preset(model, **changes)
    tokenizer = source.tokenizer() if cls is None else None
    size = options.max_shard_size
    of_format = {} if size is None else {"max_shard_size": size}
    target.save(converted, out, tokenizer=tokenizer, drop_heads=drop_heads, **of_format)
    return (_task_of(open_checkpoint(out)) or RobertaBackbone).__name__


def _task_of(source: Checkpoint, drop_heads: bool = False) -> type | None:
    """See `task_class_of`; None for an encoder alone, or with `drop_heads` for a damaged head."""
    try:
        return task_class_of(source)
    except InputError as error:
        if not drop_heads:
            raise
        logger.warning("the head is left out: %s", error)
        return None
