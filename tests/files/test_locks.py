"""One process at a time writes to an output, and the next is told which."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading

import pytest

from keras_roberta.errors import InputError, OutputError
from keras_roberta.files.atomic_write import atomic_directory, atomic_file
from keras_roberta.files.hold_output import hold_directory, hold_output
from keras_roberta.files.output_checks import check_output_directory, check_output_file
from keras_roberta.files.room import check_room

HOLDER = """
import sys
from keras_roberta.files.hold_output import hold_output
with hold_output(sys.argv[1], make=sys.argv[2] == "make"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(out, make="make"):
    """A process that holds an output."""
    command = [sys.executable, "-c", HOLDER, str(out), make]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_the_second_process_is_told_who_is_first(tmp_path):
    out = tmp_path / "out"
    with another_process(out) as first:
        before = sorted(tmp_path.rglob("*"))
        for hold in (hold_output, lambda path: hold_output(path, make=True), hold_directory):
            with pytest.raises(OutputError) as caught, hold(out):
                raise AssertionError("both hold it")
            message = str(caught.value)
            host = os.uname().nodename
            assert message.startswith(f"{out}: cannot be written (in use by process {first.pid} ")
            assert f"on {host} since 20" in message and "\n" not in message
        with pytest.raises(OutputError, match=f"in use by process {first.pid}"):
            with atomic_directory(out):
                pass
        assert sorted(tmp_path.rglob("*")) == before
        first.send_signal(signal.SIGKILL)
        first.wait()
        with hold_output(out, make=True):  # nothing of a killed process locks anything
            pass
    assert list(tmp_path.iterdir()) == [out] and list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["model.tflite", "not/there/yet"])
def test_what_is_not_there_is_locked_beside(tmp_path, name):
    out = tmp_path / name
    with another_process(out, "beside"):
        assert not out.exists()
        with pytest.raises(OutputError, match="in use by process"), hold_output(out):
            pass
    with hold_output(out):
        pass
    assert not out.exists() and not list(out.parent.glob("*"))


def test_a_directory_that_was_made_for_nothing_is_removed(tmp_path):
    for make in (True, False):
        with pytest.raises(RuntimeError), hold_output(tmp_path / "a" / "b", make=make):
            raise RuntimeError
        assert list(tmp_path.iterdir()) == []
    with hold_output(tmp_path / "a" / "b", make=True):
        (tmp_path / "a" / "b" / "x").touch()
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["x"]


def test_held_within_and_by_links(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "link").symlink_to(out)
    with hold_output(out), hold_output(tmp_path / "link"), atomic_directory(out) as new:
        (new / "x").write_text("1")
    assert [p.name for p in out.iterdir()] == ["x"]
    with another_process(out), pytest.raises(OutputError, match="link: .*in use"):
        with hold_output(tmp_path / "link"):
            pass


def test_another_thread_waits_for_nothing(tmp_path):
    errors = []

    def second():
        try:
            with hold_output(tmp_path):
                pass
        except OutputError as error:
            errors.append(str(error))

    with hold_output(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(errors) == 1 and f"process {os.getpid()}" in errors[0]


def test_a_fork_does_not_give_back_what_its_parent_holds(tmp_path):
    with hold_output(tmp_path):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException), contextlib.ExitStack() as stack:
                stack.enter_context(hold_output(tmp_path))
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert (tmp_path / ".lock").exists()


def test_only_an_empty_directory_is_taken_without_a_word(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".lock").touch()  # a killed process left it
    for name in ("empty", "new"):
        with hold_directory(tmp_path / name):
            pass
    for name, message in (("full", "exists and is not empty"), ("file", "is a file")):
        with pytest.raises(InputError, match=message), hold_directory(tmp_path / name):
            pass
    with hold_directory(tmp_path / "full", overwrite=True):
        pass


def test_a_file_system_without_locks_warns(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with hold_output(tmp_path), atomic_file(tmp_path / "x") as path:
        path.touch()
    assert "no locks" in caplog.text and (tmp_path / "x").exists()


def test_one_who_holds_what_was_not_there_yet_holds_it_when_it_is(tmp_path):
    out = tmp_path / "out"
    with another_process(out, "beside") as first:
        out.mkdir()
        for make in (False, True):
            with pytest.raises(OutputError, match=f"in use by process {first.pid}"):
                with hold_output(out, make=make):
                    pass
        assert list(out.iterdir()) == []
        first.send_signal(signal.SIGKILL)
        first.wait()
        with hold_output(out):
            pass
    assert list(tmp_path.iterdir()) == [out] and list(out.iterdir()) == []


def as_another_user(function):
    """Runs a function in a process without the rights of the administrator, if it has them.

    Returns:
        what the function raised, as text; "" for nothing.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        message = ""
        try:
            signal.alarm(20)  # of a process that waits for ever nothing comes
            if not os.geteuid():
                os.setegid(65534)
                os.seteuid(65534)
            function()
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
        os.write(writer, message.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        message = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return message


@pytest.fixture
def open_place():
    """A directory that other users can enter too."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


def test_a_directory_that_may_not_be_written_to(open_place):
    out = open_place / "out"
    out.mkdir()
    out.chmod(0o555)
    (open_place / "closed").mkdir()
    (open_place / "closed").chmod(0)
    refused = "cannot be written (Permission denied); give another place"
    for path in (out, out / "new", out / "a.json"):
        for make in (False, True):
            if path == out / "a.json" and make:
                continue
            message = as_another_user(lambda p=path, m=make: enter(hold_output(p, make=m)))
            assert message == f"OutputError: {path}: {refused}"
    within = open_place / "closed" / "out"
    for check in (
        lambda: check_output_directory(within, overwrite=False),
        lambda: check_output_file(within),
        lambda: check_room(within),
    ):
        assert as_another_user(check) == f"OutputError: {within}: {refused}"
    (open_place / "closed").chmod(0o755)


def enter(context):
    with context:
        pass


def test_a_left_over_lock_of_another_user_does_not_fail_what_is_done(open_place):
    out = open_place / "out"
    out.mkdir()
    (out / ".lock").write_text("process 1 on a machine that is gone")
    out.chmod(0o1777)  # as /tmp: anybody may write, and remove his own
    (out / ".lock").chmod(0o644)

    def write():
        with hold_output(out):
            (out / "x").touch()

    assert as_another_user(write) == ""
    assert (out / "x").exists()


def test_a_place_that_takes_no_files_is_refused(tmp_path):
    with (
        pytest.raises(OutputError, match="cannot be written .No such file"),
        hold_output("/proc/x"),
    ):
        pass
