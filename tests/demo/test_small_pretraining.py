import pytest

from keras_roberta.demo.small_pretraining import packed_rows, pretrain
from keras_roberta.errors import InputError

TEXTS = ["a fine film , warm and funny", "a dull film , cold and flat"] * 300


def test_packed_rows_hold_the_texts_one_after_the_other(tokenizer):
    rows = packed_rows(TEXTS, tokenizer, 16)
    ids = [i for text in TEXTS for i in tokenizer(text)]
    assert rows.shape[1] == 16 and rows.ravel().tolist() == ids[: rows.size]
    assert len(ids) - rows.size < 16


@pytest.mark.slow
def test_loss_falls(tokenizer, config):
    _, found = pretrain(
        TEXTS, tokenizer, config, max_steps=60, batch_size=8, sequence_length=16, learning_rate=2e-3
    )
    assert found["steps"] == 60 and found["tokens"] == 60 * 8 * 16
    assert found["loss_after"] < found["loss_before"] - 0.5
    assert [step for step, _ in found["loss_curve"]] == [20, 40, 60]


def test_too_little_text(tokenizer, config):
    with pytest.raises(InputError, match="too few to pre-train on"):
        pretrain(TEXTS[:2], tokenizer, config, sequence_length=16)
