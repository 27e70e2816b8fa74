"""Pre-training runs that were stopped or killed go on as if they had not been."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from pretraining_runs import assert_same_state, newest_state, options, stop_at_first_row

from keras_roberta.cli import main
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.training.runs.budget import RunClock
from keras_roberta.training.runs.save_state import SaveState

pytestmark = pytest.mark.usefixtures("tinier")


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
def test_killed_twice_a_run_ends_with_the_same_weights(english_shards, tmp_path):
    script = pathlib.Path(__file__).with_name("killed_runs.py")
    command = [sys.executable, script, english_shards, tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("going on from step") == 2
    assert_same_state(tmp_path / "killed", tmp_path / "whole")
    logs = [(tmp_path / run / "log.csv").read_text() for run in ("killed", "whole")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 7
