"""Finding a preset's directory, with the hub's client replaced."""

import huggingface_hub
import pytest

from keras_roberta.errors import InputError
from keras_roberta.files.hub import local_directory


def test_a_directory_is_itself(tmp_path):
    assert local_directory(tmp_path, ["*"]) == tmp_path
    assert local_directory(str(tmp_path), ["*"]) == tmp_path


def test_the_hub_is_asked_for_what_matches(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(name, allow_patterns):
        asked.append((name, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert local_directory("hf://org/name", ["*.json"]) == tmp_path
    assert asked == [("org/name", ["*.json"])]


def test_what_cannot_be_found_is_named(tmp_path, monkeypatch):
    def snapshot_download(name, allow_patterns):
        raise OSError("404 Client Error\nRequest ID: 1")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    (tmp_path / "file").touch()
    for src, message in (
        ("hf://org/name", r"^hf://org/name: cannot be fetched \(404 Client Error\)"),
        (tmp_path / "absent", "absent: no such directory"),
        (tmp_path / "file", "file: is a file, not a directory"),
    ):
        with pytest.raises(InputError, match=message):
            local_directory(src, ["*"])
