"""No reader waits for what is no regular file, or reads it for ever: it is refused."""

import os
import pathlib

import pytest

from keras_roberta import export
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.checkpoints.torch_pickle import read_torch_file
from keras_roberta.data.corpus.corpora import CorpusOptions, Piece, read_documents
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.regular_file import read_regular
from keras_roberta.files.text_file import read_text_lines
from keras_roberta.tokenizers import open_tokenizer

READERS = {
    "config.json": lambda path: open_checkpoint(path.parent),
    "model.safetensors": lambda path: open_state_dict(path.parent),
    "pytorch_model.bin": read_torch_file,
    "tokenizer.json": lambda path: open_tokenizer(path.parent),
    "vocab.json": lambda path: open_tokenizer(path.parent),
    "a.tsv": read_table,
    "a.jsonl.gz": read_table,
    "a.txt": read_text_lines,
    "b.txt": lambda path: list(read_documents([Piece(str(path), "b.txt")], CorpusOptions())),
    "b.jsonl.gz": lambda path: list(read_documents([Piece(str(path), "b.gz")], CorpusOptions())),
    "manifest.json": lambda path: open_shards(path.parent),
    "m.tflite": export.read_metadata,
}


@pytest.mark.parametrize("name", READERS)
def test_a_fifo(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: is a FIFO .named pipe.; give a regular file"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", READERS)
def test_a_device(name, tmp_path):
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match=f"{name}: is a device; give a regular file"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", ["a\0b.tsv", "\ud800\0.tsv", "\0"])
def test_names_that_no_file_has(name, tmp_path):
    for read in (read_regular, read_text_lines, lambda path: read_json_object(path, hint="")):
        with pytest.raises(InputError, match="no file can have this name"):
            read(tmp_path / name)
    with pytest.raises(InputError):
        open_checkpoint(tmp_path / name)
    with pytest.raises(InputError, match="no such file|no file can have this name"):
        export.load(tmp_path / name)
    with pytest.raises(InputError, match="no file can have|unknown kind of table"):
        read_table(tmp_path / name)


def test_a_file_beyond_all_bounds(tmp_path):
    path = tmp_path / "config.json"
    with open(path, "wb") as file:
        file.truncate(1 << 40)  # takes no room
    with pytest.raises(InputError, match="has 1,099,511,627,776 bytes; such a file has at most"):
        read_json_object(path, hint="")


def test_a_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        assert read_regular(pathlib.Path(tmp_path, name)) == b"content"
