"""Pre-trains a model from shards: a run that can be stopped and killed, and goes on."""

import contextlib
import dataclasses
import time
from pathlib import Path

import tensorflow as tf

from keras_roberta.data.pretraining.batches import (
    batch_statistics,
    input_errors,
    pretraining_batches,
)
from keras_roberta.files.json_kinds import ANY_NUMBER, ListOf, MapOf, Maybe, Number, Record, Whole
from keras_roberta.files.room import bytes_of, check_room
from keras_roberta.jobs.pretrain.card import draw_curves, write_card
from keras_roberta.jobs.pretrain.checks import check_run
from keras_roberta.jobs.pretrain.device_memory import device_memory
from keras_roberta.jobs.pretrain.evaluation import Evaluation, is_due, report_evaluation
from keras_roberta.jobs.pretrain.options import PretrainingOptions
from keras_roberta.jobs.pretrain.plan import Plan
from keras_roberta.jobs.pretrain.run_directory import RunDirectory
from keras_roberta.jobs.pretrain.single_texts import without_segments
from keras_roberta.jobs.pretrain.start_model import compiled_model, start_from_cooccurrence
from keras_roberta.reports.size_on_disk import bytes_on_disk
from keras_roberta.tasks.pretrainer import RobertaPretrainer
from keras_roberta.training.keras_internals import build_from_batch
from keras_roberta.training.needs_tensorflow import needs_tensorflow
from keras_roberta.training.optimizer.skipped_steps import skipped_steps
from keras_roberta.training.runs.budget import Budget, RunClock
from keras_roberta.training.runs.divergence import StopDivergence
from keras_roberta.training.runs.progress import RunBar, console
from keras_roberta.training.runs.run_log import CsvLog, TensorBoardLog
from keras_roberta.training.runs.run_states import RunStates, state_variables
from keras_roberta.training.runs.save_state import SaveState
from keras_roberta.training.runs.shared_state import restore_on_all
from keras_roberta.training.runs.time_estimate import TimeEstimate
from keras_roberta.training.runs.windows import Windows
from keras_roberta.training.workers.exchange import Exchange
from keras_roberta.training.workers.multi_worker import WorkerRank, example_batch

# The values of a saved state.
_STATE = Record(
    {"step": Whole(0), "seconds": Number(0), "tokens": Whole(0), "stages": MapOf(Whole(0))},
    {
        "window": ListOf(ListOf(ANY_NUMBER)),
        "divergence": Maybe(
            Record(
                {"best": Maybe(Number()), "bad": Whole(0), "skipped": Maybe(Whole(0))},
            )
        ),
    },
)
_NOTHING_YET = {"window": [], "divergence": None}  # where a state says nothing of it


@dataclasses.dataclass(frozen=True)
class PretrainingResult:
    """How a run ended.

    Attributes:
        model: `RobertaPretrainer`
        steps, tokens, hours, skipped_steps: of the whole run, over all its processes.
        heldout: dict of language to dict of metrics; empty where the run was stopped.
        signal: number of the signal that stopped it, or None where it is done.
    """

    model: RobertaPretrainer
    steps: int
    tokens: int
    hours: float
    skipped_steps: int
    heldout: dict[str, dict[str, float]]
    signal: int | None = None

    def summary(self) -> dict[str, float]:
        """The figures, by what people call them."""
        values = {
            "steps": self.steps,
            "tokens": self.tokens,
            "hours": self.hours,
            "skipped steps": self.skipped_steps,
        }
        for language, metrics in self.heldout.items():
            values |= {f"{language} {name}": value for name, value in metrics.items()}
        return values


def pretrain(
    data: str | Path,
    out: str | Path,
    options: PretrainingOptions,
    *,
    overwrite: bool = False,
    on_corrupt: str = "raise",
    strategy: tf.distribute.Strategy | None = None,
) -> PretrainingResult:
    """Pre-trains, and writes a preset for every task with its curves and model card.

    The same call goes on where an earlier one was stopped, on the same samples. By steps a run
    that was killed ends with the weights of one that was not; by hours its rate follows the clock.

    Args:
        data: directory of shards.
        out: directory of the run: `run.json`, `states/`, `log.csv`, `evaluations.csv` (from step
            0 where it starts from a preset), `tensorboard/`, and at the end the preset,
            `curves.png` and `README.md`.
        options: see `recipe`.
        overwrite: start anew where `out` holds another run.
        on_corrupt: see `open_shards`.
        strategy: None for one device. Of several workers the chief writes `out`, and reads it for
            the others; each reads `data`.

    Raises:
        InputError: names the file, option or value that does not fit; or the run diverges.
    """
    needs_tensorflow("pretrain", "fit a RobertaPretrainer on pretraining_batches yourself")
    strategy = strategy or tf.distribute.get_strategy()
    stages = options.stages(strategy.num_replicas_in_sync)
    shards = check_run(
        data,
        out,
        options,
        overwrite=overwrite,
        on_corrupt=on_corrupt,
        with_directory=WorkerRank.of(strategy).is_chief,
    )
    # Says what the shards lack before anything is written.
    statistics = batch_statistics(shards, stages[0].batches)
    plan = Plan.of(options, shards, strategy.num_replicas_in_sync)
    memory = device_memory(bool(tf.config.list_physical_devices("GPU")))
    plan.check(memory)
    for line in plan.lines(memory):
        console.print(line)
    with strategy.scope():
        model, schedule = compiled_model(options, shards)
    evaluation = Evaluation(model, shards, options, stages[-1])
    directory, exchange = RunDirectory(out), Exchange(strategy)
    is_chief = exchange.rank.is_chief
    with directory.held() if is_chief else contextlib.nullcontext():
        if is_chief:
            directory.open(options, shards, overwrite)
        shares = ", ".join(f"{share:.1%} {name}" for name, share in statistics["shares"].items())
        console.print(f"drawn: {shares}; {statistics['padding']:.1%} of it padding")
        result = _run(
            model,
            options,
            schedule=schedule,
            shards=shards,
            stages=stages,
            directory=directory,
            evaluation=evaluation,
            exchange=exchange,
            planned_tokens=plan.tokens,
        )
    if shards.corrupt:
        file, record = shards.corrupt[0]
        console.print(
            f"{len(shards.corrupt)} damaged documents were passed over, the first of them record "
            f"{record} of {file}"
        )
    return result


def _run(
    model, options, *, schedule, shards, stages, directory, evaluation, exchange, planned_tokens
):
    """Trains for what is left of the budget, then measures and writes the preset."""
    rank = exchange.rank
    is_chief = rank.is_chief
    states = RunStates(directory.states, options.keep_states)
    before = _restore(states, model, exchange)
    if is_chief:
        # One state more than are kept while that is written, and in the end the preset.
        needed = (options.keep_states + 1) * bytes_of(state_variables(model).values())
        there = bytes_on_disk(directory.states)
        check_room(directory.path, max(needed - there, 0) + bytes_of(model.weights))
    if before["step"]:
        console.print(f"going on from step {before['step']:,}")
    elif options.initial_embeddings == "cooccurrence":
        started = time.monotonic()
        start_from_cooccurrence(model.backbone, shards, options.seed, exchange)
        (before["seconds"],) = exchange.of_chief([time.monotonic() - started])
    clock = RunClock(
        Budget(options.steps, options.hours, options.tokens),
        schedule,
        step=before["step"],
        seconds=before["seconds"],
        tokens=before["tokens"],
        # By steps the clock decides nothing.
        agree=(lambda seconds: float(exchange.of_chief([seconds])[0])) if options.hours else float,
    )
    stage_starts = before["stages"]
    reports = []
    if is_chief:
        log = CsvLog(directory.log, clock.step)
        evaluations = CsvLog(directory.evaluations, clock.step)
        tensorboard = TensorBoardLog(directory.tensorboard)
        reports = [log, tensorboard]

    saving = SaveState(
        states if is_chief else None,
        every=options.save_every,
        step=clock.step,
        values=lambda: {
            "seconds": clock.seconds,
            "tokens": clock.tokens,
            "stages": stage_starts,
            "window": exchange(windows.sums()).tolist(),
            "divergence": divergence.state(),
        },
        agree=lambda received: int(exchange([received or 0]).max()) or None,
    )

    def evaluate(step, means=None):
        if step % options.evaluate_every == 0:
            heldout = evaluation(saving)
            if is_chief and saving.signal is None:
                report_evaluation(step, heldout, evaluations, tensorboard)

    divergence = StopDivergence(options.log_every)
    if before["divergence"] is not None:
        divergence.restore(before["divergence"])
    sums = before["window"][rank.index] if rank.index < len(before["window"]) else []
    windows = Windows(options.log_every, [*reports, divergence, evaluate], clock.step, sums)
    bar, heldout = RunBar(clock), {}
    estimate = TimeEstimate(clock, planned_tokens)
    try:
        saving.listen()
        # The chief alone knows what has been measured.
        measures = is_chief and is_due(clock, options, evaluations)
        if exchange.of_chief([measures])[0]:
            # Of what is there already: it must not use up the warm-up.
            with clock.stopped():
                evaluate(clock.step)
        for stage in stages:
            if saving.look() is not None or clock.progress >= stage.until:
                continue
            clock.until = stage.until
            clock.tokens_a_step = stage.batches.batch_size * stage.batches.sequence_length
            start = stage_starts.setdefault(str(stage.number), clock.step)
            batches = _batches_of_worker(
                model.distribute_strategy,
                shards,
                stage.batches,
                seed=options.seed + stage.number,
                start_step=clock.step - start,
            )
            if isinstance(batches, tf.data.Dataset):  # of others `fit` builds the metrics itself
                build_from_batch(model, example_batch(model.distribute_strategy, batches))
            model.accumulate(stage.parts)
            with input_errors():
                model.fit(
                    batches,
                    shuffle=False,
                    verbose=0,
                    callbacks=[clock, windows, bar, estimate, saving],
                )
        if saving.signal is None:
            saving.listen()  # `fit` gave the signals back
            heldout = evaluation(saving)
    finally:
        bar.close()
        saving.close()
    totals = {
        "steps": clock.step,
        "tokens": clock.tokens,
        "hours": clock.seconds / 3600,
        "skipped_steps": skipped_steps(model.optimizer),
    }
    if saving.signal is not None:
        return PretrainingResult(model, **totals, heldout={}, signal=saving.signal)
    if not is_chief:
        return PretrainingResult(model, **totals, heldout=heldout)
    evaluations = CsvLog(directory.evaluations, clock.step - 1)  # in place of any of this step
    report_evaluation(clock.step, heldout, evaluations, tensorboard)
    without_segments(model).save_to_preset(directory.path)
    draw_curves(directory.curves, log.rows(), evaluations.rows())
    write_card(
        directory.card,
        name=directory.path.resolve().name,
        config=model.backbone.config,
        options=options,
        shards=shards,
        totals=totals,
        results=heldout,
    )
    return PretrainingResult(model, **totals, heldout=heldout)


def _restore(states, model, exchange):
    """Puts the chief's newest state into the models of all workers.

    Returns:
        dict of `step`, `seconds`, `tokens`, `stages`, `window` and `divergence`.
    """
    found = restore_on_all(states, model, _STATE, exchange)
    if found is None:
        return {"step": 0, "seconds": 0.0, "tokens": 0, "stages": {}, **_NOTHING_YET}
    return _NOTHING_YET | found


def _batches_of_worker(strategy, shards, batches, **place):
    """The batches of a stage; of several workers each has its own rows, and reads no others."""
    worker = WorkerRank.of(strategy)
    if worker.num_workers == 1:
        return pretraining_batches(shards, batches, **place)
    num_replicas, replicas = strategy.num_replicas_in_sync, worker.replicas(strategy)
    parts = [
        pretraining_batches(shards, batches, num_workers=num_replicas, worker_index=i, **place)
        for i in replicas
    ]
    turns = tf.data.Dataset.range(len(parts)).repeat()
    return strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.choose_from_datasets(parts, turns)
    )
