"""Scores class by class against scikit-learn's, thresholds against all of them tried."""

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import spearmanr

from keras_roberta.errors import InputError
from keras_roberta.schemas import ManyLabels, MaskedTokens, MultipleChoice, OneLabel, Value


def random_logits(rows, classes, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, classes)).astype("float32")


def table_of(details):
    columns = ("precision", "recall", "f1", "support")
    return np.array([[getattr(one, name) for name in columns] for one in details.classes]).T


@pytest.mark.parametrize(("classes", "rows"), [(2, 40), (5, 60), (7, 4)])  # 4 rows: classes unseen
def test_one_label(classes, rows):
    schema = OneLabel(classes)
    outputs = schema.outputs(random_logits(rows, classes))
    targets = np.random.default_rng(1).integers(0, classes, rows)
    expected = sklearn.metrics.precision_recall_fscore_support(
        targets, outputs["label"], labels=range(classes), zero_division=0
    )
    details = schema.details(outputs, targets)
    np.testing.assert_allclose(table_of(details), expected)
    (matrix,) = details.confusions
    np.testing.assert_array_equal(
        matrix.counts,
        sklearn.metrics.confusion_matrix(targets, outputs["label"], labels=range(classes)),
    )
    macro = sklearn.metrics.f1_score(targets, outputs["label"], average="macro", zero_division=0)
    scores = schema.scores(outputs, targets)
    assert scores["macro_f1"] == pytest.approx(macro)
    correlation = sklearn.metrics.matthews_corrcoef(targets, outputs["label"])
    assert scores["matthews_correlation"] == pytest.approx(correlation)
    if classes == 2:
        assert scores["f1"] == pytest.approx(sklearn.metrics.f1_score(targets, outputs["label"]))
    assert len(details.thresholds) == (classes == 2)


@pytest.mark.parametrize(
    ("targets", "answers", "f1", "correlation"),
    [
        # 3 right of each class, 1 and 2 wrong: (3 * 3 - 1 * 2) / sqrt(4 * 5 * 4 * 5), 6 / 9
        ([0] * 4 + [1] * 5, [0, 0, 0, 1, 1, 1, 1, 0, 0], 6 / 9, 7 / 20),
        ([0, 1, 0, 1], [1, 0, 1, 0], 0.0, -1.0),
        ([0, 1, 1], [1, 1, 1], 4 / 5, 0.0),  # one answer alone says nothing
        ([1, 1, 1], [1, 1, 1], 1.0, 0.0),
    ],
)
def test_the_scores_of_glue(targets, answers, f1, correlation):
    schema = OneLabel(2, ("no", "yes"))
    scores = schema.scores(schema.outputs(np.eye(2)[answers]), np.array(targets))
    assert list(scores) == ["accuracy", "macro_f1", "f1", "matthews_correlation"]
    assert scores["f1"] == pytest.approx(f1)
    assert scores["matthews_correlation"] == pytest.approx(correlation)


def test_scores_that_rank_are_measured():
    """Those of the other schemas are looked at where their scores are."""
    logits, numbers, marks = np.eye(3), np.arange(3), np.eye(3, dtype=int)
    for schema, targets in (
        (OneLabel(3), numbers),
        (ManyLabels(3), marks),
        (MultipleChoice(), numbers),
        (Value(), numbers),
    ):
        given = logits[:, :1] if isinstance(schema, Value) else logits
        names = schema.ranking_scores(targets)
        assert set(names) <= set(schema.scores(schema.outputs(given), targets))
        assert schema.main_score_of(targets) in names
    assert MaskedTokens(4).ranking_scores(numbers) == ()


def test_many_labels():
    schema = ManyLabels(4, ("a", "b", "c", "d"), (0.3, 0.5, 0.7, 0.5))
    outputs = schema.outputs(random_logits(50, 4))
    targets = np.random.default_rng(1).integers(0, 2, (50, 4))
    targets[:, 3] = 0  # a label that no text has
    details = schema.details(outputs, targets)
    given = outputs["labels"]
    expected = sklearn.metrics.precision_recall_fscore_support(targets, given, zero_division=0)
    np.testing.assert_allclose(table_of(details), expected)
    np.testing.assert_array_equal(
        [matrix.counts for matrix in details.confusions],
        sklearn.metrics.multilabel_confusion_matrix(targets, given),
    )
    assert [one.chosen for one in details.thresholds] == [0.3, 0.5, 0.7, 0.5]
    for average in ("micro", "macro"):
        expected = sklearn.metrics.f1_score(targets, given, average=average, zero_division=0)
        assert schema.scores(outputs, targets)[f"{average}_f1"] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_is_better_than_the_best(seed):
    schema = OneLabel(2, ("no", "yes"))
    logits = np.round(random_logits(30, 2, seed), 1)  # some are equal
    outputs = schema.outputs(logits)
    targets = np.random.default_rng(seed).integers(0, 2, 30)
    (threshold,) = schema.details(outputs, targets).thresholds
    assert (threshold.label, threshold.chosen) == ("yes", 0.5)

    def f1(at):
        answers = schema.at_threshold(outputs, at)["label"]
        return sklearn.metrics.f1_score(targets, answers, zero_division=0)

    assert f1(threshold.best) == pytest.approx(threshold.best_f1)
    assert f1(0.5) == pytest.approx(threshold.f1)
    assert threshold.best_f1 >= max(map(f1, np.linspace(0.01, 0.99, 99)))


@pytest.mark.parametrize(
    ("probabilities", "targets", "best", "f1"),
    [
        # As good: from 0.85 on one of two alone, from 0.3 on both and two others.
        ([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], 0.3, 2 / 3),
        ([0.7, 0.7, 0.2], [1, 0, 0], 0.45, 2 / 3),  # nothing parts the first two
        ([0.004, 0.002], [1, 0], 0.003, 1.0),
        ([0.998, 0.996], [1, 0], 0.997, 1.0),
    ],
)
def test_the_best_threshold_by_hand(probabilities, targets, best, f1):
    second = np.array(probabilities)
    schema = OneLabel(2)
    outputs = schema.outputs(np.log(np.stack([1 - second, second], axis=1)))
    (threshold,) = schema.details(outputs, np.array(targets)).thresholds
    assert threshold.best == pytest.approx(best, abs=1e-5)
    assert threshold.best_f1 == pytest.approx(f1)


def test_another_threshold():
    two = OneLabel(2, ("no", "yes"))
    outputs = two.outputs(np.log([[0.7, 0.3], [0.4, 0.6]]))
    moved = two.at_threshold(outputs, 0.25)
    assert two.answers(moved) == [
        {"label": "yes", "score": pytest.approx(0.3)},
        {"label": "yes", "score": pytest.approx(0.6)},
    ]
    (threshold,) = two.details(moved, np.array([0, 1])).thresholds
    assert (threshold.chosen, threshold.f1) == (0.25, pytest.approx(2 / 3))
    many = ManyLabels(2, ("a", "b"))
    outputs = many.outputs(np.array([[0.0, -1.0]]))  # 0.5 and 0.27
    assert many.answers(many.at_threshold(outputs, 0.2))[0]["labels"] == ["a", "b"]
    assert many.answers(many.at_threshold(outputs, 0.6))[0]["labels"] == []
    for schema, threshold, message in (
        (two, 1.0, "a probability between 0 and 1; got 1.0"),
        (two, 0.0, "a probability between 0 and 1; got 0.0"),
        (OneLabel(3), 0.5, "the likeliest of 3 is the answer"),
        (Value(), 0.5, "value is not decided by a threshold"),
    ):
        outputs = schema.outputs(np.zeros((1, getattr(schema, "num_classes", 1))))
        with pytest.raises(InputError, match=message):
            schema.at_threshold(outputs, threshold)


def test_values():
    values, targets = np.array([1.0, 2.0, 2.0, 5.0]), np.array([1.5, 1.0, 3.0, 3.0])
    scores = Value().scores({"value": values}, targets)
    assert list(scores) == ["mse", "pearson", "spearman"]
    assert scores["spearman"] == pytest.approx(spearmanr(values, targets).statistic)
    details = Value().details({"value": values}, targets).scores
    assert details == {"mae": pytest.approx((0.5 + 1 + 1 + 2) / 4)}
    for unknown in (np.ones(4), [np.nan, *targets[1:]]):  # what does not vary, or is no number
        found = Value().scores({"value": values}, unknown)
        assert found["pearson"] is None and found["spearman"] is None


def test_all_scores():
    outputs = OneLabel(2, ("no", "yes")).outputs(np.log([[0.75, 0.25]]))
    assert OneLabel(2, ("no", "yes")).all_scores(outputs) == [
        {"no": pytest.approx(0.75), "yes": pytest.approx(0.25)}
    ]
    outputs = ManyLabels(1).outputs(np.zeros((1, 1)))
    assert ManyLabels(1).all_scores(outputs) == [{"0": pytest.approx(0.5)}]
    for schema in (Value(), MaskedTokens(4)):
        with pytest.raises(InputError, match="has no labels"):
            schema.all_scores({})
