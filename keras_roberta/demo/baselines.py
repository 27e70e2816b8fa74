"""What a model has to beat."""

import pickle

import numpy as np

from keras_roberta.reports.contents import Row
from keras_roberta.reports.latency import latencies_over_texts, summary
from keras_roberta.reports.quality import quality
from keras_roberta.schemas import OneLabel


def majority_class(schema: OneLabel, targets, test_targets) -> Row:
    """The label that is most frequent in training, for every text."""
    most_frequent = np.bincount(targets).argmax()
    predicted = np.full(len(test_targets), most_frequent)
    return Row("majority class", **_quality(schema, predicted, test_targets))


def tf_idf(schema: OneLabel, texts, targets, test_texts, test_targets) -> Row:
    """Logistic regression on words and pairs of words weighted by rarity."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(
            ngram_range=(1, 2), min_df=2 if len(targets) > 1000 else 1, sublinear_tf=True
        ),
        LogisticRegression(C=10, tol=1e-3, max_iter=300),
    ).fit(texts, targets)
    (times,) = latencies_over_texts([model.predict_proba], test_texts)
    return Row(
        "TF-IDF, logistic",
        **_quality(schema, model.predict(test_texts), test_targets),
        megabytes=len(pickle.dumps(model)) / 1e6,
        **summary(times),
    )


def _quality(schema, predicted, targets):
    """Fields of a `Row` about class numbers that were predicted."""
    return quality(schema, schema.outputs(np.eye(schema.num_classes)[predicted]), targets)
