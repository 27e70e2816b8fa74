"""Pre-training runs: what they leave behind, and how they go on."""

import csv
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

import keras_roberta as kr
import keras_roberta.config
from keras_roberta.cli import main
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.pretraining.batches import pretraining_batches
from keras_roberta.data.pretraining.cooccurrence import token_vectors
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.options import recipe
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.jobs.pretrain.run_directory import RunDirectory
from keras_roberta.jobs.pretrain.start_model import start_from_cooccurrence, start_model
from keras_roberta.training.runs.budget import RunClock
from keras_roberta.training.runs.run_log import CsvLog
from keras_roberta.training.runs.save_state import SaveState

TINY = dict(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)


@pytest.fixture(autouse=True, scope="module")
def tinier():
    """A size that is built and traced in a second or two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(keras_roberta.config._NAMED, "tiny", TINY)
        yield


def options(**changes):
    defaults = dict(
        size="tiny",
        steps=12,
        batch_size=8,
        sequence_length=32,
        learning_rate=1e-2,
        save_every=5,
        log_every=4,
        evaluate_every=8,
    )
    return recipe("roberta-base", **defaults | changes)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def newest_state(out):
    path = max((out / "states").glob("step-*.safetensors"))
    return path.name, load_file(path)


def assert_same_state(out, other):
    (name, found), (expected_name, expected) = newest_state(out), newest_state(other)
    assert name == expected_name and set(found) == set(expected)
    for tensor in expected:
        np.testing.assert_array_equal(found[tensor], expected[tensor], err_msg=tensor)


FINISHED = dict(objectives=("mlm", "sop", "tokens"), steps=30)


@pytest.fixture(scope="module")
def finished(tinier, shards, tmp_path_factory):
    """The directory of a run that came to its end, and what it gave back."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return out, pretrain(shards, out, options(**FINISHED))


@pytest.fixture
def finished_copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "copy")


def test_a_run_and_what_it_leaves(finished):
    out, result = finished
    assert (result.steps, result.tokens, result.signal) == (30, 30 * 8 * 32, None)
    assert result.skipped_steps == 0 and set(result.heldout) == {"de", "en"}

    log = rows(out / "log.csv")
    assert [int(row["step"]) for row in log] == [4, 8, 12, 16, 20, 24, 28]
    assert float(log[-1]["loss"]) < float(log[0]["loss"])
    names = {f"{o}_{m}" for o in ("mlm", "sop", "tokens") for m in ("loss", "accuracy")}
    assert names | {"mlm_perplexity", "learning_rate", "skipped_steps"} <= set(log[0])
    found = [(int(row["step"]), row["language"]) for row in rows(out / "evaluations.csv")]
    assert found == [(step, lang) for step in (8, 16, 24, 30) for lang in ("de", "en")]
    assert list((out / "tensorboard").iterdir())
    assert (out / "curves.png").stat().st_size > 10_000
    card = (out / "README.md").read_text()
    assert '| objectives | ["mlm", "sop", "tokens"] |' in card and "| save_every |" not in card
    assert "mlm, sop, tokens" in card and f"{result.heldout['de']['mlm_loss']:.3f}" in card
    assert sorted(path.name for path in (out / "states").iterdir()) == [
        "step-00000025.safetensors",
        "step-00000030.safetensors",
    ]

    assert kr.RobertaMaskedLM.from_preset(out).predict(["the<mask>"], verbose=0).shape[:2] == (1, 1)
    classifier = kr.RobertaTextClassifier.from_preset(out, num_classes=2)
    assert classifier.predict(["the dog"], verbose=0).shape == (1, 2)
    again = kr.RobertaPretrainer.from_preset(out)
    for weight, trained in zip(again.weights, result.model.weights, strict=True):
        np.testing.assert_array_equal(weight, trained)


def test_what_the_card_advises_runs_and_stands_in_the_readme(finished, tmp_path, monkeypatch):
    out, _ = finished
    card = (out / "README.md").read_text(encoding="utf-8")
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shutil.copytree(out, tmp_path / out.name)
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text("text\tlabel\nder Hund\t0\na dog\t1\n")
    monkeypatch.chdir(tmp_path)
    names = {"train": (["der Hund", "a dog"], [0, 1]), "dev": (["eine Katze", "a cat"], [0, 1])}
    blocks = re.findall(r"```(sh|python)\n(.*?)```", card, re.DOTALL)
    assert [language for language, _ in blocks] == ["sh", "python"]
    for language, code in blocks:
        if language == "python":
            exec(code, names)
        for line in code.splitlines():
            if language == "sh":
                with pytest.raises(SystemExit) as end:
                    main(shlex.split(line)[1:])
                assert not end.value.code, line
            advice = line.replace(out.name, "granite-30m")
            assert advice in readme or "predict" in line, line


def stop_at_first_row(monkeypatch, number):
    """Sends a signal when the log gets its first row, once."""
    write, sent = CsvLog.__call__, []

    def call(self, step, values):
        write(self, step, values)
        if not sent:
            sent.append(step)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(CsvLog, "__call__", call)


def test_the_log_of_a_run_that_was_stopped_within_a_window(english_shards, tmp_path, monkeypatch):
    chosen = options(steps=5, log_every=4, evaluate_every=8)
    pretrain(english_shards, tmp_path / "whole", chosen)
    call = RunClock.on_train_batch_end

    def stop(self, batch, logs=None):
        call(self, batch, logs)
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(RunClock, "on_train_batch_end", stop)
        assert pretrain(english_shards, tmp_path / "stopped", chosen).steps == 3
    pretrain(english_shards, tmp_path / "stopped", chosen)
    logs = [(tmp_path / run / "log.csv").read_text() for run in ("stopped", "whole")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 2
    assert_same_state(tmp_path / "stopped", tmp_path / "whole")


def test_a_batch_in_parts_trains_as_the_whole(english_shards, tmp_path):
    runs = {
        size: pretrain(
            english_shards,
            tmp_path / str(size),
            options(micro_batch_size=size, dropout=0.0, steps=4, clip_norm=0.5, log_every=2),
        )
        for size in (2, 8)
    }
    whole, parts = runs[8].model, runs[2].model
    assert (whole.gradient_accumulation_steps, parts.gradient_accumulation_steps) == (1, 4)
    for weight, expected in zip(parts.weights, whole.weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)
    losses = [
        [float(row["loss"]) for row in rows(tmp_path / run / "log.csv")] for run in ("2", "8")
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.slow
def test_a_stopped_run_goes_on_through_its_stages(english_shards, tmp_path, monkeypatch):
    ramps = dict(
        steps=20,
        micro_batch_size=4,
        batch_ramp=((0.0, 4), (0.35, 8)),
        length_ramp=((0.0, 16), (0.6, 32)),
        log_every=10,
        evaluate_every=20,
    )
    whole = pretrain(english_shards, tmp_path / "whole", options(**ramps))
    assert whole.tokens == 7 * 4 * 16 + 5 * 8 * 16 + 8 * 8 * 32
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        stop_at_first_row(patch, signal.SIGINT)
        stopped = pretrain(english_shards, out, options(**ramps))
    assert (stopped.signal, stopped.steps) == (signal.SIGINT, 10)  # within the second stage
    assert not (out / "config.json").exists()
    result = pretrain(english_shards, out, options(**ramps))
    assert (result.steps, result.tokens) == (whole.steps, whole.tokens)
    assert_same_state(out, tmp_path / "whole")


def test_a_signal_ends_an_evaluation(english_shards, tmp_path, monkeypatch):
    evaluated, end_batch, stop_at = [], SaveState.on_test_batch_end, None

    def on_test_batch_end(self, batch, logs=None):
        evaluated.append(batch)
        if len(evaluated) == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        end_batch(self, batch, logs)

    monkeypatch.setattr(SaveState, "on_test_batch_end", on_test_batch_end)
    small_parts = options(micro_batch_size=2)
    pretrain(english_shards, tmp_path / "whole", small_parts)
    once = len(evaluated) // 2  # after step 8 and at the end
    assert once > 3
    # In the first evaluation; then in the last, once the first has been made up for.
    for stop_at, step in ((1, 8), (once + 2, 12)):
        evaluated.clear()
        stopped = pretrain(english_shards, tmp_path / "stopped", small_parts)
        assert (stopped.signal, stopped.steps, stopped.heldout) == (signal.SIGTERM, step, {})
        assert len(evaluated) == stop_at
        assert newest_state(tmp_path / "stopped")[0] == f"step-{step:08}.safetensors"
        assert not (tmp_path / "stopped" / "config.json").exists()
    stop_at = None
    assert pretrain(english_shards, tmp_path / "stopped", small_parts).signal is None
    assert_same_state(tmp_path / "stopped", tmp_path / "whole")
    measured = [(tmp_path / run / "evaluations.csv").read_text() for run in ("stopped", "whole")]
    assert measured[0] == measured[1]


def test_a_finished_run_is_only_written_again(shards, finished, finished_copy):
    state, measured = newest_state(finished_copy)[0], rows(finished_copy / "evaluations.csv")
    (finished_copy / "README.md").unlink()
    reports = dict(save_every=7, log_every=2, remat=True)  # may change
    again = pretrain(shards, finished_copy, options(**FINISHED, **reports))
    assert again.steps == 30 and newest_state(finished_copy)[0] == state
    first = finished[1].heldout["en"]["mlm_loss"]
    assert again.heldout["en"]["mlm_loss"] == pytest.approx(first)
    assert (finished_copy / "README.md").exists()
    assert len(rows(finished_copy / "evaluations.csv")) == len(measured)


def test_embeddings_start_from_what_stands_together(english_shards, tmp_path):
    starts = dict(initial_embeddings="cooccurrence", initializer="glorot_uniform")
    chosen = options(**starts, steps=1, learning_rate=1e-9)
    result = pretrain(english_shards, tmp_path, chosen)
    table = np.array(result.model.backbone.token_embedding.embeddings)
    documents = open_shards(english_shards).documents()
    expected = token_vectors(documents, *table.shape, seed=chosen.seed)
    np.testing.assert_allclose(table, expected, atol=1e-6)
    kernel = np.array(result.model.backbone.encoder.blocks[0].intermediate_dense.kernel)
    assert kernel.std() == pytest.approx((2 / sum(kernel.shape)) ** 0.5, rel=0.1)
    assert "(glorot_uniform) with token embeddings by coocc" in (tmp_path / "README.md").read_text()

    # Another worker takes what the chief has counted.
    sent = np.ones_like(table)
    other = types.SimpleNamespace(
        rank=types.SimpleNamespace(is_chief=False), of_chief=lambda own: sent + own
    )
    start_from_cooccurrence(result.model.backbone, None, 0, other)
    np.testing.assert_array_equal(result.model.backbone.token_embedding.embeddings, sent)


def test_a_vocabulary_too_small_to_count_is_said_before_anything_is_written(
    english_shards, tmp_path, monkeypatch
):
    wide = TINY | dict(hidden_dim=512)
    monkeypatch.setitem(keras_roberta.config._NAMED, "tiny", wide)
    with pytest.raises(InputError, match="a vocabulary of [0-9]+ tokens has no vectors of 512"):
        pretrain(english_shards, tmp_path / "run", options(initial_embeddings="cooccurrence"))
    assert not (tmp_path / "run").exists()


def test_the_time_of_counting_counts(english_shards, tmp_path, monkeypatch):
    def slowly(*args, **kwargs):
        time.sleep(3)
        return token_vectors(*args, **kwargs)

    monkeypatch.setattr("keras_roberta.jobs.pretrain.start_model.token_vectors", slowly)
    started = time.monotonic()
    chosen = options(initial_embeddings="cooccurrence", steps=1)
    result = pretrain(english_shards, tmp_path, chosen)
    assert 3 <= result.hours * 3600 <= time.monotonic() - started


def test_a_run_from_before_an_option_was_there(shards, begun, tmp_path):
    path = shutil.copytree(begun, tmp_path / "run")
    record = json.loads((path / "run.json").read_text())
    for name in ("initializer", "initial_embeddings", "batch_ramp"):
        del record["options"][name]
    (path / "run.json").write_text(json.dumps(record))
    RunDirectory(path).open(options(), open_shards(shards))
    with pytest.raises(InputError, match="with initial_embeddings random, not cooccurrence"):
        RunDirectory(path).open(options(initial_embeddings="cooccurrence"), open_shards(shards))


def test_a_trailing_slash_makes_no_other_run(shards, begun, finished, tmp_path):
    path = shutil.copytree(begun, tmp_path / "run")
    record = json.loads((path / "run.json").read_text())
    record["options"] |= {"size": None, "preset": f"{finished[0]}/"}  # as it was written once
    (path / "run.json").write_text(json.dumps(record))
    for preset in (finished[0], f"{finished[0]}/"):
        RunDirectory(path).open(options(size=None, preset=preset), open_shards(shards))


def test_a_run_by_the_clock(english_shards, tmp_path, monkeypatch):
    seconds = itertools.count(0, 40)  # every look at the clock takes forty
    clock = types.SimpleNamespace(monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr("keras_roberta.training.runs.budget.time", clock)
    result = pretrain(english_shards, tmp_path, options(steps=None, hours=0.5, log_every=1))
    assert result.hours >= 0.5 and result.steps > 10
    rates = [float(row["learning_rate"]) for row in rows(tmp_path / "log.csv")]
    assert max(rates) == pytest.approx(1e-2, rel=0.05) and rates[-1] < 1e-3


def test_packed_documents_make_a_preset_for_single_ones(english_shards, tmp_path):
    pretrain(english_shards, tmp_path, options(steps=2, packing="block-diagonal", remat=True))
    task = kr.RobertaMaskedLM.from_preset(tmp_path)
    assert task.backbone.optional_inputs == () and task.backbone.config.remat
    assert np.isfinite(task.predict(["the<mask>"], verbose=0)).all()


def test_a_run_that_diverges_says_what_to_do(english_shards, tmp_path):
    diverging = options(learning_rate=1e4, steps=200, log_every=1, warmup=0.0)
    with pytest.raises(InputError, match="the run diverges: at step .* lower learning rate"):
        pretrain(english_shards, tmp_path, diverging)
    assert not (tmp_path / "config.json").exists()


def test_a_step_that_is_not_finite_is_skipped_and_counted(english_shards, tmp_path, monkeypatch):
    def poisoned(*args, **kwargs):
        def spoil(number, batch):
            features, targets, weights = batch
            factor = tf.where(number == 2, float("nan"), 1.0)
            return features, targets, {name: w * factor for name, w in weights.items()}

        return pretraining_batches(*args, **kwargs).enumerate().map(spoil)

    monkeypatch.setattr("keras_roberta.jobs.pretrain.run.pretraining_batches", poisoned)
    result = pretrain(english_shards, tmp_path, options(steps=12))
    assert (result.steps, result.skipped_steps) == (12, 1)
    log = rows(tmp_path / "log.csv")
    assert [row["skipped_steps"] for row in log] == ["1", "1", "1"]
    assert np.isfinite([float(row["loss"]) for row in log[1:]]).all()
    assert all(np.isfinite(values).all() for values in newest_state(tmp_path)[1].values())
    assert "1 steps skipped" in (tmp_path / "README.md").read_text()


@pytest.fixture(scope="module")
def begun(shards, tmp_path_factory):
    """The directory of a run that has begun, and saved a state."""
    path = tmp_path_factory.mktemp("begun")
    RunDirectory(path).open(options(), open_shards(shards))
    save_nothing(path)
    return path


def save_nothing(path):
    """Makes a run look as if it had come as far as to a saved state."""
    (path / "states").mkdir()
    (path / "states" / "step-00000002.safetensors").touch()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(seed=1), "a run with seed 0, not 1"),
        (dict(batch_size=16), "a run with batch_size 8, not 16"),
        (dict(objectives=("mlm", "sop")), r"objectives \['mlm'\], not \['mlm', 'sop'\]"),
        (dict(size="mini"), "a run with size tiny, not mini"),
        (dict(steps=3), "a run with steps 12, not 3"),
    ],
)
def test_another_run_is_not_overwritten(shards, begun, changes, message):
    before = {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=f"{message}.*--overwrite"):
        RunDirectory(begun).open(options(**changes), open_shards(shards))
    assert {p: p.read_bytes() for p in begun.rglob("*") if p.is_file()} == before


def test_a_start_that_came_to_nothing_blocks_no_other(shards, tmp_path):
    """As where the system ends a run for want of memory before its first saved state."""
    directory = RunDirectory(tmp_path)
    directory.open(options(), open_shards(shards))
    (tmp_path / "log.csv").touch()
    directory.open(options(size="mini", seed=1), open_shards(shards))
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["options"]["size"] == "mini"
    save_nothing(tmp_path)
    with pytest.raises(InputError, match="a run with size mini, not tiny"):
        directory.open(options(seed=1), open_shards(shards))


def test_what_was_no_run_is_written_over_and_not_cleared(shards, tmp_path):
    (tmp_path / "README.md").write_text("of a project")
    RunDirectory(tmp_path).open(options(), open_shards(shards), overwrite=True)
    assert (tmp_path / "README.md").read_text() == "of a project"


def test_other_data_is_not_gone_on_with(other_shards, begun, tmp_path):
    path = shutil.copytree(begun, tmp_path / "run")
    record, other = json.loads((path / "run.json").read_text()), open_shards(other_shards)
    for content, message in (
        (json.dumps(record), "a run on other shards.*--overwrite"),
        (json.dumps({**record, "tokenizer": "x"}), "a run with another tokenizer"),
        ("{", "run.json: cannot be read"),
    ):
        (path / "run.json").write_text(content)
        with pytest.raises(InputError, match=message):
            RunDirectory(path).open(options(), other)


def test_a_disk_that_fills(english_shards, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CsvLog, "__call__", full)
    with pytest.raises(InputError, match="cannot be written .No space left on device.* goes on"):
        pretrain(english_shards, tmp_path, options(save_every=2))
    assert newest_state(tmp_path)[0] == "step-00000002.safetensors"


def test_what_the_shards_lack_is_said_before_anything_is_written(english_shards, tmp_path):
    with pytest.raises(InputError, match="two or more classes|two classes"):
        pretrain(english_shards, tmp_path / "run", options(objectives=("tokens",)))
    assert not (tmp_path / "run").exists()


def test_directories_that_are_no_run(shards, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="exists and is not empty.*--overwrite"):
        pretrain(shards, tmp_path, options())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(InputError, match="no such directory"):
        pretrain(tmp_path / "none", tmp_path / "run", options())
    assert not (tmp_path / "run").exists()


def test_a_run_is_overwritten_when_told_to(english_shards, finished_copy, monkeypatch):
    (finished_copy / "mine.txt").write_text("keep")
    another = options(steps=3, seed=3, log_every=1)
    with monkeypatch.context() as patch:
        stop_at_first_row(patch, signal.SIGTERM)
        pretrain(english_shards, finished_copy, another, overwrite=True)
    # Nothing of the old run passes for a result of the new one.
    assert {path.name for path in finished_copy.iterdir() if path.is_file()} == {
        *("mine.txt", "run.json", "log.csv", "evaluations.csv")
    }
    assert not [path for path in (finished_copy / "assets").rglob("*") if path.is_file()]
    with pytest.raises(InputError, match="holds no checkpoint"):
        kr.RobertaMaskedLM.from_preset(finished_copy)

    result = pretrain(english_shards, finished_copy, another)
    assert result.steps == 3 and (finished_copy / "mine.txt").read_text() == "keep"
    states = sorted(path.name for path in (finished_copy / "states").iterdir())
    assert states == ["step-00000001.safetensors", "step-00000003.safetensors"]
    assert [int(row["step"]) for row in rows(finished_copy / "log.csv")] == [1, 2, 3]
    assert kr.RobertaPretrainer.from_preset(finished_copy).objectives == ("mlm",)


def losses_at_the_start(out):
    """{language: held-out MLM loss} before the first step."""
    measured = rows(out / "evaluations.csv")
    return {row["language"]: float(row["mlm_loss"]) for row in measured if row["step"] == "0"}


@pytest.mark.slow
def test_a_run_from_a_preset(shards, finished, tmp_path, monkeypatch):
    preset, before = finished
    chosen = options(**FINISHED | dict(steps=6), size=None, preset=preset, log_every=2)
    pretrain(shards, tmp_path / "whole", chosen)
    found = losses_at_the_start(tmp_path / "whole")
    assert found == pytest.approx({k: v["mlm_loss"] for k, v in before.heldout.items()}, rel=1e-5)
    assert f"the weights of {preset}" in (tmp_path / "whole" / "README.md").read_text()

    for step in (0, 2):  # the first row is of the evaluation before the first step
        with monkeypatch.context() as patch:
            stop_at_first_row(patch, signal.SIGINT)
            assert pretrain(shards, tmp_path / "stopped", chosen).steps == step
    another = options(**FINISHED | dict(steps=6), size=None, preset=tmp_path)
    with pytest.raises(InputError, match=f"a run with preset {preset}, not {tmp_path}"):
        RunDirectory(tmp_path / "stopped").open(another, open_shards(shards))
    pretrain(shards, tmp_path / "stopped", chosen)
    assert_same_state(tmp_path / "stopped", tmp_path / "whole")
    measured = [(tmp_path / run / "evaluations.csv").read_text() for run in ("stopped", "whole")]
    assert measured[0] == measured[1]


def test_a_run_from_a_hugging_face_checkpoint(shards, finished, tmp_path):
    finished[1].model.save_to_hugging_face(tmp_path / "hf", drop_heads=True)
    # Documents that share a row take an input that the checkpoint's model lacks.
    for packing in ("full-sentences", "block-diagonal"):
        chosen = options(steps=1, size=None, preset=tmp_path / "hf", packing=packing)
        model = start_model(chosen, open_shards(shards))
        for name, weight in model.backbone.weights_by_name().items():
            trained = finished[1].model.backbone.weights_by_name()[name]
            np.testing.assert_array_equal(weight, trained, err_msg=name)
    chosen = options(**FINISHED | dict(steps=1), size=None, preset=tmp_path / "hf")
    pretrain(shards, tmp_path / "run", chosen)
    expected = {k: v["mlm_loss"] for k, v in finished[1].heldout.items()}
    assert losses_at_the_start(tmp_path / "run") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(preset="none"), "none: no such directory"),
        (dict(sequence_length=64), "has positions for 32 tokens, .* sequence_length of 64"),
        (dict(dropout=1.0), "dropout"),
    ],
)
def test_presets_that_do_not_fit(shards, finished, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        chosen = options(**dict(size=None, preset=finished[0]) | changes)
        pretrain(shards, tmp_path / "run", chosen)
    assert not (tmp_path / "run").exists()


def test_a_preset_of_another_tokenizer(english_shards, finished, finished_copy, tmp_path):
    chosen = options(size=None, preset=finished_copy)
    with pytest.raises(InputError, match="another tokenizer than the shards in .* prepare"):
        pretrain(english_shards, tmp_path / "run", chosen)
    with pytest.raises(InputError, match="is the preset to start from; give another --out"):
        pretrain(english_shards, finished_copy, chosen, overwrite=True)
    assert (finished_copy / "config.json").exists()


def test_damaged_records_are_named_or_counted(english_shards, tmp_path, capsys):
    damaged = shutil.copytree(english_shards, tmp_path / "shards")
    path = next(damaged.glob("train-*.tfrecord"))
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"{path.name}: record 0 \(byte 0\) is cut off or alt"):
        pretrain(damaged, tmp_path / "run", options())
    assert pretrain(damaged, tmp_path / "run", options(), on_corrupt="skip").steps == 12
    said = " ".join(capsys.readouterr().err.split())
    assert "1 damaged documents were passed over, the first of them record 0 of" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--batch-ramp", "0:8,x"), "--batch-ramp '0:8,x': give pairs such as"),
        (("--loss-weights", "mlm"), "--loss-weights 'mlm': give pairs such as"),
        (("--loss-weights", "sop:1"), "--loss-weights names 'sop', which is none of mlm"),
        (("--evaluate-every", "70"), "--evaluate-every 70 is not a multiple of --log-every 50"),
        (("--objectives", "mlm,clm"), "--objectives mlm,clm: give one or more of mlm"),
        (("--size", "tiny", "--preset", "x"), "--size and --preset: give one of them"),
        (("--hours", "0"), "--hours must be positive"),
    ],
)
def test_options_of_the_command(shards, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as exit:
        said = ["--recipe", "roberta-base"] if "--preset" in more else ["--size", "tiny"]
        command = ["pretrain", "--data", str(shards), "--out", str(tmp_path / "run"), *said]
        main([*command, *(() if "--hours" in more else ("--steps", "2")), *more])
    stderr = capsys.readouterr().err
    assert exit.value.code == 2 and message in stderr and stderr.count("\n") == 1


def test_the_command_stops_and_goes_on(shards, tmp_path, capsys, monkeypatch):
    command = ["pretrain", "--data", str(shards), "--out", str(tmp_path / "run"), "--size", "tiny"]
    command += ["--steps", "6", "--batch-size", "8", "--sequence-length", "32", "--log-every", "2"]
    command += ["--loss-weights", "mlm:0.5"]
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as exit:
        stop_at_first_row(patch, signal.SIGTERM)
        main(command)
    assert exit.value.code == 128 + signal.SIGTERM
    assert "stopped by SIGTERM after step 2; the same command goes on" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit:
        main(command)
    output = capsys.readouterr()
    assert not exit.value.code and "going on from step 2" in output.err
    assert re.search(r"drawn: \S+% de, \S+% en; \S+% of it padding", output.err)
    assert "en mlm_loss" in output.out and "de mlm_accuracy" in output.out


@pytest.mark.slow
def test_killed_five_times_a_run_ends_with_the_same_weights(english_shards, tmp_path):
    script = pathlib.Path(__file__).with_name("killed_runs.py")
    command = [sys.executable, script, english_shards, tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("going on from step") == 5
    assert_same_state(tmp_path / "killed", tmp_path / "whole")
    logs = [(tmp_path / run / "log.csv").read_text() for run in ("killed", "whole")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 7
