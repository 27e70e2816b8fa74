import json

import pytest

import keras_roberta as kr
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.demo import short_pretraining
from keras_roberta.demo.short_pretraining import prepare_shards, pretrain_on_shards
from keras_roberta.tokenizers.training import train_byte_level_bpe

ADJECTIVES = "fine dull warm cold funny flat lovely tedious".split()


@pytest.fixture(scope="module")
def texts():
    """Documents that all differ: equal ones are dropped."""
    return [
        f"a {first} film , {second} and {third} . number {i}"
        for i, (first, second, third) in enumerate(
            (ADJECTIVES[i % 8], ADJECTIVES[i // 8 % 8], ADJECTIVES[i // 64 % 8])
            for i in range(1500)
        )
    ]


def test_every_text_is_a_document(texts, tokenizer, tmp_path):
    shards = open_shards(prepare_shards(["one\n\ntwo", *texts], tokenizer, tmp_path))
    counts = [split["und"]["documents"] for split in shards.counts.values()]
    assert sum(counts) == 1501
    assert json.loads((tmp_path / "corpus.jsonl").read_text().splitlines()[0]) == {
        "text": "one\n\ntwo"
    }


@pytest.mark.slow
def test_loss_falls(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(short_pretraining, "_MOST_STEPS", 60)
    tokenizer = train_byte_level_bpe(texts, vocabulary_size=400)
    shards = prepare_shards(texts, tokenizer, tmp_path)
    found = pretrain_on_shards(shards, tmp_path / "pretrained", seconds=600)
    assert (found.steps, found.tokens) == (60, 60 * 16 * 128)
    points = found.curve.lines["training"]
    assert [step for step, _ in points] == [20, 40, 60]
    assert points[-1][1] < points[0][1] - 0.2
    assert found.loss < points[0][1]
    encoder = kr.RobertaBackbone.from_preset(tmp_path / "pretrained")
    assert encoder.config.max_sequence_length == 128


def test_nothing_held_out(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(short_pretraining, "_MOST_STEPS", 1)
    shards = prepare_shards(["a"], tokenizer, tmp_path)
    found = pretrain_on_shards(shards, tmp_path / "pretrained", seconds=600)
    assert (found.steps, found.loss) == (1, None)
