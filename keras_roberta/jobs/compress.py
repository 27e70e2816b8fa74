"""Trains a fine-tuned task on while its weights are pruned, clustered or rounded."""

from __future__ import annotations

import dataclasses
import functools
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_roberta.errors import InputError
from keras_roberta.export.edge_quantizer import check_widths
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.jobs.finetune import TrainingData, finetune
from keras_roberta.jobs.finetuned_start import open_to_train, options_of_preset
from keras_roberta.jobs.options.compress import (
    ClusterOptions,
    CompressOptions,
    PruneOptions,
    QatOptions,
)

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_roberta.export.compression import WeightsOfFile
    from keras_roberta.jobs.train_and_keep_best import Start
    from keras_roberta.tasks.task import RobertaTask


# Tokens that the files take which are made to be counted.
LENGTH = 32


def compress(
    preset: str | Path,
    train: str | Path,
    dev: str | Path | None,
    out: str | Path,
    options: CompressOptions,
    *,
    overwrite: bool = False,
    strategy: tf.distribute.Strategy | Callable[[], tf.distribute.Strategy] | None = None,
) -> tuple[RobertaTask, dict[str, Any]]:
    """Trains a preset with a callback of `export.compression`.

    The result is a preset like others, to be compressed once more: what is zero stays zero, and a
    matrix that is clustered stays so under quantisation-aware training.

    Args:
        preset: a fine-tuned preset; the tables have to have its labels.
        train, dev, out, overwrite, strategy: see `finetune`, whose files are written.
        options: `PruneOptions`, `ClusterOptions` or `QatOptions`, which say what is done.

    Returns:
        the task and its metrics, a dict.

    Raises:
        InputError: as `finetune`; or the preset is not fine-tuned, or has other labels than the
            table; or its sizes do not fit the scheme.
    """
    source, options = options_of_preset(preset, options)
    if isinstance(options, QatOptions):
        check_widths(SCHEMES[options.quantization], source.config)
    # It decides nothing about the training, and may be another one when a run goes on.
    options = dataclasses.replace(options, measured_quantization=None)
    start = functools.partial(_start, begin_with=_STARTS[type(options)])
    return finetune(
        preset, train, dev, out, options, overwrite=overwrite, strategy=strategy, start=start
    )


def weights_before_and_after(
    before: str | Path, after: str | Path, quantization: str = "int8"
) -> dict[str, WeightsOfFile | str]:
    """What `.tflite` files of two presets hold, counted in the files, which are not kept.

    Args:
        before, after: presets with a head.
        quantization: of both files.

    Returns:
        "before" and "after"; a reason in place of the numbers where there is no such file.
    """
    from keras_roberta.export.compression import measure_weights
    from keras_roberta.export.mismatch import ExportMismatch
    from keras_roberta.export.tflite import to_tflite
    from keras_roberta.jobs.finetuned_task import open_finetuned_task

    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, preset in (("before", before), ("after", after)):
            path = Path(directory) / f"{name}.tflite"
            try:
                task = open_finetuned_task(preset)
                length = min(LENGTH, task.backbone.config.max_sequence_length)
                to_tflite(task, path, quantization, "tokens", sequence_lengths=[length])
            except (InputError, ExportMismatch) as error:
                found[name] = str(error)
            else:
                found[name] = measure_weights(path)
    return found


def _start(
    preset: str | Path,
    data: TrainingData,
    options: CompressOptions,
    strategy: Any,
    *,
    begin_with: Callable,
) -> Start:
    from keras_roberta.jobs.train_and_keep_best import Start

    task, data = open_to_train(preset, data, options, strategy)
    return begin_with(Start(task, data), options)


def _pruned(begun: Start, options: PruneOptions) -> Start:
    from keras_roberta.export.compression.kernels import kernels_of, share_of_zeros
    from keras_roberta.export.compression.pruning import MagnitudePruning

    arguments = options.arguments()
    kernels = kernels_of(begun.task, embeddings=options.embeddings)
    # Said here, since a run that goes on after a kill no longer has the weights of the preset.
    initial = share_of_zeros(kernels)
    sparsity = MagnitudePruning(**arguments).sparsity
    pruning = MagnitudePruning(**arguments, initial_sparsity=min(initial, sparsity))
    return dataclasses.replace(
        begun, callbacks=[pruning], first_epoch=_first_sparse_epoch(begun, options)
    )


def _first_sparse_epoch(begun, options):
    """The first epoch that ends with the whole sparsity."""
    share = options.end
    if share > 1:
        share /= options.epochs * -(-len(begun.data.train) // options.batch_size)
    return min(max(1, math.ceil(share * options.epochs)), options.epochs)


def _clustered(begun: Start, options: ClusterOptions) -> Start:
    from keras_roberta.export.compression.clustering import WeightClustering

    clustering = WeightClustering(options.clusters, embeddings=options.embeddings)
    return dataclasses.replace(begun, callbacks=[clustering])


def _rounded(begun: Start, options: QatOptions) -> Start:
    from keras_roberta.export.compression.quantization_aware import QuantizationAwareTraining

    training = QuantizationAwareTraining(options.quantization)
    return dataclasses.replace(begun, callbacks=[training], measured_as=training.as_exported)


_STARTS = {PruneOptions: _pruned, ClusterOptions: _clustered, QatOptions: _rounded}
