"""The model card of a pre-trained preset."""

import types

import pytest

from keras_roberta.config import RobertaConfig
from keras_roberta.jobs.pretrain.card import write_card
from keras_roberta.jobs.pretrain.options import recipe


@pytest.mark.parametrize(
    ("objectives", "fills"), [("mlm", True), ("mlm,sop", True), ("sop", False)]
)
def test_a_card_speaks_of_masks_where_a_head_fills_them(tmp_path, objectives, fills):
    write_card(
        tmp_path / "README.md",
        name="mine",
        config=RobertaConfig.named("tiny"),
        options=recipe("roberta-base", objectives=objectives),
        shards=types.SimpleNamespace(counts={"train": {"en": {"tokens": 5}}}),
        totals={"steps": 1, "tokens": 5, "hours": 0.1, "skipped_steps": 0},
        results={},
    )
    card = (tmp_path / "README.md").read_text()
    assert ("pipeline_tag: fill-mask" in card) == fills
    assert ("keras-roberta predict --model mine" in card) == fills
    assert "keras-roberta finetune --preset mine" in card
