"""What a model has to beat."""

import pickle

import numpy as np

from keras_roberta.export.comparison import Row, median_latencies, quality


def majority_class(targets, test_targets):
    """The label that is most frequent in training, for every text."""
    logits = np.zeros((len(test_targets), max(max(targets), max(test_targets)) + 1))
    logits[:, np.bincount(targets).argmax()] = 1
    return Row("majority class", **quality(logits, test_targets))


def tf_idf(texts, targets, test_texts, test_targets):
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
    predicted = model.predict(test_texts)
    logits = np.eye(max(predicted.max(), max(test_targets)) + 1)[predicted]
    return Row(
        "TF-IDF, logistic",
        **quality(logits, test_targets),
        megabytes=len(pickle.dumps(model)) / 1e6,
        median_ms=median_latencies([model.predict_proba], test_texts)[0],
    )
