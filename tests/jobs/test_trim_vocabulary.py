"""`compress trim`: a preset with the vocabulary of a corpus, and all that is done with presets."""

import dataclasses
import json

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.jobs.convert import convert
from keras_roberta.jobs.options.trim_vocabulary import TrimVocabularyOptions
from keras_roberta.jobs.trim_vocabulary import chosen_tokens, trim_vocabulary

TEXTS = ["a fine film", "a dull and tedious film", "warm , lovely"]
OTHERS = ["funny <mask> flat", "übung 日本 x", ""]  # of which some tokens are gone


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "texts" / "corpus.txt"
    path.parent.mkdir()
    path.write_text("\n".join(TEXTS) + "\n")
    return path.parent


@pytest.fixture
def classifier(config, tokenizer):
    return kr.RobertaTextClassifier(
        kr.RobertaBackbone(config.replace(num_layers=1)),
        2,
        preprocessor=kr.RobertaPreprocessor(tokenizer, 32, labels=["bad", "good"]),
    )


def trim(preset, corpus, out, overwrite=False, **options):
    options = {"heldout": 0, **options}
    of_corpus = dataclasses.replace(TrimVocabularyOptions().corpus, documents="line")
    options = TrimVocabularyOptions(corpus=of_corpus, **options)
    return trim_vocabulary(preset, corpus, out, options, overwrite=overwrite)


def used(tokenizer):
    return {i for ids in tokenizer.encode_batch(TEXTS, add_special_tokens=False) for i in ids}


def test_a_classifier(classifier, tokenizer, corpus, tmp_path):
    classifier.save_to_preset(tmp_path / "preset")
    report = trim(tmp_path / "preset", corpus, tmp_path / "trimmed")
    assert report == json.loads((tmp_path / "trimmed" / "trimming.json").read_text())
    trimmed = kr.open_task(tmp_path / "trimmed")
    small = trimmed.preprocessor.tokenizer
    assert report["tokens"] == {
        "before": 300,
        "after": small.vocabulary_size,
        "chosen": len(used(tokenizer)),
    }
    assert small.vocabulary_size == trimmed.backbone.config.vocabulary_size < 300
    fewer = 32 * (300 - small.vocabulary_size)
    parameters = report["parameters"]
    assert parameters["before"] - parameters["after"] == fewer
    assert parameters["after"] == trimmed.count_params()
    assert report["megabytes"]["before"] > report["megabytes"]["after"] > 0
    assert report["changed_tokens"] is report["length_ratio"] is None
    assert type(trimmed) is type(classifier) and trimmed.labels == classifier.labels
    expected = classifier.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(trimmed.predict(TEXTS, verbose=0), expected, atol=1e-6)
    trimmed.fit([*TEXTS, *OTHERS], [1, 0, 1, 0, 1, 0], epochs=1, verbose=0)

    convert(tmp_path / "trimmed", tmp_path / "hf")
    again = kr.open_task(tmp_path / "hf")
    assert again.preprocessor.tokenizer == small
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), expected, atol=1e-5)


@pytest.mark.slow
def test_its_exports_take_text(classifier, corpus, tmp_path):
    classifier.save_to_preset(tmp_path / "preset")
    trim(tmp_path / "preset", corpus, tmp_path / "trimmed")
    trimmed = kr.open_task(tmp_path / "trimmed")
    expected = trimmed.predict([*TEXTS, *OTHERS], verbose=0)
    export.to_tflite(trimmed, tmp_path / "m.tflite", quantization="none", sequence_lengths=(32,))
    export.to_saved_model(trimmed, tmp_path / "saved")
    for path in ("m.tflite", "saved"):
        found = export.load(tmp_path / path).predict([*TEXTS, *OTHERS])["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=path)


def test_a_masked_language_model_and_an_encoder(config, tokenizer, corpus, tmp_path):
    backbone = kr.RobertaBackbone(config)
    masks = kr.RobertaMaskedLMPreprocessor(tokenizer, 16)
    model = kr.RobertaMaskedLM(backbone, preprocessor=masks)
    model.save_to_preset(tmp_path / "mlm")
    trim(tmp_path / "mlm", corpus, tmp_path / "small", min_count=2)
    small = kr.open_task(tmp_path / "small")
    _, rows = tokenizer.trimmed(
        i for i in used(tokenizer) if sum(t.count(i) for t in tokenizer(TEXTS)) > 1
    )
    text = ["a fi<mask>"]  # of letters
    ids = [tokenizer.start_token_id, *map(tokenizer.token_to_id, "aĠfi")]
    ids = np.array([[*ids, tokenizer.mask_token_id, tokenizer.end_token_id]])
    new_ids = np.searchsorted(rows, ids)
    assert new_ids.max() < small.backbone.config.vocabulary_size == len(rows)
    np.testing.assert_allclose(small(new_ids), np.asarray(model(ids))[..., rows], atol=1e-5)
    assert small.fill_mask(text)

    backbone.save_to_preset(tmp_path / "encoder")
    tokenizer.save(tmp_path / "encoder" / "assets" / "tokenizer")
    trim(tmp_path / "encoder", corpus, tmp_path / "encoder-small")
    encoder = kr.RobertaBackbone.from_preset(tmp_path / "encoder-small")
    small = kr.RobertaTokenizer.from_preset(tmp_path / "encoder-small")
    found, expected = (
        model(np.array([tokens("a fine film")]))
        for tokens, model in ((small, encoder), (tokenizer, backbone))
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_prefix_of_an_embedder_stays_whole(config, tokenizer, corpus, tmp_path):
    preprocessor = kr.RobertaTextEmbedderPreprocessor(tokenizer, 32, prefix="simply ")
    model = kr.RobertaTextEmbedder(kr.RobertaBackbone(config), preprocessor=preprocessor)
    model.save_to_preset(tmp_path / "preset")
    trim(tmp_path / "preset", corpus, tmp_path / "small")
    small = kr.open_task(tmp_path / "small")
    for text in ("simply ", *("simply " + text for text in TEXTS)):
        tokens = [t.preprocessor.tokenizer.tokenize(text) for t in (model, small)]
        assert tokens[0] == tokens[1]
    np.testing.assert_allclose(
        small.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0), atol=1e-6
    )


def test_held_out_documents(classifier, tokenizer, tmp_path):
    """What is measured: each document's words are its own, so that all of its tokens change."""
    words = [f"{a}{b}" for a in ("fine", "film", "warm", "dull", "and", "cold") for b in "123456"]
    (tmp_path / "corpus.txt").write_text("\n".join(words * 2))
    classifier.save_to_preset(tmp_path / "preset")
    report = trim(tmp_path / "preset", tmp_path / "corpus.txt", tmp_path / "out", heldout=0.5)
    assert report["changed_tokens"] == 0 and report["length_ratio"] == 1  # all in the others, too
    report = trim(
        *(tmp_path / "preset", tmp_path / "corpus.txt", tmp_path / "out"),
        heldout=0.5,
        keep=1,
        overwrite=True,
    )
    assert 0 < report["heldout_tokens"] < len(tokenizer.encode_ragged(words * 2)[0])
    assert 0.2 < report["changed_tokens"] < 1 < report["length_ratio"]
    assert report["tokens"]["chosen"] == 1


def test_chosen_tokens():
    counts = np.array([0, 5, 2, 7, 2, 1])
    assert chosen_tokens(counts).tolist() == [1, 2, 3, 4, 5]
    assert chosen_tokens(counts, min_count=3).tolist() == [1, 3]
    assert chosen_tokens(counts, keep=3).tolist() == [1, 2, 3]
    assert chosen_tokens(counts, min_count=6, keep=2).tolist() == [3]
    assert chosen_tokens(counts, keep=100).tolist() == [1, 2, 3, 4, 5]


def test_bad_input(classifier, corpus, tmp_path, run):
    preset, out = tmp_path / "preset", tmp_path / "out"
    classifier.save_to_preset(preset)
    command = ("compress", "trim", "--preset", preset, "--out", out, "--corpus")

    def fails(*arguments):
        code, stdout, said = run(*command, *arguments)
        *_, line = said.splitlines()  # above it may be a bar
        assert (code, stdout) == (2, "") and line.startswith("error: ") and not out.exists(), said
        return line

    (tmp_path / "nothing").mkdir()
    assert "nothing: the corpus is empty; there is no file" in fails(tmp_path / "nothing")
    (tmp_path / "blank.txt").write_text(" \n\n")
    assert "blank.txt: the corpus is empty; there is no text" in fails(tmp_path / "blank.txt")
    assert "--min-count must be a whole number from 1; got 0" in fails(corpus, "--min-count", "0")
    assert "--keep must be a whole number from 1; got 0" in fails(corpus, "--keep", "0")
    assert "--min-count: no token of the corpus occurs 9999 times" in fails(
        corpus, "--min-count", "9999"
    )
    assert "--heldout must be" in fails(corpus, "--heldout", "1")
    classifier.quantize("int8")
    classifier.save_to_preset(tmp_path / "quantised")
    with pytest.raises(InputError, match="quantised: the model is quantised; trim the one"):
        trim(tmp_path / "quantised", corpus, out)
    out.mkdir()
    (out / "mine.txt").touch()
    code, _, said = run(*command, corpus)
    assert code == 2 and "out: exists and is not empty; give another --out" in said


def test_kinds_that_cannot(config, corpus, tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made = Tokenizer(
        models.WordLevel({t: i for i, t in enumerate([*specials, "fine"])}, unk_token="<unk>")
    )
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    kr.RobertaBackbone(config).save_to_preset(tmp_path / "preset")
    (tmp_path / "preset" / "assets" / "tokenizer").mkdir(parents=True)
    made.save(str(tmp_path / "preset" / "assets" / "tokenizer" / "tokenizer.json"))
    with pytest.raises(InputError, match=r"preset: the tokenizer \(words\) cannot be trimmed"):
        trim(tmp_path / "preset", corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command(classifier, corpus, tmp_path, run):
    classifier.save_to_preset(tmp_path / "preset")
    (corpus / "more.txt").write_text("\n".join(a + b for a in "abcd" for b in "efgh"))
    command = ("compress", "trim", "--preset", tmp_path / "preset", "--corpus", corpus)
    code, shown, _ = run(
        *command, "--documents", "line", "--out", tmp_path / "out", "--heldout", "0"
    )
    assert code == 0 and "300 before" in shown and "not measured: --heldout is 0" in shown
    code, shown, _ = run(
        *command, "--documents", "line", "--out", tmp_path / "out", "--overwrite", "--heldout", 0.5
    )
    assert code == 0 and "changed tokens" in shown and "of documents held out" in shown
