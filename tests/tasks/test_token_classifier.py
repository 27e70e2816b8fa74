"""Labels of words: Transformers' numbers, what is learnt for which token, windows, bad labels."""

import pathlib

import numpy as np
import pytest
from task_cases import CONFIG

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/tiny-roberta-tokens"
TAGS = ("O", "B-ADJ", "I-ADJ", "B-FILM", "I-FILM")
LONG = ["a fine , warm and lovely film . " * 12 + "Größe 👍 film", "", "film"]


def make(tokenizer, sequence_length=24, **preprocessing):
    preprocessor = kr.RobertaTokenPreprocessor(
        tokenizer, sequence_length, labels=TAGS, **preprocessing
    )
    return kr.RobertaTokenClassifier(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)


@pytest.fixture(scope="module")
def task(tokenizer):
    task = make(tokenizer)
    random = np.random.default_rng(3)
    for weight in task.weights:
        if "seed" not in weight.path:
            weight.assign(np.array(weight) + random.normal(0, 0.3, weight.shape))
    return task


def test_logits_are_those_of_transformers(tmp_path):
    task = kr.RobertaTokenClassifier.from_preset(GOLDEN, preprocessor=None)
    with np.load(GOLDEN / "logits.npz") as file:
        features = {name: file[name] for name in ("token_ids", "padding_mask")}
        expected = file["logits"]
    found = task.predict(features, verbose=0)
    there = features["padding_mask"] > 0
    np.testing.assert_allclose(np.asarray(found)[there], expected[there], atol=1e-5)
    task.save_to_hugging_face(tmp_path / "hf")
    for name, array in open_state_dict(GOLDEN).items():
        np.testing.assert_array_equal(open_state_dict(tmp_path / "hf")[name], array)


def test_a_checkpoint_of_transformers_has_learnt_first_pieces():
    """But for one of this library, which says so."""
    read = kr.RobertaTokenClassifier.settings_from_hugging_face
    head, config = {"out/bias": np.zeros(2)}, {"id2label": {"0": "O", "1": "B-X"}}
    assert read(head, config)["preprocessor"] == {
        "labels": ["O", "B-X"],
        "labelled_pieces": "first",
    }
    config |= {"labelled_pieces": "all", "stride": 7}
    found = read(head, config)["preprocessor"]
    assert (found["labelled_pieces"], found["stride"]) == ("all", 7)


@pytest.mark.parametrize("pieces", ["all", "first"])
def test_what_is_learnt_for_each_token(pieces, tokenizer):
    task = make(tokenizer, labelled_pieces=pieces)
    words, tags = ["a", "lovely", "zzz", "film"], ["O", "B-ADJ", "I-ADJ", "B-FILM"]
    examples = task.make_examples([words], [tags])
    ((ids, offsets),) = tokenizer.encode_with_offsets([" ".join(words)])
    assert examples.token_ids.row(0).tolist() == [0, *ids, 2]
    begins = [0, 2, 9, 13]  # of the words
    inside = {1: 2, 3: 4}  # B- to I-
    expected, weights, seen = [], [], set()
    for begin, end in offsets:
        if not " ".join(words)[begin:end].strip():  # a space by itself is of no word
            expected.append(0)
            weights.append(0.0)
            continue
        word = max(i for i, first in enumerate(begins) if first <= begin)
        number = TAGS.index(tags[word])
        if word in seen:
            number = inside.get(number, number) if pieces == "all" else 0
        weights.append(float(word not in seen or pieces == "all"))
        expected.append(number)
        seen.add(word)
    assert examples.targets.row(0).tolist() == [0, *expected, 0]
    assert examples.sample_weight.row(0).tolist() == [0, *weights, 0]


def test_every_token_of_a_long_text_is_learnt_once(tokenizer):
    words = LONG[0].split()
    examples = make(tokenizer).make_examples([words], [["O"] * len(words)], [2.0])
    assert len(examples.token_ids) > 5
    offsets = np.concatenate(examples.offsets)
    assert examples.sample_weight.values.sum() == 2.0 * (offsets[:, 1] > offsets[:, 0]).sum()


def test_texts_with_spans_are_learnt_as_their_words(task):
    words, tags = ["a", "fine", "film"], ["O", "B-ADJ", "B-FILM"]
    spans = [{"start": 2, "end": 6, "label": "ADJ"}, (7, 11, "FILM")]
    of_words = task.make_examples([words], [tags])
    of_text = task.make_examples(["a fine film"], [spans])
    for name in ("token_ids", "targets", "sample_weight"):
        expected = getattr(of_words, name).values
        np.testing.assert_array_equal(getattr(of_text, name).values, expected)


def test_outputs_of_a_long_text_are_those_of_its_windows(task):
    windows, _ = task.preprocessor.windows([LONG[0]])
    rows = [windows.token_ids.row(i) for i in range(len(windows))]
    single = [np.asarray(task({"token_ids": row[None]}))[0] for row in rows]
    (found,) = task.predict([LONG[0]], verbose=0)
    np.testing.assert_allclose(found, windows.joined(single)[0], atol=1e-4)
    assert len(found) == windows.text_lengths[0] + 2


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([["O"]], "row 0: 1 tag for 2 words"),
        ([["O", "B-ORG"]], "row 0: label 'ORG' is none of ADJ, FILM"),
        ([["O", 7]], "row 0: label 7 is outside 0..4"),
        ([["O", "O"]] * 2, "1 texts, but 2 lists of labels"),
        ([[(0, 9, "ADJ")]], "row 0: the span 0-9 .* lies outside"),
        (["O"], "row 0: expected a tag for each word"),
    ],
)
def test_labels_that_do_not_fit(task, y, message):
    with pytest.raises(InputError, match=message):
        task.fit([["a", "film"]], y, verbose=0)


def test_classes_of_tokens_are_not_balanced(task):
    with pytest.raises(InputError, match='class_weight="balanced": only where each text has one'):
        task.fit([["a", "film"]], [["O", "O"]], class_weight="balanced", verbose=0)


def test_entities_need_their_texts(task):
    features = task.preprocessor(["a fine film"])
    assert task.named_outputs(features)["label"].shape == features["token_ids"].shape
    with pytest.raises(InputError, match="give the texts, not token ids"):
        task.answers(features)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["a.tflite", "tokens.tflite", "saved"])
def test_exported_files_read_texts_of_any_length(task, form, tokenizer, tmp_path):
    """In the same windows, so that the entities are those of the task."""
    path = tmp_path / form
    if form == "saved":
        export.to_saved_model(task, path)
    else:
        inputs = "tokens" if form.startswith("tokens") else "text"
        export.to_tflite(task, path, "none", inputs, sequence_lengths=(16, 24))
    runner = export.load(path, tokenizer if form.startswith("tokens") else None)
    asked = [*LONG, ["a", "fine", "film"]]
    expected, found = task.answers(asked), runner.answers(asked)
    assert sum(len(answer["entities"]) for answer in expected) > 10
    for one, other in zip(found, expected, strict=True):
        assert len(one["entities"]) == len(other["entities"])
        for entity, same in zip(one["entities"], other["entities"], strict=True):
            assert entity == {**same, "score": pytest.approx(same["score"], abs=1e-4)}
