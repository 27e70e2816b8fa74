"""Vectors of texts: real encoders, prefixes, search, and what `fit` learns from."""

import json
import runpy
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from task_cases import CONFIG, TEXTS

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.layers.similarity_losses import CoSENTLoss
from keras_roberta.training.optimizer import finetuning_optimizer

PAIRS = list(zip(TEXTS[:5], TEXTS[5:], strict=True))


@pytest.fixture(scope="module")
def backbone():
    return kr.RobertaBackbone(CONFIG.replace(initializer_range=0.3))


@pytest.fixture
def make(backbone, tokenizer):
    def make(prefix="", corpus_prefix=None, **settings):
        preprocessor = kr.RobertaTextEmbedderPreprocessor(tokenizer, 24, prefix, corpus_prefix)
        return kr.RobertaTextEmbedder(backbone, preprocessor, **settings)

    return make


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.slow
def test_granite_gives_its_vectors(data_directory):
    directory = data_directory / "granite-30m"
    task = kr.RobertaTextEmbedder.from_preset(directory, pooling="cls")
    expected = json.loads((directory / "reference_embeddings.json").read_text())
    for found, vector in zip(task.predict(list(expected), verbose=0), expected.values(),
                             strict=True):  # fmt: skip
        assert cosine(found, np.array(vector)) > 0.9999


@pytest.mark.slow
def test_a_cross_lingual_encoder_gives_its_vectors(data_directory, tmp_path, monkeypatch):
    """XLM-R's SentencePiece vocabulary, mean pooling, prefixes in the texts."""
    directory = data_directory / "xlmr-small"
    monkeypatch.setattr(sys, "argv", ["make_checkpoint.py", str(tmp_path)])
    runpy.run_path(str(directory / "make_checkpoint.py"), run_name="__main__")
    expected = json.loads((directory / "reference_embeddings.json").read_text())
    task = kr.RobertaTextEmbedder.from_preset(tmp_path, pooling="mean")
    tokenizer = task.preprocessor.tokenizer
    assert [list(ids) for ids in tokenizer(list(expected))] == [r["ids"] for r in expected.values()]
    vectors = task.predict(list(expected), verbose=0)
    for found, reference in zip(vectors, expected.values(), strict=True):
        assert cosine(found, np.array(reference["mean"])) > 0.9999
    prefixed = kr.RobertaTextEmbedder(
        task.backbone, kr.RobertaTextEmbedderPreprocessor(tokenizer, 64, "query: "), "mean"
    )
    texts = [text.removeprefix("query: ") for text in expected if text.startswith("query: ")]
    kept = [text.startswith("query: ") for text in expected]
    np.testing.assert_allclose(prefixed.predict(texts, verbose=0), vectors[kept], atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_vectors_do_not_depend_on_padding(make, pooling):
    task = make(pooling=pooling)
    texts = [text * (1 + i % 3) for i, text in enumerate(TEXTS)]
    vectors = task.predict(texts, batch_size=4, verbose=0)
    assert vectors.shape == (10, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alone = np.concatenate([task.predict([text], verbose=0) for text in texts[:3]])
    np.testing.assert_allclose(vectors[:3], alone, atol=1e-5)
    longer = make(pooling=pooling, normalize=False).predict(texts, verbose=0)
    lengths = np.linalg.norm(longer, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1)
    np.testing.assert_allclose(longer / lengths, vectors, atol=1e-5)


def test_similarity_and_search(make):
    task = make()
    vectors = task.predict(TEXTS, verbose=0)
    expected = vectors[:2] @ vectors.T
    np.testing.assert_allclose(task.similarity(TEXTS[:2], TEXTS), expected, atol=1e-5)
    for a in (vectors[:2], tf.constant(vectors[:2])):
        np.testing.assert_allclose(task.similarity(a, TEXTS), expected, atol=1e-5)
    found = task.search(TEXTS[:2], TEXTS, top_k=3)
    for row, hits in enumerate(found):
        order = np.argsort(-expected[row], kind="stable")[:3]
        assert [hit["index"] for hit in hits] == order.tolist()
        assert [hit["text"] for hit in hits] == [TEXTS[i] for i in order]
        np.testing.assert_allclose([h["score"] for h in hits], expected[row][order], atol=1e-5)
    assert json.loads(json.dumps(found)) == found
    for corpus in (vectors, tf.constant(vectors)):
        (hits,) = task.search(TEXTS[0], corpus, top_k=99)
        assert len(hits) == 10 and set(hits[0]) == {"index", "score"}
    assert task.search(TEXTS[:2], pd.DataFrame({"text": TEXTS}), top_k=3) == found
    alone = kr.RobertaTextEmbedder(task.backbone)
    assert alone.search(vectors[:1], vectors, top_k=1)[0][0]["index"] == 0
    with pytest.raises(InputError, match="the task has no preprocessor"):
        alone.search(vectors[:1], TEXTS)
    (kept,) = task.search([TEXTS[0]], TEXTS, vectors=vectors)
    assert kept[0]["text"] == TEXTS[0]
    with pytest.raises(InputError, match="vectors: 2 of them for 10 texts"):
        task.search(TEXTS, TEXTS, vectors=vectors[:2])
    with pytest.raises(InputError, match="a corpus has single texts"):
        task.search(TEXTS, (TEXTS, TEXTS))
    scores = [answer["score"] for answer in task.answers((TEXTS[:2], TEXTS[2:4]))]
    np.testing.assert_allclose(scores, [expected[0, 2], expected[1, 3]], atol=1e-5)


def test_prefixes(make, tokenizer):
    plain, task = make(), make("film: ", "cold ")
    queries, corpus = (plain.predict([p + t for t in TEXTS], verbose=0) for p in
                       ("film: ", "cold "))  # fmt: skip
    np.testing.assert_allclose(task.predict(TEXTS, verbose=0), queries, atol=1e-5)
    np.testing.assert_allclose(task.corpus_vectors(TEXTS), corpus, atol=1e-5)
    answers = [answer["score"] for answer in task.answers((TEXTS, TEXTS))]
    np.testing.assert_allclose(np.diag(task.similarity(TEXTS, TEXTS)), answers, atol=1e-5)
    (hits,) = task.search(TEXTS[0], TEXTS, top_k=10)
    expected = [queries[0] @ corpus[hit["index"]] for hit in hits]
    np.testing.assert_allclose([hit["score"] for hit in hits], expected, atol=1e-5)
    examples = task.make_examples(PAIRS, [1.0] * 5)
    first, second = (tokenizer.decode(examples.token_ids.row(i)) for i in range(2))
    assert (first, second) == (f"film: {PAIRS[0][0]}", f"cold {PAIRS[0][1]}")
    in_graph = tf.data.Dataset.from_tensor_slices(TEXTS).batch(5).map(task.preprocessor)
    np.testing.assert_allclose(task.predict(in_graph, verbose=0), queries, atol=1e-5)


def test_the_loss_of_pairs(make):
    """Of pairs without scores each second among all; by the formula, from the vectors."""
    task = make("film: ", "cold ")
    firsts, seconds = (list(side) for side in zip(*PAIRS, strict=True))
    products = 20 * task.predict(firsts, verbose=0) @ task.corpus_vectors(seconds).T
    expected = np.mean(np.log(np.exp(products).sum(axis=1)) - np.diag(products))
    for x in (PAIRS, (firsts, seconds), {"text": firsts, "text_pair": seconds}):
        found = task.evaluate(x, batch_size=5, verbose=0, return_dict=True)["loss"]
        assert found == pytest.approx(expected, abs=1e-4)
    scores = np.array([1.0, 0.5, 0.2, 0.0, -0.5])
    expected = np.mean((np.diag(products) / 20 - scores) ** 2)
    assert task.evaluate(PAIRS, scores, verbose=0) == pytest.approx(expected, abs=1e-5)
    wider = make("film: ", "cold ", score_range=(1, 5))
    assert wider.evaluate(PAIRS, 1 + 4 * scores, verbose=0) == pytest.approx(expected, abs=1e-5)
    task.compile(loss=CoSENTLoss())
    found = [task.evaluate(PAIRS, scale * scores[:, None], verbose=0) for scale in (1, 7)]
    assert np.isfinite(found).all() and found[0] == pytest.approx(found[1], abs=1e-5)
    weights = [0.0, 0.0, 3.0, 0.0, 0.0]
    task.compile()
    one = task.evaluate({"text": firsts, "text_pair": seconds, "sample_weight": weights},
                        batch_size=5, verbose=0)  # fmt: skip
    third = np.log(np.exp(products[2]).sum()) - products[2, 2]
    assert one == pytest.approx(3 * third / 5, abs=1e-4)


def test_pairs_that_belong_together_are_learnt(tokenizer):
    keras.utils.set_random_seed(3)
    preprocessor = kr.RobertaTextEmbedderPreprocessor(tokenizer, 24)
    task = kr.RobertaTextEmbedder(kr.RobertaBackbone(CONFIG), preprocessor)
    numbers = np.arange(10).reshape(5, 2)
    before = task.schema.scores(task.named_outputs(PAIRS), numbers)["mrr"]
    task.compile(finetuning_optimizer(3e-3, weight_decay=0.0))
    task.fit(PAIRS, batch_size=5, epochs=40, verbose=0)
    scores = task.schema.scores(task.named_outputs(PAIRS), numbers)
    assert scores["recall_at_1"] == 1.0 and before < 1.0


REFUSED = {
    "single texts": (dict(x=TEXTS), "an embedder learns from pairs"),
    "scores of single texts": (dict(x=TEXTS, y=[1.0] * 10), "scores are of pairs"),
    "scores that are no cosines": (dict(x=PAIRS, y=[1, 2, 3, 4, 5]), "row 1: the score 2 .*range"),
    "scores cut short": (dict(x=PAIRS, y=[1.0]), "5 texts, but 1 labels"),
    "names": (dict(x=[(*pair, None) for pair in PAIRS]), "expected|found"),
    "weights cut short": (dict(x=PAIRS, y=[1.0] * 5, sample_weight=[1.0]), "5 texts, but 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_fit_refuses(make, case):
    arguments, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as error:
        make().fit(**arguments)
    assert "\n" not in str(error.value)


def test_settings_that_do_not_fit(make, backbone, tokenizer):
    with pytest.raises(InputError, match="pooling: expected one of cls, mean; got 'max'"):
        make(pooling="max")
    with pytest.raises(InputError, match="score_range"):
        make(score_range=(5, 1))
    with pytest.raises(InputError, match="prefix: expected text; got 3"):
        kr.RobertaTextEmbedderPreprocessor(tokenizer, prefix=3)
    with pytest.raises(InputError, match="takes texts one by one"):
        make().preprocessor((TEXTS, TEXTS))


def test_settings_are_kept(make, tmp_path):
    task = make("film: ", "cold ", pooling="cls", normalize=False, score_range=(0, 5))
    task.save_to_preset(tmp_path / "preset")
    for load_head in (True, False):
        again = kr.RobertaTextEmbedder.from_preset(tmp_path / "preset", load_head=load_head)
        assert again.schema == task.schema
        assert (again.pooler.pooling, again.pooler.normalize) == ("cls", False)
    task.save_to_hugging_face(tmp_path / "hf")
    again = kr.open_task(tmp_path / "hf")
    assert (again.schema.prefix, again.schema.corpus_prefix) == ("film: ", "cold ")
    np.testing.assert_allclose(
        again.predict(TEXTS, verbose=0), task.predict(TEXTS, verbose=0), atol=1e-5
    )


def test_prefixes_of_exported_files(make, tokenizer, tmp_path):
    task = make("film: ", "cold ")
    queries, corpus = task.predict(TEXTS, verbose=0), task.corpus_vectors(TEXTS)
    path = export.to_saved_model(task, tmp_path / "queries", warmup_batch_sizes=[1])
    runner = export.load(path)
    np.testing.assert_allclose(runner.predict(TEXTS)["vector"], queries, atol=1e-5)
    with pytest.raises(InputError, match="prefixes of their own"):
        runner.predict((TEXTS, TEXTS))
    expected = task.search(TEXTS[:2], TEXTS, top_k=3)
    found = runner.search(TEXTS[:2], TEXTS, top_k=3, vectors=corpus)
    for hits, others in zip(found, expected, strict=True):
        assert [hit["text"] for hit in hits] == [hit["text"] for hit in others]
    with pytest.raises(InputError, match="those that are searched have another"):
        runner.similarity(TEXTS, TEXTS)
    path = export.to_saved_model(task, tmp_path / "corpus", prefix="cold ", warmup_batch_sizes=[1])
    np.testing.assert_allclose(export.load(path).predict(TEXTS)["vector"], corpus, atol=1e-5)
    path = export.to_tflite(
        task, tmp_path / "ids.tflite", "none", "tokens", sequence_lengths=[16], prefix="cold "
    )
    runner = export.load(path, tokenizer)
    np.testing.assert_allclose(runner.predict(TEXTS)["vector"], corpus, atol=1e-4)
    np.testing.assert_allclose(runner.similarity(TEXTS, TEXTS), corpus @ corpus.T, atol=1e-4)
    scores = [answer["score"] for answer in runner.answers(PAIRS)]
    of_pairs = [corpus[i] @ corpus[i + 5] for i in range(5)]
    np.testing.assert_allclose(scores, of_pairs, atol=1e-4)
