"""The directory of a pre-training run: what goes on there, and what is another run."""

import json
import shutil

import pytest
from pretraining_runs import options

from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.jobs.pretrain.run_directory import RunDirectory

pytestmark = pytest.mark.usefixtures("tinier")


@pytest.fixture(scope="module")
def begun(tinier, shards, tmp_path_factory):
    """The directory of a run that has begun, and saved a state."""
    path = tmp_path_factory.mktemp("begun")
    RunDirectory(path).open(options(), open_shards(shards))
    save_nothing(path)
    return path


def save_nothing(path):
    """Makes a run look as if it had come as far as to a saved state."""
    (path / "states").mkdir()
    (path / "states" / "step-00000002.safetensors").touch()


def test_a_run_from_before_an_option_was_there(shards, begun, tmp_path):
    path = shutil.copytree(begun, tmp_path / "run")
    record = json.loads((path / "run.json").read_text())
    for name in ("initializer", "initial_embeddings", "batch_ramp"):
        del record["options"][name]
    del record["options"]["model"]["norm_first"]
    (path / "run.json").write_text(json.dumps(record))
    RunDirectory(path).open(options(), open_shards(shards))
    with pytest.raises(InputError, match="with initial_embeddings random, not cooccurrence"):
        RunDirectory(path).open(options(initial_embeddings="cooccurrence"), open_shards(shards))


def test_a_trailing_slash_makes_no_other_run(shards, begun, tmp_path):
    path, preset = shutil.copytree(begun, tmp_path / "run"), tmp_path / "preset"
    record = json.loads((path / "run.json").read_text())
    record["options"] |= {"size": None, "preset": f"{preset}/"}  # as it was written once
    (path / "run.json").write_text(json.dumps(record))
    for spelt in (preset, f"{preset}/"):
        RunDirectory(path).open(options(size=None, preset=spelt), open_shards(shards))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(seed=1), "a run with seed 0, not 1"),
        (dict(batch_size=16), "a run with batch_size 8, not 16"),
        (dict(objectives=("mlm", "sop")), r"objectives \['mlm'\], not \['mlm', 'sop'\]"),
        (dict(size="mini"), "a run with size tiny, not mini"),
        (dict(steps=3), "a run with steps 12, not 3"),
        (dict(norm_first=True), "a run with norm_first None, not True"),
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


def test_directories_that_are_no_run(shards, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="exists and is not empty.*--overwrite"):
        pretrain(shards, tmp_path, options())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(InputError, match="no such directory"):
        pretrain(tmp_path / "none", tmp_path / "run", options())
    assert not (tmp_path / "run").exists()
