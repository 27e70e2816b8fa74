"""A directory that comes from elsewhere changes nothing outside itself, whatever lies in it.

To open or to write a directory ends what a killed command left half-done there. What says so may
have been put there by anybody.
"""

import json
import os
import pathlib

import pytest

from keras_roberta.checkpoints.keras_preset import remove_preset
from keras_roberta.errors import InputError, OutputError
from keras_roberta.export.metadata import read_metadata
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.replacing import REPLACEMENT, finish_replacing
from keras_roberta.jobs.predictor import is_exported
from keras_roberta.jobs.prepare import shards_directory
from keras_roberta.tokenizers import open_tokenizer


@pytest.fixture
def world(tmp_path):
    """A directory with somebody's files, and a preset beside them."""
    for name in ("mine.txt", "victim/mine.txt", "victim/x", "preset/config.json", "preset/sub/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    (tmp_path / "empty").mkdir()
    return tmp_path


def listing(directory):
    """{name: what is there}, without following links."""
    found = {}
    for folder, folders, files in os.walk(directory):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            name = os.path.relpath(path, directory)
            if os.path.islink(path):
                found[name] = os.readlink(path)
            else:
                is_file = os.path.isfile(path)
                found[name] = pathlib.Path(path).read_bytes() if is_file else "no file"
    return found


def plan(preset, files=(), removed=(), lying=None):
    """Leaves a replacement half-done."""
    new = preset / REPLACEMENT
    for name in files if lying is None else lying:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_text("new")
    new.mkdir(exist_ok=True)
    (new / ".plan.json").write_text(json.dumps({"files": list(files), "removed": list(removed)}))


def removes(name):
    return lambda world: plan(world / "preset", removed=[name.format(world=world)])


def moves(name):
    """A plan that names a file outside; what `.replacement` / name is, is there already."""
    return lambda world: plan(world / "preset", files=[name.format(world=world)], lying=[])


def content_of_plan(text):
    def attack(world):
        plan(world / "preset")
        (world / "preset" / REPLACEMENT / ".plan.json").write_bytes(text)

    return attack


def linked(name, target, *, files=(), removed=()):
    """A plan, and a link in the preset."""

    def attack(world):
        lying = [f for f in files if not (f"{REPLACEMENT}/{f}").startswith(f"{name}/")]
        plan(world / "preset", files, removed, [f for f in lying if f"{REPLACEMENT}/{f}" != name])
        link = world / "preset" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(world / target)

    return attack


def the_replacement_is_a_link(world):
    plan(world / "victim", files=["x"])
    (world / "preset" / REPLACEMENT).symlink_to(world / "victim" / REPLACEMENT)


def the_replacement_is_a_link_to_files_of_others(world):
    (world / "preset" / REPLACEMENT).symlink_to(world / "victim")


def a_pipe_in_the_replacement(world):
    plan(world / "preset", files=["x"], lying=[])
    os.mkfifo(world / "preset" / REPLACEMENT / "x")


def the_plan_is_a_pipe(world):
    (world / "preset" / REPLACEMENT).mkdir()
    os.mkfifo(world / "preset" / REPLACEMENT / ".plan.json")


def the_lock_is_hard_linked(world):
    plan(world / "preset", files=["x"])
    os.link(world / "victim" / "mine.txt", world / "preset" / ".lock")


def the_lock_is_a_pipe(world):
    plan(world / "preset", files=["x"])
    os.mkfifo(world / "preset" / ".lock")


def no_plan(world):
    (world / "preset" / REPLACEMENT).mkdir()
    (world / "preset" / REPLACEMENT / "somebodys.txt").write_text("kept")


ATTACKS = {
    "removes above": removes("../victim/mine.txt"),
    "removes above, by a detour": removes("sub/../../victim/mine.txt"),
    "removes above, through a folder that is not there": removes("no/../../mine.txt"),
    "removes an absolute name": removes("{world}/victim/mine.txt"),
    "removes with two slashes": removes("/{world}/mine.txt"),
    "removes a directory": removes("sub"),
    "removes the directory itself": removes("."),
    "removes nothing": removes(""),
    "removes above itself": removes(".."),
    "removes hidden files": removes(".git/config"),
    "removes a name with a zero byte": removes("a\0b"),
    "removes half a surrogate pair": removes("a\ud800"),
    "removes below a file": removes("config.json/x"),
    "moves above": moves("../mine.txt"),
    "moves from below it": moves("sub/../../../victim/x"),
    "moves an absolute name": moves("{world}/victim/mine.txt"),
    "moves onto a directory": lambda world: plan(world / "preset", files=["sub"]),
    "moves below a file": lambda world: plan(world / "preset", files=["config.json/x"]),
    "moves hidden files": lambda world: plan(world / "preset", files=[".git/hooks/pre-commit"]),
    "moves what its plan does not name": lambda world: plan(world / "preset", lying=["x"]),
    "the folder of a file to remove is a link": linked("out", "victim", removed=["out/mine.txt"]),
    "the folder of a new file is a link": linked("out", "victim", files=["out/mine.txt"]),
    "a folder of the replacement is a link": linked(
        f"{REPLACEMENT}/out", "victim", files=["out/mine.txt"]
    ),
    "a file of the replacement is a link": linked(
        f"{REPLACEMENT}/mine.txt", "victim/mine.txt", files=["mine.txt"]
    ),
    "the plan is a link": linked(f"{REPLACEMENT}/.plan.json", "mine.txt"),
    "the lock is a link": linked(".lock", "victim/mine.txt", files=["x"]),
    "the lock is a link to what is not there": linked(".lock", "victim/new", files=["x"]),
    **{
        function.__name__.replace("_", " "): function
        for function in (
            the_replacement_is_a_link,
            the_replacement_is_a_link_to_files_of_others,
            a_pipe_in_the_replacement,
            the_plan_is_a_pipe,
            the_lock_is_hard_linked,
            the_lock_is_a_pipe,
            no_plan,
        )
    },
    "a plan that is no JSON": content_of_plan(b"{"),
    "a plan that is no text": content_of_plan(b"\xff\xfe\x00"),
    "a plan that is a list": content_of_plan(b"[]"),
    "a plan without names": content_of_plan(b"{}"),
    "a plan with a number for names": content_of_plan(b'{"files": 3, "removed": []}'),
    "a plan with a text for names": content_of_plan(b'{"files": [], "removed": "mine.txt"}'),
    "a plan with numbers as names": content_of_plan(b'{"files": [3], "removed": []}'),
    "a plan with lists as names": content_of_plan(b'{"files": [], "removed": [["x"]]}'),
}


def opened_as(path):
    """What readers and writers of a directory do first."""
    return {
        "a reader": lambda: finish_replacing(path),
        "a tokenizer": lambda: open_tokenizer(path),
        "an export": lambda: read_metadata(path),
        "a predictor": lambda: is_exported(path),
        "a writer": lambda: write_new(path),
        "a holder": lambda: hold(path),
    }


def write_new(path):
    with atomic_directory(path) as new:
        (new / "y").write_text("new")


def hold(path):
    with hold_output(path):
        pass


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_it_is_refused_and_nothing_is_changed(world, attack):
    attack(world)
    before = listing(world)
    for name, opener in opened_as(world / "preset").items():
        with pytest.raises(InputError) as caught:
            opener()
        message = str(caught.value)
        assert message.startswith(str(world / "preset")) and "\n" not in message, name
        assert listing(world) == before, name


def test_what_is_ours_is_still_finished(world):
    preset = world / "preset"
    # As one that was killed leaves it: `moved` has its name already.
    plan(preset, ["moved", "sub/b", "config.json"], ["sub/a", "gone"], ["sub/b", "config.json"])
    (preset / "moved").write_text("new")
    finish_replacing(preset)
    expected = {"moved": b"new", "sub": "no file", "sub/b": b"new", "config.json": b"new"}
    assert listing(preset) == expected


def test_links_to_directories_in_a_directory_that_is_written(world):
    preset = world / "preset"
    (preset / "assets").symlink_to(world / "victim")
    before, victim = listing(world), listing(world / "victim")
    with pytest.raises(OutputError, match="assets is no directory.; remove that first"):
        with atomic_directory(preset, replaces=["assets/*"]) as new:
            (new / "assets").mkdir()
            (new / "assets" / "mine.txt").write_text("new")
    assert listing(world) == before
    with atomic_directory(preset, replaces=["**/*"]) as new:
        (new / "y").write_text("new")
    assert listing(world / "victim") == victim


def test_a_preset_is_removed_without_what_its_links_lead_to(world):
    preset = world / "preset"
    (preset / "assets" / "tokenizer" / "mine").mkdir(parents=True)  # somebody's own folder
    (preset / "assets" / "tokenizer" / "vocab.json").touch()
    (preset / "task.json").symlink_to(world / "mine.txt")
    remove_preset(preset)
    assert set(listing(preset)) == {
        *("assets", "assets/tokenizer", "assets/tokenizer/mine"),
        *("sub", "sub/a"),
    }
    (preset / "assets" / "tokenizer" / "mine").rmdir()
    (preset / "assets" / "tokenizer").rmdir()
    (preset / "assets" / "tokenizer").symlink_to(world / "victim")
    before = listing(world)
    remove_preset(preset)
    assert listing(world) == before and (world / "mine.txt").exists()


def test_a_sweep_follows_no_links(world):
    (world / "victim" / ".lock").touch()
    (world / "preset" / ".out.12345678").symlink_to(world / "victim")
    (world / "preset" / ".out.abcdefgh").mkdir()
    (world / "preset" / ".out.abcdefgh" / ".lock").symlink_to(world / "mine.txt")
    before = listing(world)
    with hold_output(world / "preset"):
        pass
    assert listing(world) == before


@pytest.mark.parametrize("name", ["../mine.txt", "{world}/mine.txt", "sub/a", 3, None, ["x"], ""])
def test_shards_of_others_are_overwritten_without_what_they_name(world, name):
    out = world / "preset"
    name = name.format(world=world) if isinstance(name, str) else name
    ours = "train-en-00000-of-00001.tfrecord"
    (out / ours).touch()
    entries = [{"name": name}, {"name": ours}]
    manifest = {"shards": {"train": {"en": entries}}}
    (out / "manifest.json").write_text(json.dumps(manifest))
    before = listing(world)
    shards_directory.begin(out, "a job", overwrite=True)
    after = listing(world)
    gone = {f"preset/{ours}", "preset/manifest.json"}
    assert {k: v for k, v in after.items() if ".progress" not in k} == {
        k: v for k, v in before.items() if k not in gone
    }
