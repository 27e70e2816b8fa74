"""Files and directories are whole at every moment, also of a process that is killed."""

import contextlib
import errno
import os
import pathlib
import stat
import subprocess
import sys

import pytest
from old_and_new import NEW, OLD, content, fill, write_new

from keras_roberta.errors import InputError, OutputError
from keras_roberta.files.atomic_write import atomic_directory, atomic_file
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.replacing import finish_replacing


@pytest.mark.parametrize("scenario", ["directory_replaced", "new_directory", "file_replaced"])
def test_whole_wherever_the_process_is_killed(tmp_path, scenario):
    script = pathlib.Path(__file__).with_name("killed_writers.py")
    command = [sys.executable, str(script), scenario, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_was_there_stays_until_the_new_is_whole(tmp_path):
    path, directory = tmp_path / "a.json", tmp_path / "out"
    path.write_text("old")
    fill(directory, OLD)
    with contextlib.suppress(KeyError), atomic_file(path) as new:
        new.write_text("half")
        assert path.read_text() == "old"
        raise KeyError
    with contextlib.suppress(KeyError), atomic_directory(directory) as new:
        fill(new, NEW)
        assert content(directory) == OLD
        raise KeyError
    assert (path.read_text(), content(directory)) == ("old", OLD)
    with atomic_file(path) as new:
        new.write_text("new")
        number = new.stat().st_ino
        assert path.read_text() == "old"
    assert path.read_text() == "new" and path.stat().st_ino == number  # renamed, not copied
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "out"]


def test_what_is_being_written_is_not_swept(tmp_path):
    with atomic_file(tmp_path / "a.json") as first:
        first.write_text("1")
        with hold_output(tmp_path / "a.json"), atomic_directory(tmp_path) as other:
            (other / "b").write_text("2")
        assert first.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b"]


def test_directories_of_others_are_not_swept(tmp_path):
    names = [".out.original", ".out.abcdefgh", ".other.12345678", ".out.empty_at"]
    for name in names[:3]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".mine.settings").mkdir()
    with hold_output(tmp_path / "out"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {*names[:3], "out"}
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".mine.settings"]


def test_an_unfinished_replacement_where_nothing_can_be_written(tmp_path, monkeypatch):
    out = tmp_path / "out"
    fill(out, OLD)
    with contextlib.suppress(KeyboardInterrupt), monkeypatch.context() as patch:
        patch.setattr("keras_roberta.files.replacing._finish", interrupt)
        write_new(out)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(InputError, match="was killed while it replaced .*Read-only"):
            finish_replacing(out)
    finish_replacing(out)
    assert content(out) == OLD | NEW


def interrupt(*_):
    raise KeyboardInterrupt


def refuse(path, *_):
    raise OSError(errno.EROFS, "Read-only file system", path)


def test_a_directory_in_the_way_of_a_file(tmp_path):
    fill(tmp_path, OLD)
    (tmp_path / "sub" / "b").mkdir()
    with pytest.raises(OutputError, match="cannot be written .sub/b is a directory"):
        write_new(tmp_path)
    assert content(tmp_path) == OLD and not list(tmp_path.glob(".*"))


def test_a_file_in_the_way_of_a_directory(tmp_path):
    fill(tmp_path, {"config.json": "old", "sub": "a file"})
    with pytest.raises(OutputError, match="cannot be written .sub is no directory.; remove that"):
        write_new(tmp_path)
    assert content(tmp_path) == {"config.json": "old", "sub": "a file"}
    assert not list(tmp_path.glob(".*"))
    (tmp_path / "sub").unlink()
    write_new(tmp_path)
    assert content(tmp_path) == NEW


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, mask):
    def private(path):
        path.write_text("x")
        path.chmod(0o600)

    old = os.umask(mask)
    try:
        with atomic_file(tmp_path / "file") as path:
            private(path)
        with atomic_directory(tmp_path / "directory") as path:
            (path / "sub").mkdir()
            private(path / "sub" / "file")
    finally:
        os.umask(old)
    for name, mode in (("file", 0o666), ("directory/sub/file", 0o666), ("directory", 0o777)):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode & ~mask, name
    (tmp_path / "file").chmod(0o640)
    with atomic_file(tmp_path / "file") as path:
        private(path)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640  # as its owner wanted it


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device.; make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "Disk quota exceeded.; make room"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system.; give another"),
        (RuntimeError("{{node x}} failed: No space left on device [Op:Save]"), "No space left"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
    ],
)
def test_what_the_system_refuses_is_one_line(tmp_path, error, message):
    for write, name in ((atomic_file, "a.json"), (atomic_directory, "new")):
        with pytest.raises(OutputError, match=f"{name}: cannot be written .{message}"):
            with write(tmp_path / name) as path:
                if write is atomic_directory:
                    (path / "half").write_text("half")
                raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), KeyError("x"), ValueError()])
def test_other_errors_stay_what_they_are(tmp_path, error):
    with pytest.raises(type(error)) as caught, atomic_file(tmp_path / "x"):
        raise error
    assert caught.value is error and list(tmp_path.iterdir()) == []


def test_a_file_elsewhere_is_named_itself(tmp_path):
    with pytest.raises(InputError, match="^/nowhere/corpus.txt: Permission denied; put that right"):
        with atomic_file(tmp_path / "x"):
            raise PermissionError(errno.EACCES, "Permission denied", "/nowhere/corpus.txt")


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "x", tmp_path / ("x" * 300)):
        for write in (atomic_file, atomic_directory):
            with pytest.raises(OutputError), write(out):
                pass
        with pytest.raises(OutputError), hold_output(out):
            pass
    assert [p.name for p in pathlib.Path(tmp_path).iterdir()] == ["file"]
