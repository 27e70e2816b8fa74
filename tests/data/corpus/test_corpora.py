"""Files to documents."""

import dataclasses
import functools
import gzip
import json

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.data.corpus import corpora
from keras_roberta.data.corpus.corpora import CorpusOptions, Piece, read_documents, work_units
from keras_roberta.errors import InputError

# Without the time of day in it: the processes of a run must collect the same tests.
gzipped = functools.partial(gzip.compress, mtime=0)


def texts(path, **options):
    options = CorpusOptions(**options)
    return [d.text for unit in work_units(path, options) for d in read_documents(unit, options)]


def read(path, **options):
    options = CorpusOptions(**options)
    return [d for unit in work_units(path, options) for d in read_documents(unit, options)]


CONTENT = "one\nline\n\n \ntwo \r\n\n\n\nthrée\n"


@pytest.mark.parametrize(
    "documents, expected",
    [
        ("file", ["one\nline\n\n \ntwo \r\n\n\n\nthrée"]),
        ("block", ["one\nline", "two", "thrée"]),
        ("line", ["one", "line", "two", "thrée"]),
    ],
)
@pytest.mark.parametrize("packed", [None, gzip.compress, zstd.compress])
def test_documents_of_text_files(tmp_path, documents, expected, packed):
    suffix = {None: "", gzip.compress: ".gz", zstd.compress: ".zst"}[packed]
    data = ("\ufeff" + CONTENT).encode()
    (tmp_path / f"a.txt{suffix}").write_bytes(packed(data) if packed else data)
    (tmp_path / ".hidden").write_bytes(b"\xff")
    assert texts(tmp_path, documents=documents) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "é", "\n", "\n\n", " \n", "\r\n", "  "]), max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
    st.sampled_from(["line", "block"]),
)
def test_pieces_of_a_file_share_out_its_documents(tmp_path_factory, parts, cuts, documents):
    data = "".join(parts).encode()
    path = tmp_path_factory.mktemp("corpus") / "a.txt"
    path.write_bytes(data)
    options = CorpusOptions(documents)
    whole = [d.text for d in read_documents([Piece(str(path), "a.txt")], options)]
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [Piece(str(path), "a.txt", *b) for b in zip(bounds, bounds[1:], strict=False)]
    assert [d.text for piece in pieces for d in read_documents([piece], options)] == whole


def test_large_files_are_split_and_small_ones_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "_UNIT_BYTES", 100)
    (tmp_path / "large.txt").write_text("".join(f"line {i}\n" for i in range(100)))
    for i in range(10):
        (tmp_path / f"small{i}.txt").write_text(f"small {i}\n" * 5)
    units = work_units(tmp_path, CorpusOptions("line"))
    assert len(units) < 20 and any(len(unit) > 1 for unit in units)
    expected = [f"line {i}" for i in range(100)] + [f"small {i}" for i in range(10)] * 5
    assert sorted(texts(tmp_path, documents="line")) == sorted(expected)


def test_json_lines(tmp_path):
    rows = [
        {"body": " one ", "lang": "en", "labels": []},
        {"body": "zwei drei", "lang": "de", "labels": [[0, 4, "B"]]},
        {"body": "  ", "lang": "en"},
        {"body": "lone \ud800", "lang": "en"},
    ]
    (tmp_path / "a.jsonl.gz").write_bytes(
        gzip.compress("\n".join(json.dumps(row) for row in rows).encode())
    )
    found = read(tmp_path, text_field="body", language_field="lang", languages_from="field")
    assert [(d.text, d.language, d.labels) for d in found] == [
        ("one", "en", ()),
        ("zwei drei", "de", ((0, 4, "B"),)),
        ("lone \ufffd", "en", ()),
    ]


def test_languages_by_folder_and_file(tmp_path):
    (tmp_path / "sv").mkdir()
    (tmp_path / "sv" / "a.b.txt").write_text("hej")
    assert [d.language for d in read(tmp_path, languages_from="folder")] == ["sv"]
    assert [d.language for d in read(tmp_path, languages_from="file")] == ["a"]
    assert [d.language for d in read(tmp_path)] == ["und"]


@pytest.mark.parametrize("content", ["x" * 5000, "word " * 1000, "é" * 2500])
def test_an_endless_line_is_cut(tmp_path, content):
    (tmp_path / "a.txt").write_text(content)
    found = read(tmp_path, documents="line", max_document_bytes=100)
    assert all(len(document.text.encode()) <= 100 for document in found)
    assert "".join(d.text for d in found).replace(" ", "") == content.replace(" ", "")
    assert [d.is_cut for d in found] == [False] + [True] * (len(found) - 1)


def test_memory_does_not_grow_with_a_line(tmp_path):
    import tracemalloc

    with open(tmp_path / "a.txt", "wb") as file:
        for _ in range(60):
            file.write(b"x" * (1 << 20))
    options = CorpusOptions("line", max_document_bytes=100_000)
    tracemalloc.start()
    for unit in work_units(tmp_path, options):
        for _ in read_documents(unit, options):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize(
    "name, content, options, message",
    [
        ("a.txt", b"fine\n\nb\xe9d", {}, "a.txt: not UTF-8 at byte 7"),
        ("a.txt.gz", gzipped(b"b\xe9"), {}, "not UTF-8 at unpacked byte 1"),
        ("a.txt.gz", gzipped(b"a" * 999)[:-9], {}, "a.txt.gz: cannot be unpacked"),
        ("a.txt.zst", zstd.compress(b"a" * 999)[:-3], {}, "a.txt.zst: cannot be unpacked"),
        ("a.jsonl", b'{"text": "a"}\n{"text"', {}, "a.jsonl, byte 14: the line is not JSON"),
        ("a.jsonl", b'{"body": "a"}', {}, "the field 'text' is missing; there are body"),
        ("a.jsonl", b'{"text": 3}', {}, "the field 'text' is not a string"),
        ("a.jsonl", b'{"text": "a"}', {"languages_from": "field"}, "None is not a language"),
        ("a.jsonl", b'{"text": "a", "labels": [[0, 9, "X"]]}', {}, "labels are triples"),
        ("a.txt", b"a", {"languages_from": "folder"}, "a.txt: lies in no folder"),
        ("a.txt", b"a", {"languages_from": "field"}, "text has no fields"),
        ("a b.txt", b"a", {"languages_from": "file"}, "'a b' is not a language's name"),
    ],
)
def test_bad_files(tmp_path, name, content, options, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path, **options)


def test_bad_corpora_and_options(tmp_path):
    with pytest.raises(InputError, match="no such file or directory"):
        work_units(tmp_path / "none", CorpusOptions())
    with pytest.raises(InputError, match="the corpus is empty"):
        work_units(tmp_path, CorpusOptions())
    for values in ({"documents": "page"}, {"languages_from": "x"}, {"max_document_bytes": 0}):
        with pytest.raises(InputError, match=next(iter(values))):
            dataclasses.replace(CorpusOptions(), **values)


def record(text):
    return (json.dumps({"text": text}) + "\n").encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", record("one") + record("two")),
        ("a.jsonl", b"\xef\xbb\xbf" + record("one") + b"\r\n" + record("two")),
        ("a.JSONL", record("one") + record("two")),
        ("a.ndjson.gz", gzipped(record("one") + record("two"))),
        ("a.json.ZST", zstd.compress(record("one") + record("two"))),
        ("a.txt", b"\xef\xbb\xbfone\n\ntwo\n"),
        ("a.TXT.GZ", gzipped(b"one\n\ntwo\n")),
        ("a.md", b"one\n\ntwo\n"),
        ("README", b"one\n\ntwo\n"),
        # As OPUS and Europarl name languages: Portuguese, Somali and Breton.
        ("wiki.pt", b"one\n\ntwo\n"),
        ("wiki.en-so.so", b"one\n\ntwo\n"),
        ("wiki.br.gz", gzipped(b"one\n\ntwo\n")),
        ("a.txt.gz", gzipped(b"one\n\n") + gzipped(b"two\n")),  # two members
    ],
)
def test_files_are_what_their_names_say(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert texts(tmp_path) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.json",
            b'{\n  "text": "one"\n}\n',
            r"a.json, byte 0: the line is not JSON .*one object",
        ),
        ("a.json", b'[{"text": "one"}]', "expected one JSON object a line, found"),
        ("a.json", b'"one"', "expected one JSON object a line"),
        ("a.jsonl", b'{"content": "one"}', "field 'text' is missing; there are content"),
        ("a.jsonl", b'{"text": null, "id": 1}', "field 'text' is missing; there are text, id"),
        ("a.jsonl", b"{}", "field 'text' is missing; the object is empty"),
        ("a.jsonl", b"one", "the line is not JSON"),
        ("a.csv", b"text\none\n", "a.csv: is a table; write its texts as JSON lines"),
        ("a.TSV.gz", gzipped(b"text\none\n"), "a.TSV.gz: is a table"),
        ("a.html", b"<p>one</p>", "a.html: holds markup"),
        ("a.tar.gz", gzipped(b"one"), "a.tar.gz: is packed in a way that is not read"),
        ("a.pdf", b"%PDF-1.7", "a.pdf: is no text"),
        ("a.txt", b"%PDF-1.7", "a.txt: is no text"),
        ("a.txt", gzipped(b"one"), "a.txt: is packed with gzip; .* end in .gz"),
        ("a.txt", zstd.compress(b"one"), "a.txt: is packed with zstd; .* end in .zst"),
        ("a.txt.gz", zstd.compress(b"one"), "is packed with zstd; its name has to end in .zst"),
        ("a.txt.zst", gzipped(b"one"), "is packed with gzip; its name has to end in .gz"),
        ("a.txt.gz", b"one", "is not packed with gzip, as its name says"),
        ("a.txt.gz", gzipped(b"PK\x03\x04"), "is packed in a way that is not read"),
        ("a.txt.gz", gzipped(b"one" * 99)[:-9], "cannot be unpacked .* is it whole"),
        ("a.txt", "one".encode("utf-16"), "a.txt: is UTF-16, not UTF-8"),
        ("a.txt", "one".encode("utf-32"), "a.txt: is UTF-32, not UTF-8"),
        ("a.txt", "one".encode("utf-16-le"), "a.txt: holds zero bytes"),
        ("a.jsonl", '{"text": "one"}'.encode("utf-16"), "a.jsonl: is UTF-16"),
        ("a.txt", b"caf\xe9", "not UTF-8 at byte 3"),
        ("a", bytes(range(32)), "holds zero bytes"),
        ("model.pt", b"PK\x03\x04", "model.pt: is packed in a way"),
        ("model.pt", b"\x80\x02\x8a\nl\xfc", "model.pt: not UTF-8 at byte 0"),
        ("lib.so", b"\x7fELF\x02\x01\x01\0", "lib.so: holds zero bytes"),
        ("a.txt.br", b"\x0b\x01\x80one\x03", "a.txt.br: not UTF-8 at byte 2"),
    ],
)
def test_what_is_no_text_is_not_learnt(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        texts(tmp_path)
    assert name in str(caught.value)
