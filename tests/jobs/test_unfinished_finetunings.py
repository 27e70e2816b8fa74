"""A fine-tuning that was killed goes on as if it had not been; another one is refused."""

import concurrent.futures
import errno
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError, OutputError
from keras_roberta.files.hold_output import hold_output
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.unfinished_run import UnfinishedRun, check_place, run_record


@pytest.fixture
def directory(config, tokenizer, sentiment, tmp_path):
    """With `preset/`, an encoder with dropout, and `table.tsv`."""
    config = config.replace(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=16)
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor=preprocessor)
    task.save_to_preset(tmp_path / "preset")
    write_table(tmp_path / "table.tsv", *sentiment)
    return tmp_path


def write_table(path, texts, labels):
    rows = "".join(f"{label}\t{text}\n" for text, label in zip(texts, labels, strict=True))
    path.write_text("label\tsentence\n" + rows)


@pytest.mark.slow
def test_killed_twice_it_ends_with_the_same_weights(directory):
    script = pathlib.Path(__file__).with_name("killed_finetunings.py")
    command = [sys.executable, str(script), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.findall("going on after epoch ([0-9]+)", done.stderr) == ["1", "3"]
    killed, whole = (directory / name for name in ("killed", "whole"))
    assert (killed / "history.csv").read_text() == (whole / "history.csv").read_text()
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (killed, whole)]
    for values in metrics:
        del values["train_seconds"]
    assert metrics[0] == metrics[1]
    found, expected = (kr.open_task(run).get_weights() for run in (killed, whole))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {path.name for path in killed.iterdir()} == {path.name for path in whole.iterdir()}
    assert not (killed / "unfinished").exists()


@pytest.fixture
def begun(directory):
    """A function that gives a run of some options, as one that was begun left its record."""

    def run(**options):
        table = directory / "table.tsv"
        options = FinetuneOptions(**options).to_dict()
        record = run_record(directory / "preset", {"train": table, "dev": table}, options)
        return UnfinishedRun(directory / "out", record)

    run(epochs=3).begin()
    return run


def test_the_same_run_may_go_on(begun, directory):
    for same in (begun(epochs=3), begun(epochs=3, remat=True)):
        same.check(overwrite=False)
    check_place(directory / "out", overwrite=False)
    with begun(epochs=3).held(overwrite=False):
        assert begun(epochs=3).is_there


def test_another_run_is_refused(begun, directory, sentiment):
    with pytest.raises(InputError, match="a run with epochs 3, not 4.*--overwrite to start anew"):
        begun(epochs=4).check(overwrite=False)
    texts, labels = sentiment
    write_table(directory / "table.tsv", texts[:8], labels[:8])
    with pytest.raises(InputError, match="another train file, or the file was changed"):
        begun(epochs=3).check(overwrite=False)
    (directory / "out/unfinished/run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run.json: cannot be read.*--overwrite"):
        begun(epochs=3).check(overwrite=False)


def test_overwriting_starts_anew(begun, directory):
    with begun(epochs=4).held(overwrite=True):
        assert not (directory / "out/unfinished").exists()


def test_overwriting_starts_anew_where_only_states_were_left(begun, directory):
    """Removing a run was interrupted after its record."""
    run = begun(epochs=3)
    run.states.mkdir()
    (run.states / "state.json").write_text("{}")
    (run.directory / "run.json").unlink()
    with run.held(overwrite=True):
        assert not run.directory.exists()


def test_what_cannot_be_removed_is_named(begun, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(OutputError, match="unfinished: .*Permission denied.*; remove it"):
        begun(epochs=3).remove()


def test_workers_that_write_nothing_are_not_in_each_others_way(begun, directory):
    with concurrent.futures.ThreadPoolExecutor(1) as other, hold_output(directory / "out"):
        other.submit(begun(epochs=3).check, overwrite=False).result()
    (directory / "out/unfinished/run.json").unlink()
    (directory / "out/notes.txt").write_text("of this worker's machine")
    begun(epochs=3).check(overwrite=False)
    with pytest.raises(InputError, match="exists and is not empty"):
        with begun(epochs=3).held(overwrite=False):
            pass


def test_what_is_no_run_is_not_gone_on_with(directory):
    out = directory / "out"
    shutil.copytree(directory / "preset", out)
    with pytest.raises(InputError, match="exists and is not empty"):
        check_place(out, overwrite=False)
