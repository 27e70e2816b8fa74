"""The room that `prepare` asks for before it begins."""

import shutil
import types

import pytest

from keras_roberta.data.corpus.corpora import CorpusOptions, work_units
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.prepare.least_room import least_room
from keras_roberta.jobs.prepare.one_machine import prepare

OPTIONS = PrepareOptions(CorpusOptions("line"), near_duplicates=0)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"a lovely film of {i} warm words" for i in range(200)))
    return path


def free_room(monkeypatch, num_bytes):
    usage = types.SimpleNamespace(free=num_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


def test_a_disk_that_is_surely_too_small(corpus, tokenizer, tmp_path, monkeypatch):
    out, needed = tmp_path / "out", least_room(work_units(corpus, OPTIONS.corpus), tokenizer)
    free_room(monkeypatch, (1 << 20) + needed - 1)
    with pytest.raises(InputError, match=r"out: cannot be written \(it takes .* are free\)"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert not (out / ".progress" / "parts").exists()
    free_room(monkeypatch, (1 << 20) + needed)
    prepare(corpus, tokenizer, out, OPTIONS, processes=1)


def test_old_shards_stay_where_new_ones_have_no_room(corpus, tokenizer, tmp_path, monkeypatch):
    out, needed = tmp_path / "out", least_room(work_units(corpus, OPTIONS.corpus), tokenizer)
    prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    shards = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    old = sum(len(data) for path, data in shards.items() if path.suffix != ".json")
    assert 0 < old < (1 << 20)
    free_room(monkeypatch, (1 << 20) + needed - old - 1)
    with pytest.raises(InputError, match="are free with what it replaces"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1, overwrite=True)
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == shards
    free_room(monkeypatch, (1 << 20) + needed - old)
    prepare(corpus, tokenizer, out, OPTIONS, processes=1, overwrite=True)


def test_the_least_room_is_less_than_tokens_take(corpus, tokenizer, tmp_path):
    needed = least_room(work_units(corpus, OPTIONS.corpus), tokenizer)
    manifest = prepare(corpus, tokenizer, tmp_path / "out", OPTIONS, processes=1)
    tokens = [n["tokens"] for split in manifest["counts"].values() for n in split.values()]
    assert 0 < needed < 2 * sum(tokens)
    # As long as may be: the longest token again and again, and as much white space.
    longest = max(tokenizer.token_texts(), key=lambda text: len((text or "").encode()))
    text = longest * 500
    (tmp_path / "a.txt").write_text(text + "\n" * len(text.encode()))
    units = work_units(tmp_path / "a.txt", OPTIONS.corpus)
    ids = tokenizer.encode_batch([text], add_special_tokens=False)[0]
    assert len(ids) >= least_room(units, tokenizer) // 2 > 400


def test_no_room_is_asked_for_what_may_be_nothing(tokenizer, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "other": "%s"}' % (10**6 * "b"))
    assert least_room(work_units(tmp_path / "a.jsonl", OPTIONS.corpus), tokenizer) == 0
    (tmp_path / "a.txt").write_text("a " * 10**5)
    any_text = types.SimpleNamespace(byte_lengths=lambda: None)
    assert least_room(work_units(tmp_path / "a.txt", OPTIONS.corpus), any_text) == 0
