"""From a corpus to shards: the same ones in whatever way they are made."""

import errno
import gzip
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.errors import InputError, ReadError
from keras_roberta.jobs.prepare import job, shards_directory
from keras_roberta.jobs.prepare import one_machine as recipe
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers.training import train_byte_level_bpe

WORDS = "film warm lovely dull cold flat tedious funny simply fine".split()
OPTIONS = PrepareOptions(CorpusOptions("line", "file"), heldout=0.2, tokens_a_shard=1500)


def sentences(count, seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(5, 30))) + "." for _ in range(count)]


@pytest.fixture
def corpus(tmp_path):
    """Two languages in several files, with duplicates: exact, near, and across languages."""
    path = tmp_path / "corpus"
    path.mkdir()
    english, swedish = sentences(90, 1), sentences(30, 2)
    near = [" ".join(["word", *"a b c d e f g h i j k l m n o p q r s t u v w x y z".split()])] * 2
    near[1] += " end"
    (path / "en.1.txt").write_text("\n".join([*english, *near]))
    (path / "en.2.txt").write_text("\n".join([*english[:7], "only here."]))
    (path / "sv.txt").write_text("\n".join([*swedish, swedish[0], english[0]]))
    return path


def content(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in pathlib.Path(directory).rglob("*")
        if path.is_file()
    }


def texts(directory):
    shards = open_shards(directory)
    found = []
    for split, language in ((s, n) for s in ("train", "heldout") for n in shards.languages):
        for description in shards.descriptions(split, language):
            file = shards.open(description["name"])
            for document, length in enumerate(file.num_tokens):
                text = shards.tokenizer.decode(file.token_ids(document, 0, int(length)))
                found.append((split, language, text))
    return found


def test_documents_once_in_one_split(corpus, tokenizer, tmp_path):
    manifest = prepare(corpus, tokenizer, tmp_path / "out", OPTIONS, processes=1)
    found = texts(tmp_path / "out")
    lines = {line for path in corpus.iterdir() for line in path.read_text().splitlines() if line}
    names = [text for *_, text in found]
    assert len(names) == len(set(names)) == len(lines) - 1  # of the two like texts one is there
    assert set(names) < lines
    assert manifest["dropped"] == {"exact_duplicates": 9, "near_duplicates": 1, "cut": 0}
    for split in ("train", "heldout"):
        for language in ("en", "sv"):
            those = [text for s, name, text in found if (s, name) == (split, language)]
            counts = manifest["counts"][split][language]
            assert counts["documents"] == len(those) > 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name[0] == ".") == []


def chain(name):
    """Three texts, each 60 of 76 words in a row: the first and the last share the fewest."""
    words = [f"{name}{100 + i}" for i in range(76)]
    return [" ".join(words[8 * i : 8 * i + 60]) for i in range(3)]


@pytest.mark.parametrize("by_beam", [False, True])
def test_of_a_chain_of_like_documents_the_ends_stay(tokenizer, tmp_path, by_beam):
    """A is like B and B like C, but A is not like C: B alone goes, or A and C do."""
    chains = [chain(name) for name in "acijklopqw"]  # among them all orders of the keys
    (tmp_path / "a.txt").write_text("\n".join(text for texts in chains for text in texts))
    options = PrepareOptions(CorpusOptions("line"), heldout=0, near_duplicates=0.66)
    if by_beam:
        pytest.importorskip("apache_beam")
        from keras_roberta.jobs.prepare import beam

        manifest = beam.prepare(tmp_path / "a.txt", tokenizer, tmp_path / "out", options)
    else:
        manifest = prepare(tmp_path / "a.txt", tokenizer, tmp_path / "out", options, processes=1)
    kept = {text for *_, text in texts(tmp_path / "out")}
    for first, middle, last in chains:
        assert kept & {first, middle, last} in ({first, last}, {middle})
    assert manifest["dropped"]["near_duplicates"] == 3 * len(chains) - len(kept)


def test_a_field_of_another_meaning_is_passed_over(tokenizer, tmp_path):
    """`labels` of JSON lines are token labels only where their classes are named."""
    rows = [{"text": f"{text} {i}", "labels": 1} for i, text in enumerate(sentences(20, 5))]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    manifest = prepare(tmp_path / "a.jsonl", tokenizer, tmp_path / "out", processes=1)
    assert sum(split["und"]["documents"] for split in manifest["counts"].values()) == 20
    options = PrepareOptions(token_labels=("O", "PER"))
    with pytest.raises(InputError, match="a.jsonl, byte 0: labels are triples"):
        prepare(tmp_path / "a.jsonl", tokenizer, tmp_path / "named", options, processes=1)


def test_same_split_whatever_else_is_in_the_corpus(corpus, tokenizer, tmp_path):
    prepare(corpus, tokenizer, tmp_path / "a", OPTIONS, processes=1)
    (corpus / "sv.txt").unlink()
    prepare(corpus, tokenizer, tmp_path / "b", OPTIONS, processes=1)
    split_of = {text: split for split, _, text in texts(tmp_path / "a")}
    assert all(split_of.get(text, split) == split for split, _, text in texts(tmp_path / "b"))


def test_processes_and_beam_make_the_same_shards(corpus, tokenizer, tmp_path, monkeypatch):
    pytest.importorskip("apache_beam")
    from keras_roberta.jobs.prepare import beam

    prepare(corpus, tokenizer, tmp_path / "one", OPTIONS, processes=1)
    prepare(corpus, tokenizer, tmp_path / "two", OPTIONS, processes=2)
    beam.prepare(corpus, tokenizer, tmp_path / "beam", OPTIONS)
    one = content(tmp_path / "one")
    assert len([name for name in one if name.endswith(".tfrecord")]) > 3
    assert content(tmp_path / "two") == one
    assert content(tmp_path / "beam") == one


def test_a_run_that_was_cut_off_goes_on(corpus, tokenizer, tmp_path, monkeypatch):
    prepare(corpus, tokenizer, tmp_path / "whole", OPTIONS, processes=1)
    monkeypatch.setattr(recipe, "work_units", one_unit_a_file)
    prepare(corpus, tokenizer, tmp_path / "units", OPTIONS, processes=1)
    assert content(tmp_path / "units") == content(tmp_path / "whole")  # nor do units matter

    class Killed(BaseException):
        pass

    out, calls = tmp_path / "out", []
    encode_unit, write_shard = recipe._encode_unit, recipe._write_shard

    def stop_at(number, function):
        def run(task):
            calls.append(task)
            if len(calls) == number:
                raise Killed
            return function(task)

        return run

    monkeypatch.setattr(recipe, "_encode_unit", stop_at(2, encode_unit))
    with pytest.raises(Killed):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    with pytest.raises(InputError, match="no shards here"):
        open_shards(out)
    with pytest.raises(InputError, match="an unfinished run with other options"):
        prepare(corpus, tokenizer, out, PrepareOptions(), processes=1)
    monkeypatch.setattr(recipe, "_encode_unit", encode_unit)
    calls.clear()
    monkeypatch.setattr(recipe, "_write_shard", stop_at(3, write_shard))
    read = []
    monkeypatch.setattr(
        job, "read_documents", lambda unit, *more: read.append(unit) or read_documents(unit, *more)
    )
    with pytest.raises(Killed):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert len(read) == 2  # of three units one was done
    # What a process that was killed leaves of a unit counts for nothing.
    shutil.copytree(out / ".progress/parts/000000", out / ".progress/parts/.000000.x")
    monkeypatch.setattr(recipe, "_write_shard", write_shard)
    prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert len(read) == 2
    assert content(out) == content(tmp_path / "whole")


read_documents = job.read_documents


def one_unit_a_file(corpus, options):
    return [(piece,) for unit in work_units(corpus, options) for piece in unit]


work_units = recipe.work_units


def test_nothing_is_overwritten_without_a_word(corpus, tokenizer, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    prepare(corpus, tokenizer, out, OPTIONS, processes=1, overwrite=True)
    before = content(out)
    with pytest.raises(InputError, match="add --overwrite to replace them"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert content(out) == before and before["mine"] == b"mine"
    other = train_byte_level_bpe(sentences(50, 3), vocabulary_size=280)
    prepare(corpus / "sv.txt", other, out, PrepareOptions(), processes=1, overwrite=True)
    names = {p.name for p in out.iterdir() if p.suffix == ".tfrecord"}
    shards = open_shards(out)
    assert names == {d["name"] for s in ("train", "heldout") for d in shards.descriptions(s, "und")}
    assert shards.tokenizer == other and (out / "mine").read_text() == "mine"


def test_an_unfinished_run_is_overwritten_whole(corpus, tokenizer, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shards_directory, "finish", full)
    with pytest.raises(InputError, match="No space left"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    monkeypatch.undo()
    prepare(corpus, tokenizer, out, PrepareOptions(), processes=1, overwrite=True)
    prepare(corpus, tokenizer, tmp_path / "new", PrepareOptions(), processes=1)
    assert content(out) == content(tmp_path / "new")


def test_what_is_left_of_the_first_and_the_last_moment(corpus, tokenizer, tmp_path):
    out = tmp_path / "out"
    left = out / ".progress" / ".job.json.abcdefgh"
    left.mkdir(parents=True)
    for file in (left / ".lock", left / "job.json", out / ".lock"):
        file.touch()
    prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    before = content(out)
    (out / ".progress" / "parts").mkdir(parents=True)
    with pytest.raises(InputError, match="there are shards already"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert content(out) == before and not (out / ".progress").exists()


SLOW_PREPARE = """
import os, sys, time
from keras_roberta.jobs.prepare import one_machine

def wait(task):
    print("begun", flush=True)
    time.sleep(60)
    print("not ended", flush=True)
    os._exit(0)

units = one_machine.work_units

if __name__ == "__main__":
    one_machine.work_units = lambda *a: [(piece,) for unit in units(*a) for piece in unit]
    one_machine._encode_unit = wait
    one_machine.prepare(*sys.argv[1:4], processes=2)
"""


def test_workers_end_with_a_process_that_is_killed(tokenizer, tmp_path):
    (tmp_path / "corpus").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "corpus" / name).write_text("x")
    tokenizer.save(tmp_path / "tokenizer")
    (tmp_path / "slow.py").write_text(SLOW_PREPARE)
    command = [sys.executable, "slow.py", "corpus", "tokenizer", "out"]
    # Whoever still has the pipe keeps it open.
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n"
        process.kill()
        assert b"not ended" not in process.stdout.read()


def test_a_disk_that_fills(corpus, tokenizer, tmp_path, monkeypatch):
    out, write_bytes = tmp_path / "out", pathlib.Path.write_bytes

    def full(path, data):
        write_bytes(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(InputError, match="out: cannot be written .No space left on device"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert [path.name for path in out.iterdir()] == [".progress"]
    monkeypatch.undo()
    prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    prepare(corpus, tokenizer, tmp_path / "other", OPTIONS, processes=1)
    assert content(out) == content(tmp_path / "other")


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), PermissionError()])
def test_a_corpus_that_cannot_be_read_for_a_while(tokenizer, tmp_path, monkeypatch, error):
    """A network disk that comes back costs no work that is done."""
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    corpus.mkdir()
    for number in range(3):
        with gzip.open(corpus / f"{number}.txt.gz", "wt") as file:
            file.write(f"text {number} of three, and more of it")
    opened, real = [], gzip.open

    def fails_at_the_last(path, mode):
        opened.append(pathlib.Path(path).name)
        if opened[-1] == "2.txt.gz" and len(opened) < 4:
            raise error
        return real(path, mode)

    monkeypatch.setattr(recipe, "work_units", one_unit_a_file)
    monkeypatch.setattr(gzip, "open", fails_at_the_last)
    with pytest.raises(ReadError, match="2.txt.gz: cannot be read"):
        prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert [path.name for path in out.iterdir()] == [".progress"]
    prepare(corpus, tokenizer, out, OPTIONS, processes=1)
    assert opened == ["0.txt.gz", "1.txt.gz", "2.txt.gz", "2.txt.gz"]
    monkeypatch.undo()
    prepare(corpus, tokenizer, tmp_path / "other", OPTIONS, processes=1)
    assert content(out) == content(tmp_path / "other")
    # What is wrong with the corpus itself would be so again.
    (corpus / "3.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match="3.txt: not UTF-8"):
        prepare(corpus, tokenizer, tmp_path / "third", OPTIONS, processes=1)
    assert not (tmp_path / "third").exists()


def test_empty_corpora_and_bad_options(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text(" \n\n ")
    with pytest.raises(InputError, match="the corpus is empty"):
        prepare(tmp_path / "a.txt", tokenizer, tmp_path / "out", processes=1)
    for values in (
        {"heldout": 2},
        {"near_duplicates": -1},
        {"sentences": "page"},
        {"tokens_a_shard": 0},
        {"token_labels": ("X",)},
        {"token_labels": "words"},
    ):
        with pytest.raises(InputError, match=next(iter(values))):
            PrepareOptions(**values)


# Commands


def test_commands(run, corpus, tmp_path):
    files = ("--corpus", corpus, "--languages-from", "file")
    code, stdout, _ = run(
        "tokenizer", "train", *files, "--vocab-size", 300, "--out", tmp_path / "tok"
    )
    assert code == 0 and "share of sv" in stdout
    code, _, stderr = run("tokenizer", "train", *files, "--out", tmp_path / "tok")
    assert code == 2 and "is not empty" in stderr
    arguments = ("prepare", *files, "--documents", "line", "--tokenizer", tmp_path / "tok")
    code, stdout, _ = run(*arguments, "--out", tmp_path / "out", "--processes", 1)
    assert code == 0 and "padding in rows of 128" in stdout and "exact duplicates" in stdout
    code, stdout, stderr = run(*arguments, "--out", tmp_path / "out")
    assert (code, stdout) == (2, "") and "there are shards already" in stderr
    code, _, stderr = run(*arguments, "--out", tmp_path / "new", "--runner-option", "x")
    assert code == 2 and "--runner" in stderr


@pytest.mark.parametrize("runner", [(), ("--runner", "DirectRunner")])
def test_a_file_that_is_not_utf8_in_one_line(run, tokenizer, tmp_path, runner):
    if runner:
        pytest.importorskip("apache_beam")
    tokenizer.save(tmp_path / "tok")
    (tmp_path / "a.txt").write_bytes(b"good\xff")
    code, stdout, stderr = run(
        *("prepare", "--corpus", tmp_path / "a.txt", "--tokenizer", tmp_path / "tok"),
        *("--out", tmp_path / "out", *runner),
    )
    assert (code, stdout) == (2, "")
    last = stderr.splitlines()[-1]
    assert last.startswith("error: ") and "a.txt: not UTF-8 at byte 4" in last
    assert last.endswith("out of the corpus")
    # The corrected command is not in its own way.
    assert not (tmp_path / "out").exists()


def test_tokenizer_training_draws_languages_by_their_shares(tmp_path):
    from keras_roberta.jobs.options.train_tokenizer import TrainTokenizerOptions
    from keras_roberta.jobs.train_tokenizer import train_tokenizer

    (tmp_path / "en.txt").write_text("\n".join(["aaaabbbb"] * 990 + ["c"]))
    (tmp_path / "sv.txt").write_text("\n".join(["xyxyxyxy"] * 10))
    corpus_options = CorpusOptions("line", "file")
    files = [tmp_path / "en.txt", tmp_path / "sv.txt"]
    (tmp_path / "corpus").mkdir()
    for file in files:
        shutil.move(file, tmp_path / "corpus")
    merges = {}
    for alpha in (0.0, 1.0):
        options = TrainTokenizerOptions(
            vocabulary_size=264, corpus=corpus_options, language_alpha=alpha
        )
        made, shares = train_tokenizer(tmp_path / "corpus", tmp_path / f"tok{alpha}", options)
        merges[alpha] = made.merges
        assert shares["sv"] == pytest.approx(0.5 if alpha == 0 else 0.01, abs=0.002)
    assert ("x", "y") in merges[0.0] and ("x", "y") not in merges[1.0]
