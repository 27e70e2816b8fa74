"""Fine-tunes with several learning rates and seeds, and keeps the best run."""

from __future__ import annotations

import contextlib
import gc
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_roberta.checkpoints.formats import format_named, open_checkpoint
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import ListOf, Maybe, Number, Record, Whole
from keras_roberta.jobs.finetune import TrainingData
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.options.sweep import SweepOptions
from keras_roberta.jobs.same_run import WAY_OUT
from keras_roberta.jobs.unfinished_run import UnfinishedRun, run_record
from keras_roberta.options import OptionError
from keras_roberta.reports.runs import FinishedRun, write_runs

if TYPE_CHECKING:
    import tensorflow as tf

_RUNS = Record(
    {
        "runs": ListOf(
            Record(
                {
                    "learning_rate": Number(0),
                    "seed": Whole(0),
                    "score": Maybe(Number()),
                    "best_epoch": Whole(0),
                    "seconds": Number(0),
                }
            )
        )
    }
)


def finetune_all(
    preset: str | Path,
    train: str | Path,
    dev: str | Path | None,
    out: str | Path,
    options: FinetuneOptions | None = None,
    sweep: SweepOptions | None = None,
    *,
    overwrite: bool = False,
    strategy: tf.distribute.Strategy | Callable[[], tf.distribute.Strategy] | None = None,
) -> list[FinishedRun]:
    """Fine-tunes with each learning rate and each seed, one run after another.

    `out` gets what `finetune` writes of the best run, and `runs.json`, `runs.tsv` and `runs.png` of
    all of them. Until then it has `unfinished/`: the same call goes on after the last epoch.

    Args:
        sweep: what is tried.
        Others: see `finetune`; `dev` has to be given, as it decides.

    Returns:
        all runs, in the order in which they were made.

    Raises:
        InputError: see `finetune`.
    """
    options, sweep = options or FinetuneOptions(), sweep or SweepOptions()
    if dev is None:
        name = "learning_rates" if sweep.learning_rates else "seeds"
        raise OptionError(name, ": the best run is chosen by dev data; give a dev file")
    data = TrainingData.read(train, dev, options)
    open_checkpoint(preset)
    asked = {**options.to_dict(), **sweep.to_dict()}
    run = UnfinishedRun(out, run_record(preset, {"train": train, "dev": dev}, asked))
    run.check(overwrite)
    import tensorflow as tf

    from keras_roberta.training.workers.exchange import Exchange

    strategy = strategy or tf.distribute.get_strategy
    strategy = strategy() if callable(strategy) else strategy
    exchange = Exchange(strategy)
    is_chief = exchange.rank.is_chief
    with run.held(overwrite) if is_chief else contextlib.nullcontext():
        done = _read_done(run) if is_chief else []
        done = json.loads(exchange.bytes_of_chief(json.dumps(done).encode()))
        done = [FinishedRun(**values) for values in done]
        settings = sweep.runs(options)
        for number, chosen in enumerate(settings):
            if number >= len(done):
                done.append(_train(preset, data, chosen, run, strategy, number, done, Path(out)))
        if is_chief:
            score = data.deciding_score(options.metric) or "negative loss"
            _write(run, Path(out), done, score, f"{data.train.path.name}, {data.dev.path.name}")
            run.remove()
        exchange.of_chief([0])  # a worker that has ended would pass for one that was lost
    return done


def best_of(runs: list[FinishedRun]) -> FinishedRun:
    """The run with the largest score, of several as good the first."""
    return max(runs, key=lambda one: -math.inf if one.score is None else one.score)


def _train(preset, data, options, run, strategy, number, done, out):
    """One run, whose model is let go afterwards; it is on the disk if it is the best one so far."""
    import keras

    from keras_roberta.jobs.train_and_keep_best import save_trained, train_and_keep_best
    from keras_roberta.training.runs.progress import console
    from keras_roberta.training.runs.run_states import RunStates
    from keras_roberta.training.workers.multi_worker import WorkerRank

    is_chief = WorkerRank.of(strategy).is_chief
    if is_chief:
        console.print(f"learning rate {options.learning_rate:g}, seed {options.seed}")
    states = run.states / str(number)  # of its own: those of the run before do not fit
    trained = train_and_keep_best(
        preset, data, options, RunStates(states, keep=1), strategy, begin=run.begin
    )
    finished = FinishedRun(
        learning_rate=options.learning_rate,
        seed=options.seed,
        score=trained.score if math.isfinite(trained.score) else None,
        best_epoch=trained.metrics["best_epoch"],
        seconds=trained.metrics["train_seconds"],
    )
    if is_chief:
        run.begin()
        if best_of([*done, finished]) is finished:
            save_trained(trained, data, run.best, out.name)
        _write_json(run.runs, [*done, finished])
        shutil.rmtree(states, ignore_errors=True)
    del trained
    keras.backend.clear_session()
    gc.collect()
    return finished


def _read_done(run) -> list[dict[str, Any]]:
    """The runs that are done, as JSON has them."""
    if not run.runs.is_file():
        return []
    return read_json_object(run.runs, _RUNS, hint=WAY_OUT)["runs"]


def _write_json(path, runs):
    with atomic_file(path) as temporary:
        text = json.dumps({"runs": [one.to_dict() for one in runs]}, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8")


def _write(run, out, done, score, title):
    """The best run's preset and the tables of all runs."""
    from keras_roberta.jobs.task_training import ABOUT_A_RUN

    with format_named("keras").atomic_directory(out, replaces=ABOUT_A_RUN) as directory:
        shutil.copytree(run.best, directory, dirs_exist_ok=True)
        write_runs(directory, done, score, title)
