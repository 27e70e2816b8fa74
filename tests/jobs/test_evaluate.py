from keras_roberta.jobs.evaluate import tab_separated


def test_a_prediction_is_one_line():
    row = {"label": "good", "score": 0.25, "text": "a\tb\nc"}
    assert tab_separated(row) == "good\t0.2500\ta b c"
