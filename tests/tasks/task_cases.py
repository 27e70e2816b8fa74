"""What the contract of all tasks needs to know of each: how to make one, and what it learns.

A new task adds a `TaskCase` here; `test_contract_*.py` run every behaviour for it.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

import keras_roberta as kr

GOOD = ["a fine film", "a warm and lovely film", "fine , warm and funny", "lovely , simply lovely"]
BAD = ["a dull film", "a cold and tedious film", "dull , cold and flat", "tedious , simply tedious"]
TEXTS = [*GOOD, *BAD, "a lovely , warm film", "a flat and dull film"]  # ten rows
IS_GOOD = [1] * 4 + [0] * 4 + [1, 0]
LABELS = [  # any number a text
    [name for name, given in (("film", "film" in text), ("funny", "funny" in text), ("good", good))
     if given]
    for text, good in zip(TEXTS, IS_GOOD, strict=True)
]  # fmt: skip

CONFIG = kr.RobertaConfig(
    vocabulary_size=300,
    num_layers=1,
    num_heads=4,
    hidden_dim=32,
    intermediate_dim=64,
    max_sequence_length=32,
    initializer_range=0.05,
    seed=5,
)


@dataclasses.dataclass(frozen=True, eq=False)
class TaskCase:
    """A task of the registry.

    Attributes:
        class_name: its row.
        settings: arguments of its constructor besides backbone and preprocessor.
        preprocessing: arguments of its preprocessor.
        x, y: ten rows that it can learn by heart; y None where it has no labels.
        queries: what `predict` is asked.
        learnt: whether it has learnt the ten rows: function of the task.
        head: `settings` that ask for another new head through `from_preset`, or None.
        table: for the command line: the column of labels as strings, or a function that writes
            another kind of table into a directory and returns its path; None for neither.
        asked_there: arguments of `keras-roberta predict`, the last of them the text.
        asked_besides: what a file can be asked for besides, of the schema's `asked_besides`.
        make_forms: further arguments of `fit` by the name of their form, where rows are no texts:
            function of the case. None for the forms of texts.
        make_stream: `queries` as a `tf.data.Dataset` of rows, where rows are no texts: function of
            them.
        exports: whether it has a form for phones and servers.
        answer: keys of an answer.
        architecture, problem_type: in Hugging Face's config.json.
        epochs: it takes to learn the ten rows.
    """

    class_name: str
    settings: dict[str, Any]
    preprocessing: dict[str, Any]
    x: Any
    y: Any
    queries: Any
    learnt: Callable
    head: dict[str, Any] | None = None
    table: list[str] | Callable | None = None
    asked_there: tuple[str, ...] = (TEXTS[0],)
    asked_besides: dict = dataclasses.field(default_factory=dict)
    make_forms: Callable | None = None
    make_stream: Callable = tf.data.Dataset.from_tensor_slices
    exports: bool = True
    answer: tuple[str, ...] = ()
    architecture: str = "RobertaForSequenceClassification"
    problem_type: str | None = None
    epochs: int = 60

    @property
    def rows(self):
        """`x`; a `tf.data.Dataset` is made when asked for, not before TensorFlow is set up."""
        return self.x() if callable(self.x) else self.x

    @property
    def asked(self):
        """`queries`, in the same way."""
        return self.queries() if callable(self.queries) else self.queries

    def write_table(self, directory):
        """The path of a table of `x` and `y`."""
        if callable(self.table):
            return self.table(directory)
        rows = "".join(f"{text}\t{label}\n" for text, label in zip(TEXTS, self.table, strict=True))
        path = directory / "t.tsv"
        path.write_text("text\tlabel\n" + rows)
        return path

    def make(self, tokenizer, config=CONFIG, dtype=None, **changes):
        """A new task."""
        cls = getattr(kr, self.class_name)
        arguments = {"sequence_length": 24, **self.preprocessing}
        preprocessor = cls.preprocessor_cls(tokenizer, **arguments)
        backbone = kr.RobertaBackbone(config, dtype=dtype)
        return cls(backbone=backbone, preprocessor=preprocessor, **{**self.settings, **changes})

    def make_targets(self, y):
        """Labels as an array of numbers, written out here."""
        if not isinstance(y[0], list):
            return np.asarray(y)
        return np.array([[name in row for name in self.preprocessing["labels"]] for row in y], int)

    def forms(self):
        """Forms by name: arguments of `fit`; test_forms_of_data.py has more, for one task."""
        if callable(self.x):
            return {"dataset": dict(x=self.rows)}
        if self.make_forms is not None:
            return self.make_forms(self)
        x, y = list(self.x), self.y
        if y is None:
            rows = tf.data.Dataset.from_tensor_slices(x)
            return {
                "lists": dict(x=x),
                "batches": dict(x=rows.batch(4)),
                "validated": dict(x=x, validation_data=x),
            }
        numbers = self.make_targets(y)
        rows = tf.data.Dataset.from_tensor_slices((x, numbers))
        return {
            "lists": dict(x=x, y=y),
            "arrays": dict(x=np.array(x), y=numbers),
            "dict": dict(x={"text": x}, y=y),
            "pairs": dict(x=(x, x[::-1]), y=y),
            "batches": dict(x=rows.batch(4)),
            "validated": dict(
                x=x, y=y, sample_weight=np.ones(len(x)), validation_data=(x, y), shuffle=False
            ),
            "split": dict(x=x, y=y, validation_split=0.2, group_by_length=False),
        }


def _accurate(task):
    found = [answer["label"] for answer in task.answers(TEXTS)]
    return found == ["good" if label else "bad" for label in IS_GOOD]


def _all_labels(task):
    return [answer["labels"] for answer in task.answers(TEXTS)] == LABELS


def _close(task):
    found = np.array([answer["score"] for answer in task.answers(TEXTS)])
    return np.mean((found - (np.array(IS_GOOD) * 2.0 - 0.5)) ** 2) < 0.05


# Of one number each: replicas have the same number of labels then, and with it the same loss.
WORDS = [[*text.split(), "and"][:4] for text in TEXTS]
TAGS = [
    ["B-FILM" if word == "film" else "O" if word in ("a", "and", ",", "simply") else "B-ADJ"
     for word in words]
    for words in WORDS
]  # fmt: skip


def _finds_entities(task):
    found = [answer["entities"] for answer in task.answers(WORDS)]
    return all(
        [one["text"] for one in entities]
        == [word for word, tag in zip(words, tags, strict=True) if tag != "O"]
        for entities, words, tags in zip(found, WORDS, TAGS, strict=True)
    )


def _conll_table(directory):
    blocks = (
        "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
        for words, tags in zip(WORDS, TAGS, strict=True)
    )
    path = directory / "t.conll"
    path.write_text("-DOCSTART-\tO\n\n" + "\n".join(blocks))
    return path


def _forms_of_words(case):
    x, y, spans = case.x, case.y, []
    texts = [" ".join(words) for words in x]
    for words, tags in zip(x, y, strict=True):
        begins = np.cumsum([0, *(len(word) + 1 for word in words)])
        rows = zip(begins, words, tags, strict=False)
        spans.append([(int(b), int(b) + len(w), t[2:]) for b, w, t in rows if t != "O"])
    batches = tf.data.Dataset.from_tensor_slices((tf.ragged.constant(x), tf.ragged.constant(y)))
    return {
        "lists": dict(x=x, y=y),
        "texts": dict(x=texts, y=spans),
        "arrays": dict(x=np.array(x, object), y=np.array(y, object)),
        "rows": dict(x=list(zip(x, y, strict=True))),
        "dict": dict(x={"tokens": x, "tags": y}),
        "records": dict(x=[{"text": t, "entities": s} for t, s in zip(texts, spans, strict=True)]),
        "batches": dict(x=batches.batch(4)),
        "validated": dict(x=x, y=y, sample_weight=np.ones(len(x)), validation_data=(x, y)),
        "split": dict(x=x, y=y, validation_split=0.2, group_by_length=False),
    }


def _fills_in(task):
    answers = task.answers(["a fine <mask>", "a warm and lovely <mask>"])
    return all(answer["tokens"][0][0].strip() == "film" for answer in answers)


PAIRS = [(text, other) for text in (GOOD[0], BAD[0]) for other in TEXTS[1:4] + TEXTS[5:7]]
LIKENESS = [float((text in GOOD) == (other in GOOD)) for text, other in PAIRS]


def _alike(task):
    found = np.array([answer["score"] for answer in task.answers(PAIRS)])
    return np.mean((found - np.array(LIKENESS)) ** 2) < 0.02


def _write_pairs(directory):
    rows = (f"{a}\t{b}\t{score}\n" for (a, b), score in zip(PAIRS, LIKENESS, strict=True))
    path = directory / "t.tsv"
    path.write_text("text\ttext_pair\tscore\n" + "".join(rows))
    return path


def _forms_of_pairs(case):
    firsts, seconds = map(list, zip(*case.x, strict=True))
    rows = [(a, b, "a cold film") for a, b in case.x]
    table = {"text": firsts, "text_pair": seconds}
    stream = tf.data.Dataset.from_tensor_slices((firsts, seconds)).batch(4)
    return {
        "scored": dict(x=case.x, y=case.y),
        "columns": dict(x=(np.array(firsts), np.array(seconds)), y=np.array(case.y)),
        "scores come along": dict(x=[(*pair, y) for pair, y in zip(case.x, case.y, strict=True)]),
        "table": dict(x=table | {"score": case.y}),
        "without scores": dict(x=case.x),
        "seconds as labels": dict(x=firsts, y=seconds),
        "negatives": dict(x=rows),
        "table of negatives": dict(x=table | {"negative": firsts[::-1]}),
        "stream": dict(x=stream),
        "stream of scores": dict(x=stream.map(lambda a, b: ((a, b), tf.ones(tf.shape(a)[0])))),
        "validated": dict(x=case.x, validation_data=(case.x, case.y), shuffle=False),
        "split": dict(x=case.x, validation_split=0.2, group_by_length=False),
    }


# Ten questions of two to four options.
QUESTIONS = [
    ("which is good", [GOOD[0], BAD[0]]),
    ("which is good", [BAD[1], GOOD[1], BAD[0]]),
    ("which is bad", [GOOD[2], BAD[2]]),
    ("which is bad", [BAD[3], GOOD[3]]),
    ("which is good", [BAD[2], BAD[0], BAD[3], GOOD[2]]),
    ("which is bad", [GOOD[1], GOOD[0], BAD[1]]),
    ("which is good", [GOOD[3], BAD[3]]),
    ("which is bad", [BAD[0], GOOD[1]]),
    ("which is good", [BAD[1], GOOD[0]]),
    ("which is bad", [GOOD[2], BAD[0], GOOD[3]]),
]
CHOSEN = [0, 1, 1, 0, 3, 2, 0, 0, 1, 1]


def _chooses(task):
    answers = task.answers(QUESTIONS)
    texts = [options[n] for (_, options), n in zip(QUESTIONS, CHOSEN, strict=True)]
    return [(a["label"], a["text"]) for a in answers] == list(zip(CHOSEN, texts, strict=True))


def _forms_of_questions(case):
    asked, options = map(list, zip(*case.x, strict=True))
    columns = {"question": asked, "choices": tf.ragged.constant(options)}
    rows = tf.data.Dataset.from_tensor_slices((columns, case.y))
    two = np.array([[*row[:1], row[-1]] for row in options])
    return {
        "lists": dict(x=case.x, y=case.y),
        "columns": dict(x=(asked, options), y=np.array(case.y)),
        "arrays": dict(x=(np.array(asked), two), y=np.zeros(10, int)),
        "table": dict(x={"question": asked, "choices": options, "label": case.y}),
        "frame": dict(
            x=pd.DataFrame({"question": asked, "choices": options, "answer": list("ABBADCAABB")})
        ),
        "rows": dict(x=rows),
        "batches": dict(x=rows.batch(4)),
        "validated": dict(
            x=case.x, y=case.y, sample_weight=np.ones(10), validation_data=(case.x, case.y)
        ),
        "split": dict(x=case.x, y=case.y, validation_split=0.2, group_by_length=False),
    }


def _stream_of_questions(questions):
    asked, options = map(list, zip(*questions, strict=True))
    columns = {"question": asked, "choices": tf.ragged.constant(options)}
    return tf.data.Dataset.from_tensor_slices(columns)


def _table_of_questions(directory):
    path = directory / "t.jsonl"
    rows = [
        {"question": question, "choices": {"label": list("ABCD"[: len(options)]), "text": options},
         "answerKey": "ABCD"[answer]}
        for (question, options), answer in zip(QUESTIONS, CHOSEN, strict=True)
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _pretraining_batches():
    random = np.random.default_rng(0)
    ids = random.integers(5, 300, (10, 16)).astype("int32")
    ids[:, 0] = 0
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    features["mask_positions"] = np.tile(np.array([3, 5, 9], "int32"), (10, 1))
    targets = {
        "mlm": random.integers(5, 20, (10, 3)).astype("int32"),
        "sop": np.array(IS_GOOD, "int32"),
    }
    return tf.data.Dataset.from_tensors((features, targets)).repeat(2)


def _low_losses(task):
    losses = task.evaluate(_pretraining_batches(), verbose=0, return_dict=True)
    return losses["mlm_accuracy"] == 1.0 and losses["sop_accuracy"] == 1.0


# Of each text the first word that says how the film is.
SAID = ["fine", "warm", "fine", "lovely", "dull", "cold", "dull", "tedious", "lovely", "flat"]
ANSWERS = [
    {"text": said, "answer_start": text.index(said)} for text, said in zip(TEXTS, SAID, strict=True)
]
ASKED = [("film", text) for text in TEXTS]


def _extracts(task):
    return [answer["text"] for answer in task.answers(ASKED)] == SAID


def _write_squad(directory):
    document = {"data": [{"paragraphs": [
        {"context": text, "qas": [{"id": str(i), "question": "film", "answers": [answer]}]}
        for i, (text, answer) in enumerate(zip(TEXTS, ANSWERS, strict=True))
    ]}]}  # fmt: skip
    path = directory / "squad.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _forms_of_contexts(case):
    x, y = case.x, case.y
    questions, contexts = map(list, zip(*x, strict=True))
    columns = {"question": questions, "context": contexts}
    spans = [(answer["answer_start"], answer["answer_start"] + len(answer["text"])) for answer in y]
    lists = [{name: [value] for name, value in answer.items()} for answer in y]
    starts, texts = ([answer[name] for answer in y] for name in ("answer_start", "text"))
    batches = tf.data.Dataset.from_tensor_slices(
        ((questions, contexts), {"text": texts, "answer_start": starts})
    )
    return {
        "pairs of a row": dict(x=x, y=y),
        "columns": dict(x=(questions, contexts), y=spans),
        "arrays": dict(x=(np.array(questions), np.array(contexts)), y=np.array(spans)),
        "table": dict(x={**columns, "answers": lists}),
        "rows": dict(x=[{"question": q, "context": c, "answers": a}
                        for (q, c), a in zip(x, lists, strict=True)]),
        "data frame": dict(x=pd.DataFrame({**columns, "answers": lists})),
        "none": dict(x=x, y=[None, [], *y[2:]]),
        "batches": dict(x=batches.batch(4)),
        "generator": dict(x=iter(list(zip(x, y, strict=True))), steps_per_epoch=2),
        "validated": dict(x=x, y=y, sample_weight=np.ones(len(x)), validation_data=(x, y),
                          shuffle=False),
        "split": dict(x=x, y=y, validation_split=0.2, group_by_length=False),
    }  # fmt: skip


CASES = [
    TaskCase(
        "RobertaTextClassifier",
        settings={"num_classes": 2},
        preprocessing={"labels": ("bad", "good")},
        x=TEXTS,
        y=IS_GOOD,
        queries=["a fine film", "dull"],
        learnt=_accurate,
        head={"num_classes": 3, "labels": ("a", "b", "c")},
        table=["good" if label else "bad" for label in IS_GOOD],
        answer=("label", "score"),
        problem_type="single_label_classification",
    ),
    TaskCase(
        "RobertaTextRegressor",
        settings={},
        preprocessing={},
        x=TEXTS,
        y=[label * 2.0 - 0.5 for label in IS_GOOD],
        queries=["a fine film", "dull"],
        learnt=_close,
        table=[str(label * 2.0 - 0.5) for label in IS_GOOD],
        answer=("score",),
        problem_type="regression",
    ),
    TaskCase(
        "RobertaMultiLabelClassifier",
        settings={"thresholds": (0.3, 0.5, 0.7)},
        preprocessing={"labels": ("film", "funny", "good")},
        x=TEXTS,
        y=LABELS,
        queries=["a fine film", "dull"],
        learnt=_all_labels,
        head={"num_classes": 2, "labels": ("a", "b")},
        table=[",".join(labels) for labels in LABELS],
        answer=("labels", "scores"),
        problem_type="multi_label_classification",
        epochs=300,
    ),
    TaskCase(
        "RobertaTextEmbedder",
        settings={"pooling": "mean"},
        preprocessing={"prefix": "a "},
        x=PAIRS,
        y=LIKENESS,
        queries=["a fine film", "dull"],
        learnt=_alike,
        table=_write_pairs,
        make_forms=_forms_of_pairs,
        answer=("vector",),
        architecture="RobertaModel",
        epochs=100,
    ),
    TaskCase(
        "RobertaMultipleChoice",
        settings={},
        preprocessing={},
        x=QUESTIONS,
        y=CHOSEN,
        queries=[("film", ["a fine film", "dull"]), ("warm", ["a", "flat", "cold"])],
        learnt=_chooses,
        table=_table_of_questions,
        asked_there=("--option", "a fine film", "--option", "dull", "film"),
        make_forms=_forms_of_questions,
        make_stream=_stream_of_questions,
        answer=("label", "text", "score", "scores"),
        architecture="RobertaForMultipleChoice",
        epochs=150,
    ),
    TaskCase(
        "RobertaTokenClassifier",
        settings={},
        preprocessing={
            "labels": ("O", "B-ADJ", "I-ADJ", "B-FILM", "I-FILM"),
            "labelled_pieces": "first",
        },
        x=WORDS,
        y=TAGS,
        queries=["a fine film", "dull"],
        learnt=_finds_entities,
        head={"labels": ("O", "B-X", "I-X")},
        table=_conll_table,
        asked_there=("a fine film",),
        make_forms=_forms_of_words,
        answer=("entities",),
        architecture="RobertaForTokenClassification",
        epochs=40,
    ),
    TaskCase(
        "RobertaQuestionAnswerer",
        settings={"stride": 2, "null_threshold": 0.9},
        preprocessing={},
        x=ASKED,
        y=ANSWERS,
        queries=[("film", "a fine , warm film"), ("film", "dull")],
        learnt=_extracts,
        table=_write_squad,
        asked_there=("--text-pair", TEXTS[0], "film"),
        asked_besides={"n_best": 2},
        make_forms=_forms_of_contexts,
        answer=("text", "start", "end", "score", "no_answer"),
        architecture="RobertaForQuestionAnswering",
    ),
    TaskCase(
        "RobertaMaskedLM",
        settings={},
        preprocessing={"mask_rate": 0.3},
        x=TEXTS,
        y=None,
        queries=["a fine<mask> film", "<mask>", "dull<mask>,<mask>"],
        learnt=_fills_in,
        asked_besides={"top_k": 2},
        answer=("tokens", "scores", "filled"),
        architecture="RobertaForMaskedLM",
    ),
    TaskCase(
        "RobertaPretrainer",
        settings={"objectives": ("mlm", "sop")},
        preprocessing={},
        x=_pretraining_batches,
        y=None,
        queries=lambda: _pretraining_batches().take(1).map(lambda features, targets: features),
        learnt=_low_losses,
        exports=False,
        architecture="RobertaForMaskedLM",
    ),
]
