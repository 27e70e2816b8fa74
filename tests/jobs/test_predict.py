"""What is asked of a model and how its answers are written; the model is a stand-in."""

import csv
import functools
import io
import json

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.jobs import predict as job
from keras_roberta.jobs import prediction_formats
from keras_roberta.jobs.options.evaluate import GOES_WITH, PredictOptions
from keras_roberta.jobs.predict import predict
from keras_roberta.schemas import (
    SCHEMAS,
    AnswerSpan,
    Entities,
    MultipleChoice,
    OneLabel,
    TextVectors,
)
from keras_roberta.schemas.best_spans import Window
from keras_roberta.schemas.text_search import search


class Lengths:
    """Calls a text of more than two characters long."""

    schema = OneLabel(2, ("short", "long, or\tlonger"))

    def outputs(self, texts):
        rows = zip(*texts, strict=True) if isinstance(texts, tuple) else ((t,) for t in texts)
        long = np.array([sum(map(len, row)) > 2 for row in rows])
        return self.schema.outputs(
            np.log(np.stack([np.where(long, 1, 3), np.where(long, 3, 1)], 1))
        )


@pytest.fixture(autouse=True)
def lengths(monkeypatch):
    monkeypatch.setattr(job, "open_predictor", lambda *_: Lengths())


def test_a_limit_holds_for_lists_too():
    options = PredictOptions(limit=1)
    answer = {"label": "long, or\tlonger", "score": pytest.approx(0.75)}
    assert predict("m", ["abc", "d"], options) == [{**answer, "text": "abc"}]
    pairs = (["abc", "d"], ["e", "f"])
    assert predict("m", pairs, options) == [{**answer, "text": "abc", "text_pair": "e"}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text_column": "b"}, "text_column names a column of a table; give the table as data"),
        ({"text_pair_column": "b"}, "text_pair_column names a column of a table"),
        ({"no_header": True}, "no_header is of tables that are read; give one as data or corpus"),
    ],
)
def test_columns_are_those_of_a_table(given, message):
    with pytest.raises(InputError, match=message):
        predict("m", ["a"], PredictOptions(**given))


def sources(tmp_path):
    """The same two texts as a list and in every kind of file."""
    contents = {
        "a.tsv": "text\na\nb c\n",
        "a.csv": "text\na\nb c\n",
        "a.jsonl": '{"text": "a"}\n{"text": "b c"}\n',
        "a.txt": "\ufeffa\r\n\ufeffb c\r\n",
    }
    yield ["a", "b c"], None
    for name, content in contents.items():
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        yield None, tmp_path / name


def test_every_source_gives_every_format(tmp_path):
    for texts, data in sources(tmp_path):
        for name in ("o.txt", "o.tsv", "o.csv", "o.jsonl"):
            out = tmp_path / "out" / name
            rows = predict("m", texts, PredictOptions(all_scores=True), data=data, out=out)
            content = out.read_text(encoding="utf-8")
            lines = prediction_formats.FORMATS[FORMATS[out.suffix]](rows)
            assert content == "".join(f"{line}\n" for line in lines)
            assert READ[out.suffix](content) == EXPECTED[out.suffix], (data, name)


FORMATS = {".txt": "text", ".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl"}
ROUND = lambda row: {  # noqa: E731
    name: round(float(value), 4) if name.startswith("score") else value
    for name, value in row.items()
}
READ = {
    ".txt": str.splitlines,
    ".tsv": lambda text: [line.split("\t") for line in text.splitlines()],
    ".csv": lambda text: [*map(ROUND, csv.DictReader(io.StringIO(text, newline="")))],
    ".jsonl": lambda text: [json.loads(line)["all_scores"]["short"] for line in text.splitlines()],
}
EXPECTED = {
    ".txt": [
        'short\t0.7500\t{"short": 0.75, "long, or\\tlonger": 0.25}\ta',
        'long, or longer\t0.7500\t{"short": 0.25, "long, or\\tlonger": 0.75}\tb c',
    ],
    ".tsv": [
        ["label", "score", "score of short", "score of long, or longer", "text"],
        ["short", "0.7500", "0.7500", "0.2500", "a"],
        ["long, or longer", "0.7500", "0.2500", "0.7500", "b c"],
    ],
    ".csv": [
        {
            "label": label,
            "score": 0.75,
            "score of short": short,
            "score of long, or\tlonger": 1 - short,
            "text": text,
        }
        for label, short, text in (("short", 0.75, "a"), ("long, or\tlonger", 0.25, "b c"))
    ],
    ".jsonl": [pytest.approx(0.75), pytest.approx(0.25)],
}


def test_a_text_with_line_breaks():
    rows = [{"label": "good", "score": 0.25, "text": 'a\t"b"\nc'}]
    formats = prediction_formats.FORMATS
    assert formats["text"](rows) == ['good\t0.2500\ta "b" c']
    (row,) = csv.DictReader(io.StringIO("\n".join(formats["csv"](rows)), newline=""))
    assert row == {"label": "good", "score": "0.25", "text": 'a\t"b"\nc'}
    assert [json.loads(line) for line in formats["jsonl"](rows)] == rows


def test_answers_by_their_ids():
    """The file of predictions that SQuAD's scripts take."""
    write = prediction_formats.FORMATS["json"]
    rows = [{"text": "Nuuk", "score": 0.5, "id": "q1"}, {"text": "", "score": 0.9, "id": 7}]
    assert [json.loads(line) for line in write(rows)] == [{"q1": "Nuuk", "7": ""}]
    with pytest.raises(InputError, match="these rows have no column 'id'; write .jsonl"):
        write([{"text": "Nuuk"}])


def test_ids_of_a_table_stand_beside_the_answers(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("id\ttext\nx\ta\ny\tb\n")
    rows = predict("m", None, PredictOptions(), data=path, out=tmp_path / "o.json")
    assert [row["id"] for row in rows] == ["x", "y"]
    found = json.loads((tmp_path / "o.json").read_text())
    assert found == {row["id"]: row["label"] for row in rows}


def test_a_threshold():
    (row,) = predict("m", ["a"], PredictOptions(threshold=0.2))
    assert row == {"label": "long, or\tlonger", "score": pytest.approx(0.25), "text": "a"}


@pytest.mark.parametrize(
    ("texts", "more", "message"),
    [
        (
            ["a"],
            {"out": "a.xml"},
            "a.xml: name it .txt, .tsv, .csv, .jsonl, .json, or give a format",
        ),
        (["a"], {"out": "."}, "is a directory|name it"),
        (None, {"data": "none.txt"}, "none.txt: no such file"),
        (None, {"data": "empty.txt"}, "empty.txt: holds no texts"),
        (None, {"data": "utf16.txt"}, "utf16.txt: is UTF-16, not UTF-8; convert it"),
        (None, {"data": "latin.txt"}, "latin.txt, line 2: not UTF-8; convert"),
    ],
)
def test_what_cannot_be_read_or_written(tmp_path, monkeypatch, texts, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "utf16.txt").write_text("a", encoding="utf-16")
    (tmp_path / "latin.txt").write_bytes(b"a\n\xe9\n")
    with pytest.raises(InputError, match=message):
        predict("m", texts, **more)


def test_json_without_ids_is_refused_before_the_model_is_opened(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "open_predictor", lambda *_: pytest.fail("opened"))
    table = tmp_path / "a.jsonl"
    table.write_text('{"text": "a"}\n')
    for source in ({"texts": ["a"]}, {"data": table}):
        with pytest.raises(InputError, match="these rows have no column 'id'"):
            predict("m", out=tmp_path / "x.json", **source)


def test_json_of_two_rows_with_one_id(tmp_path):
    table = tmp_path / "a.jsonl"
    table.write_text('{"text": "a", "id": 1}\n{"text": "b", "id": "1"}\n')
    with pytest.raises(InputError, match="two rows have the id '1'"):
        predict("m", data=table, out=tmp_path / "x.json")


@pytest.mark.parametrize(
    ("schema", "texts", "message"),
    [
        (MultipleChoice(), (["a"], ["b"]), "--text-pair: the model chooses of options"),
        (Entities(3), (["a"], ["b"]), "--text-pair: the model gives entities, of single texts"),
        (AnswerSpan(), ["a"], "the model reads two texts: give --text-pair"),
    ],
)
def test_second_texts_fit_the_model(monkeypatch, schema, texts, message):
    monkeypatch.setattr(Lengths, "schema", schema)
    with pytest.raises(InputError, match=message):
        predict("m", texts)


class Questions:
    """Answers with the first and the second letter of a context."""

    schema = AnswerSpan()

    def outputs(self, texts, n_best=1):
        logits = np.array([[0, 0], [9, 9], [5, 5]], "float32")
        windows = [[Window(logits, np.array([(0, 0), (0, 1), (1, 2)]))] for _ in texts[0]]
        found = self.schema.of_windows(windows, n_best)
        return {**found, "context": np.array(texts[1], object)}


class Vectors:
    """Gives how often a text has the letters a and b."""

    schema = TextVectors()

    def outputs(self, texts):
        return {"vector": np.array([[t.count("a"), t.count("b")] for t in texts], "float32")}

    def search(self, texts, corpus, top_k):
        of_both = [functools.partial(self.schema.vectors_of, predict=self.outputs)] * 2
        return search(texts, corpus, top_k, *of_both)


def test_the_nearest_texts_of_a_corpus(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "open_predictor", lambda *_: Vectors())
    (tmp_path / "corpus.txt").write_text("aaa\nab\nb\n")
    options = PredictOptions(corpus=tmp_path / "corpus.txt", top_k=2)
    (row,) = predict("m", ["bb"], options)
    assert list(row) == ["nearest", "text"]
    assert [(hit["index"], hit["text"]) for hit in row["nearest"]] == [(2, "b"), (1, "ab")]
    (tmp_path / "asked.tsv").write_text("id\ttext\n7\ta\n")
    (row,) = predict("m", data=tmp_path / "asked.tsv", options=options)
    assert (row["nearest"][0]["text"], row["id"], row["text"]) == ("aaa", "7", "a")
    with pytest.raises(InputError, match="top_k: goes with a model that fills <mask>, or with --c"):
        predict("m", ["a"], PredictOptions(top_k=2))
    with pytest.raises(InputError, match="n_best and corpus: do not go together"):
        PredictOptions(corpus="c.txt", n_best=2)
    monkeypatch.setattr(Lengths, "search", None, raising=False)
    monkeypatch.setattr(job, "open_predictor", lambda *_: Lengths())
    with pytest.raises(InputError, match="corpus: goes with a model that gives vectors; leave"):
        predict("m", ["a"], options)


def test_a_corpus_with_columns_or_without_a_header(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "open_predictor", lambda *_: Vectors())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.tsv").write_text("bb\na\n")
    (tmp_path / "c.tsv").write_text("aaa\nab\nb\n")
    (tmp_path / "d.tsv").write_text("id\ttitle\tbody\n1\taa\tb\n2\tb\tb\n")
    (tmp_path / "pairs.tsv").write_text("text\ttext_pair\na\tb\n")

    def indices(texts=None, data=None, **options):
        rows = predict("m", texts, PredictOptions(**options), data=data)
        return [[(hit["index"], hit["text"]) for hit in row["nearest"]] for row in rows]

    one = {"corpus": "c.tsv", "no_header": True, "top_k": 1}
    assert indices(data="q.tsv", text_column="1", **one) == [[(2, "b")], [(0, "aaa")]]
    assert indices(["a"], **one) == [[(0, "aaa")]]
    of_two = {"corpus": "d.tsv", "top_k": 1}
    assert indices(["b"], corpus_column="title", **of_two) == [[(1, "b")]]
    assert indices(["b"], corpus_column="title,body", **of_two) == [[(1, "b\nb")]]
    for options, message in (
        ({"corpus": "d.tsv"}, "d.tsv: which column holds the texts. say --corpus-column"),
        ({"corpus": "d.tsv", "corpus_column": "x"}, "d.tsv: no column 'x'.*with --corpus-column"),
        ({"corpus": "pairs.tsv"}, "pairs.tsv: a corpus has single texts.*with --corpus-column"),
        ({"corpus_column": "x"}, "corpus_column names a column of a corpus; give corpus"),
    ):
        with pytest.raises(InputError, match=message):
            indices(["b"], **options)


def test_what_options_go_with_is_told():
    asked = set().union(*(cls.asked_besides for cls in SCHEMAS.values()))
    assert set(GOES_WITH) == asked & set(PredictOptions().to_dict())


def test_the_next_best_answers(monkeypatch):
    monkeypatch.setattr(job, "open_predictor", lambda *_: Questions())
    asked = ["who?"], ["ab"]
    (answer,) = predict("m", asked, PredictOptions(n_best=2))
    assert answer["text"] == "a" and [part["text"] for part in answer["n_best"]][0] == "a"
    assert len(answer["n_best"]) == 2 and "n_best" not in predict("m", asked)[0]
    monkeypatch.setattr(job, "open_predictor", lambda *_: Lengths())
    with pytest.raises(InputError, match="n_best: goes with a model that answers from contexts; l"):
        predict("m", ["a"], PredictOptions(n_best=2))
