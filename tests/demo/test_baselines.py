from keras_roberta.demo.baselines import majority_class, tf_idf


def test_baselines(sentiment):
    texts, targets = sentiment
    assert majority_class([0, 1, 1], [1, 0, 1, 0]).accuracy == 0.5
    row = tf_idf(texts, targets, texts, targets)
    assert (row.accuracy, row.macro_f1) == (1.0, 1.0)
    assert row.megabytes > 0 and row.median_ms > 0
