"""Measures a pre-training run on held-out text, and writes down what was measured."""

import dataclasses

from keras_roberta.data.corpus.shards import Shards
from keras_roberta.data.pretraining.batches import evaluation_batches, input_errors
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.options import PretrainingOptions, Stage
from keras_roberta.tasks.pretrainer import RobertaPretrainer
from keras_roberta.training.runs.budget import RunClock
from keras_roberta.training.runs.progress import console
from keras_roberta.training.runs.run_log import CsvLog, TensorBoardLog
from keras_roberta.training.runs.save_state import SaveState


class Evaluation:
    """Metrics on the held-out text of each language.

    Args:
        last: the stage that the run ends with, whose batches decide how many rows go at once.
    """

    def __init__(
        self, model: RobertaPretrainer, shards: Shards, options: PretrainingOptions, last: Stage
    ):
        self._model = model
        batches = dataclasses.replace(
            last.batches,
            batch_size=last.batches.batch_size // last.parts,
            sequence_length=options.longest_sequence,
        )
        self._datasets = {}
        for language, counts in shards.counts.get("heldout", {}).items():
            if not counts["documents"]:
                continue
            try:
                self._datasets[language] = evaluation_batches(
                    shards, batches, options.seed, options.evaluation_batches, language
                )
            except InputError as error:  # few documents, and none that the objectives can use
                console.print(f"{language} will not be measured: {error}")

    def __call__(self, saving: SaveState) -> dict[str, dict[str, float]]:
        """Metrics by language; only of a part of the text where `saving` was told to stop."""
        results = {}
        with input_errors():
            for language, dataset in self._datasets.items():
                if saving.signal is None:
                    results[language] = self._model.evaluate(
                        dataset, verbose=0, return_dict=True, callbacks=[saving]
                    )
        return results


def is_due(clock: RunClock, options: PretrainingOptions, evaluations: CsvLog) -> bool:
    """Whether to measure before the first step: a preset, or where a signal cut that off."""
    known = any(int(row["step"]) == clock.step for row in evaluations.rows())
    return not known and (bool(clock.step) or options.preset is not None) and clock.progress < 1


def report_evaluation(
    step: int,
    results: dict[str, dict[str, float]],
    evaluations: CsvLog,
    tensorboard: TensorBoardLog,
) -> None:
    """Writes metrics by language, as `Evaluation` gives them."""
    for language, values in results.items():
        evaluations(step, {"language": language, **values})
        tensorboard(step, {f"heldout/{language}/{name}": v for name, v in values.items()})
