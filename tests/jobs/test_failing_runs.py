"""Pre-training runs that cannot go on: data, numbers, disks and options that do not fit."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from pretraining_runs import newest_state, options, rows

from keras_roberta.cli import main
from keras_roberta.data.pretraining.batches import pretraining_batches
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.training.runs.run_log import CsvLog

pytestmark = pytest.mark.usefixtures("tinier")


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
