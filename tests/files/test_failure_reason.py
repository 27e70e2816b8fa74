"""An error may come without text; what users read must not."""

import contextlib
import pathlib
import re

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.output_errors import output_errors

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(), "OSError"),
        (PermissionError(), "PermissionError"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (FileNotFoundError(2, "No such file or directory", "x"), "No such file or directory"),
        (OSError("unable to open\ndetails"), "unable to open"),
        (OSError("\n \n"), "OSError"),
        (OSError(None, None), "[Errno None] None"),
        (OSError(5, ""), "[Errno 5]"),
        (ValueError(""), "ValueError"),
        (ValueError("\nsecond line first"), "second line first"),
    ],
)
def test_the_reason_is_one_line_and_never_empty(error, reason):
    assert reason_of(error) == reason


def raises(error):
    def function(*args, **kwargs):
        raise error

    return function


@contextlib.contextmanager
def on_a_broken_disk(monkeypatch, error):
    with monkeypatch.context() as patch:
        for name in ("read_text", "read_bytes", "stat"):
            patch.setattr(pathlib.Path, name, raises(error))
        patch.setattr("builtins.open", raises(error))
        patch.setattr(np, "fromfile", raises(error))
        yield


@pytest.mark.parametrize("error", [OSError(), OSError("\n"), PermissionError()])
def test_readers_say_why_when_the_system_does_not(tmp_path, monkeypatch, error):
    name = f"cannot be read \\({type(error).__name__}\\)"
    (tmp_path / "a.json").write_text("{}")
    write_safetensors(tmp_path / "model.safetensors", {"a": np.zeros(3, np.float32)})
    state = open_state_dict(tmp_path)
    for read in (
        lambda: read_json_object(tmp_path / "a.json", hint=""),
        lambda: state["a"],
    ):
        with pytest.raises(InputError, match=name), on_a_broken_disk(monkeypatch, error):
            read()
    with pytest.raises(InputError, match=f"written \\({type(error).__name__}\\)"):
        with output_errors("out"):
            raise error


@pytest.mark.parametrize("error", [OSError(), ValueError("\n"), KeyError()])
def test_weights_that_keras_cannot_read_without_saying_why(config, tmp_path, monkeypatch, error):
    kr.RobertaBackbone(config).save_to_preset(tmp_path / "preset")
    monkeypatch.setattr(kr.RobertaBackbone, "load_weights", raises(error))
    with pytest.raises(InputError, match=f"weights.h5: .*weights \\({type(error).__name__}\\)"):
        kr.RobertaBackbone.from_preset(tmp_path / "preset")


def test_every_message_takes_the_reason_from_there():
    for path in [*ROOT.glob("keras_roberta/**/*.py"), *ROOT.glob("export/**/*.py")]:
        if path.name != "failure_reason.py":
            # What an error says of itself; `os.strerror` says what a number means.
            assert not re.search(r"(?<!\bos)\.strerror|[\"']strerror", path.read_text("utf-8")), (
                path
            )


def test_messages_are_one_line_of_bounded_length():
    message = str(InputError("a.tsv: the name " + "x\n" * 10_000 + " is wrong; give another"))
    assert message.startswith("a.tsv: the name x x") and message.endswith("is wrong; give another")
    assert len(message) < 1100 and "\n" not in message
