"""What `prepare` notes for itself while it runs, damaged."""

import contextlib

import pytest

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.prepare.one_machine import prepare

OPTIONS = PrepareOptions(CorpusOptions("line"), near_duplicates=0)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"a lovely film of {i} warm words" for i in range(200)))
    return path


@pytest.mark.parametrize("content", ["", "{}", "[" * 100_000, '{"cut": -1}'])
def test_damaged_notes_of_a_run_by_beam_are_named(
    corpus, tokenizer, tmp_path, monkeypatch, content
):
    pytest.importorskip("apache_beam")
    from keras_roberta.jobs.prepare import beam

    def build(pipeline, job, records):
        records.mkdir(parents=True, exist_ok=True)
        (records / "dropped.json").write_text(content)

    monkeypatch.setattr(beam, "_build", build)
    monkeypatch.setattr(beam.beam, "Pipeline", lambda options: contextlib.nullcontext())
    with pytest.raises(InputError, match=r"dropped\.json: (not JSON|exact_duplicates: missing)"):
        beam.prepare(corpus, tokenizer, tmp_path / "out", OPTIONS)


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000])
def test_a_damaged_note_of_the_job_is_that_of_another(corpus, tokenizer, tmp_path, content):
    note = tmp_path / "out" / ".progress" / "job.json"
    note.parent.mkdir(parents=True)
    note.write_bytes(content)
    (tmp_path / "out" / "manifest.json").touch()
    with pytest.raises(InputError, match="there are shards already"):
        prepare(corpus, tokenizer, tmp_path / "out", OPTIONS, processes=1)
    note.parent.mkdir()
    note.write_bytes(content)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(InputError, match="holds an unfinished run with other options"):
        prepare(corpus, tokenizer, tmp_path / "out", OPTIONS, processes=1)
    (tmp_path / "out" / "manifest.json").write_bytes(content)
    prepare(corpus, tokenizer, tmp_path / "out", OPTIONS, processes=1, overwrite=True)
