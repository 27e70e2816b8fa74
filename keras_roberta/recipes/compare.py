"""Models side by side: how good, how like the reference, how large, how fast."""

import dataclasses
import json
import pickle
import time

import numpy as np
from rich.table import Table
from rich.text import Text

from keras_roberta.atomic_write import atomic_file
from keras_roberta.recipes.evaluate import scores

_LATENCY_TEXTS = 64


@dataclasses.dataclass(frozen=True)
class Measured:
    """One line of a comparison.

    Attributes:
        name: of the model.
        accuracy: share of the texts labelled right.
        macro_f1: mean over the classes.
        agreement: share of the texts labelled as the reference labels them, or None.
        megabytes: on disk (10^6 bytes), or None.
        milliseconds: median for one text, tokenization included, or None.
    """

    name: str
    accuracy: float
    macro_f1: float
    agreement: float | None = None
    megabytes: float | None = None
    milliseconds: float | None = None


def measure(name, predictor, texts, targets, reference=None):
    """Runs a `Predictor` over texts.

    Args:
        reference: class numbers to compare with, or None.

    Returns:
        `Measured`, and the class numbers, int (rows).
    """
    logits = np.asarray(predictor.logits(texts))
    predicted = logits.argmax(axis=-1)
    agreement = None if reference is None else float(np.mean(predicted == reference))
    return Measured(
        name,
        **scores(logits, targets),
        agreement=agreement,
        megabytes=predictor.num_bytes / 1e6,
        milliseconds=latency(predictor.one, texts),
    ), predicted


def latency(run, texts):
    """Median milliseconds of `run([text])`, after each of the texts has been seen once."""
    seconds = []
    for timed in (False, True):
        for text in _single_texts(texts):
            started = time.perf_counter()
            run(text)
            if timed:
                seconds.append(time.perf_counter() - started)
    return float(np.median(seconds) * 1000)


def majority_class(targets, test_targets):
    """The label that is most frequent in training, for every text."""
    logits = np.zeros((len(test_targets), max(max(targets), max(test_targets)) + 1))
    logits[:, np.bincount(targets).argmax()] = 1
    return Measured("majority class", **scores(logits, test_targets))


def tf_idf(texts, targets, test_texts, test_targets):
    """Logistic regression on words and pairs of words weighted by rarity: the baseline to beat."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(
            ngram_range=(1, 2), min_df=2 if len(targets) > 1000 else 1, sublinear_tf=True
        ),
        LogisticRegression(C=10, tol=1e-3, max_iter=300),
    ).fit(texts, targets)
    predicted = model.predict(test_texts)
    return Measured(
        "TF-IDF, logistic",
        **scores(np.eye(max(predicted.max(), max(test_targets)) + 1)[predicted], test_targets),
        megabytes=len(pickle.dumps(model)) / 1e6,
        milliseconds=latency(model.predict_proba, test_texts),
    )


def as_table(rows, title):
    """A rich table of `Measured`."""
    table = Table(title=title, title_justify="left")
    table.add_column("model")
    for heading in ("accuracy", "macro F1", "agreement", "size MB", "latency ms"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            Text(row.name),
            f"{row.accuracy:.3f}",
            f"{row.macro_f1:.3f}",
            _or_dash(row.agreement, ".3f"),
            _or_dash(row.megabytes, ".2f"),
            _or_dash(row.milliseconds, ".2f"),
        )
    return table


def write_json(path, models, **more):
    """The same as JSON, with `more` beside it."""
    values = {"models": [dataclasses.asdict(row) for row in models], **more}
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _single_texts(texts):
    if isinstance(texts, tuple):
        return [([a], [b]) for a, b in zip(*texts, strict=True)][:_LATENCY_TEXTS]
    return [[text] for text in texts[:_LATENCY_TEXTS]]


def _or_dash(value, form):
    return "–" if value is None else format(value, form)
