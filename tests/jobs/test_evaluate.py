import pytest

from keras_roberta.errors import InputError
from keras_roberta.jobs import evaluate
from keras_roberta.jobs.evaluate import tab_separated
from keras_roberta.jobs.options.evaluate import PredictOptions


class Lengths:
    """Answers with the length of a text, or of a pair."""

    def answers(self, texts):
        rows = zip(*texts, strict=True) if isinstance(texts, tuple) else ((t,) for t in texts)
        return [{"length": sum(map(len, row))} for row in rows]


@pytest.fixture
def lengths(monkeypatch):
    monkeypatch.setattr(evaluate, "open_predictor", lambda *_: Lengths())


def test_a_limit_holds_for_lists_too(lengths):
    options = PredictOptions(limit=1)
    assert evaluate.predict("m", ["abc", "d"], options) == [{"length": 3, "text": "abc"}]
    pairs = (["abc", "d"], ["e", "f"])
    expected = [{"length": 4, "text": "abc", "text_pair": "e"}]
    assert evaluate.predict("m", pairs, options) == expected


@pytest.mark.parametrize("name", ["text_column", "text_pair_column"])
def test_columns_are_those_of_a_table(lengths, name):
    with pytest.raises(InputError, match=f"{name} names a column of a table"):
        evaluate.predict("m", ["a"], PredictOptions(**{name: "b"}))


def test_a_prediction_is_one_line():
    row = {"label": "good", "score": 0.25, "text": "a\tb\nc"}
    assert tab_separated(row) == "good\t0.2500\ta b c"
