"""What options of a pre-training run do: parts of batches, a start from counts, hours."""

import itertools
import time
import types

import numpy as np
import pytest
from pretraining_runs import TINY, options, rows

import keras_roberta as kr
import keras_roberta.config
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.pretraining.cooccurrence import token_vectors
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.plan import Plan
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.jobs.pretrain.start_model import start_from_cooccurrence, start_model

pytestmark = pytest.mark.usefixtures("tinier")


def test_a_batch_in_parts_trains_as_the_whole(english_shards, tmp_path):
    runs = {
        size: pretrain(
            english_shards,
            tmp_path / str(size),
            options(micro_batch_size=size, dropout=0.0, steps=4, clip_norm=0.5, log_every=2),
        )
        for size in (2, 8)
    }
    whole, parts = runs[8].model, runs[2].model
    assert (whole.gradient_accumulation_steps, parts.gradient_accumulation_steps) == (1, 4)
    for weight, expected in zip(parts.weights, whole.weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)
    losses = [
        [float(row["loss"]) for row in rows(tmp_path / run / "log.csv")] for run in ("2", "8")
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_stages_draw_different_samples(english_shards, tmp_path, monkeypatch):
    """With one order for all, each stage would begin with the texts of the one before."""
    first_batches = []

    class Ended(Exception):
        pass

    def fit(self, batches, **_):
        features, _, _ = next(iter(batches))
        first_batches.append(features["token_ids"].numpy())
        if len(first_batches) == 2:
            raise Ended

    monkeypatch.setattr(kr.RobertaPretrainer, "fit", fit)
    ramp = dict(objectives="sop", batch_size=4, batch_ramp="0.5:8")
    with pytest.raises(Ended):
        pretrain(english_shards, tmp_path, options(**ramp))
    before, after = first_batches
    assert (len(before), len(after)) == (4, 8)
    assert not any(np.array_equal(*rows) for rows in zip(before, after[:4], strict=True))


def test_embeddings_start_from_what_stands_together(english_shards, tmp_path):
    starts = dict(initial_embeddings="cooccurrence", initializer="glorot_uniform")
    chosen = options(**starts, steps=1, learning_rate=1e-9)
    result = pretrain(english_shards, tmp_path, chosen)
    table = np.array(result.model.backbone.token_embedding.embeddings)
    documents = open_shards(english_shards).documents()
    expected = token_vectors(documents, *table.shape, seed=chosen.seed)
    np.testing.assert_allclose(table, expected, atol=1e-6)
    kernel = np.array(result.model.backbone.encoder.blocks[0].intermediate_dense.kernel)
    assert kernel.std() == pytest.approx((2 / sum(kernel.shape)) ** 0.5, rel=0.1)
    assert "(glorot_uniform) with token embeddings by coocc" in (tmp_path / "README.md").read_text()

    # Another worker takes what the chief has counted.
    sent = np.ones_like(table)
    other = types.SimpleNamespace(
        rank=types.SimpleNamespace(is_chief=False), of_chief=lambda own: sent + own
    )
    start_from_cooccurrence(result.model.backbone, None, 0, other)
    np.testing.assert_array_equal(result.model.backbone.token_embedding.embeddings, sent)


def test_a_vocabulary_too_small_to_count_is_said_before_anything_is_written(
    english_shards, tmp_path, monkeypatch
):
    wide = TINY | dict(hidden_dim=512)
    monkeypatch.setitem(keras_roberta.config._NAMED, "tiny", wide)
    with pytest.raises(InputError, match="a vocabulary of [0-9]+ tokens has no vectors of 512"):
        pretrain(english_shards, tmp_path / "run", options(initial_embeddings="cooccurrence"))
    assert not (tmp_path / "run").exists()


def test_the_time_of_counting_counts(english_shards, tmp_path, monkeypatch):
    def slowly(*args, **kwargs):
        time.sleep(3)
        return token_vectors(*args, **kwargs)

    monkeypatch.setattr("keras_roberta.jobs.pretrain.start_model.token_vectors", slowly)
    started = time.monotonic()
    chosen = options(initial_embeddings="cooccurrence", steps=1)
    result = pretrain(english_shards, tmp_path, chosen)
    assert 3 <= result.hours * 3600 <= time.monotonic() - started


def test_a_run_by_the_clock(english_shards, tmp_path, monkeypatch):
    seconds = itertools.count(0, 40)  # every look at the clock takes forty
    clock = types.SimpleNamespace(monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr("keras_roberta.training.runs.budget.time", clock)
    result = pretrain(english_shards, tmp_path, options(steps=None, hours=0.5, log_every=1))
    assert result.hours >= 0.5 and result.steps > 10
    rates = [float(row["learning_rate"]) for row in rows(tmp_path / "log.csv")]
    assert max(rates) == pytest.approx(1e-2, rel=0.05) and rates[-1] < 1e-3


def test_packed_documents_make_a_preset_for_single_ones(english_shards, tmp_path):
    of_model = dict(num_layers=3, parameter_sharing="all", embedding_dim=8, norm_first=True)
    packed = options(steps=2, packing="block-diagonal", remat=True, **of_model)
    pretrain(english_shards, tmp_path / "one", packed)
    task = kr.RobertaMaskedLM.from_preset(tmp_path / "one")
    config = task.backbone.config
    assert task.backbone.optional_inputs == () and config.remat
    assert {name: getattr(config, name) for name in of_model} == of_model
    assert np.isfinite(task.predict(["the<mask>"], verbose=0)).all()

    # Another run goes on with some of the layers.
    shards, preset = open_shards(english_shards), {"size": None, "preset": tmp_path / "one"}
    chosen = options(**preset, num_layers=2, layer_drop=0.2, activation_dropout=0.3)
    model = start_model(chosen, shards)
    config = model.backbone.config
    assert (config.num_layers, config.layer_drop, config.activation_dropout) == (2, 0.2, 0.3)
    found, expected = model.backbone.weights_by_name(), task.backbone.weights_by_name()
    for name, weight in found.items():
        np.testing.assert_array_equal(weight, expected[name.replace("block_1", "block_2")])
    assert Plan.of(chosen, shards).parameters == model.count_params()
    with pytest.raises(InputError, match="num_layers 4: the preset has 3 layers"):
        Plan.of(options(**preset, num_layers=4), shards)
