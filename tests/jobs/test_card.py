"""The model card of a pre-trained preset."""

import os
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


def test_a_card_says_how_long_the_run_was(tmp_path):
    write_card(
        tmp_path / "README.md",
        name="mine",
        config=RobertaConfig.named("tiny", vocabulary_size=1234, max_sequence_length=77),
        options=recipe("roberta-base", batch_size=24, sequence_length=77, seed=9),
        shards=types.SimpleNamespace(
            counts={"train": {"en": {"tokens": 5000}, "sv": {"tokens": 60}}}
        ),
        totals={"steps": 1200, "tokens": 3_456_789, "hours": 2.5, "skipped_steps": 3},
        results={"en": {"mlm_loss": 2.25, "accuracy": 0.5}, "sv": {"mlm_loss": 4, "accuracy": 0}},
    )
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert "- 1,200 steps, 3,456,789 tokens, 2.50 hours; 3 steps skipped" in lines
    assert "- text: en (5,000 tokens), sv (60 tokens)" in lines
    assert "- batches of up to 24 sequences of up to 77 tokens" in lines
    table = lines.index("| language | mlm loss | accuracy |")
    assert lines[table + 2 : table + 4] == ["| en | 2.250 | 0.500 |", "| sv | 4.000 | 0.000 |"]
    assert any(
        line.startswith(
            "A RoBERTa encoder of 2 layers, 128 wide, 2 heads, 1,234 tokens, up to 77 of them"
        )
        for line in lines
    )


def test_a_card_is_the_old_one_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path, seen = tmp_path / "README.md", []
    path.write_text("old")
    replace = os.replace

    def noticed(source, target):
        seen.append(path.read_text())
        replace(source, target)

    monkeypatch.setattr(os, "replace", noticed)
    write_card(
        path,
        name="mine",
        config=RobertaConfig.named("tiny"),
        options=recipe("roberta-base"),
        shards=types.SimpleNamespace(counts={"train": {"en": {"tokens": 5}}}),
        totals={"steps": 1, "tokens": 5, "hours": 0.1, "skipped_steps": 0},
        results={},
    )
    assert seen == ["old"] and path.read_text().startswith("---")
