"""What both peers' tests ask of the masked language model."""

import keras
import numpy as np
import pytest
from peer_harness import (
    FEATURES,
    MERGES,
    TOKENS,
    TRAIN,
    VOCABULARY,
    Refused,
    behaviours,
    check,
    encoder,
    ids,
    json_round_trip,
    randomized,
    small_encoder,
)

import keras_roberta as kr


@pytest.fixture(scope="module")
def masked_lm():
    keras.utils.set_random_seed(11)
    cls = kr.RobertaMaskedLM
    preprocessor = cls.preprocessor_cls(kr.RobertaTokenizer(VOCABULARY, MERGES), sequence_length=16)
    return randomized(cls(encoder(), preprocessor))


def of_targets(task, targets):
    """Tokens and scores of a text's first mask among targets."""
    (answer,) = task.answers(["rain<mask>"], targets=targets)
    return dict(zip(answer["tokens"][0], answer["scores"][0], strict=True))


def all_candidates(task):
    (answer,) = task.answers(["rain<mask>"], top_k=len(TOKENS))
    return dict(zip(answer["tokens"][0], answer["scores"][0], strict=True))


@behaviours(
    {
        "logits where the masks are": (
            lambda task: task.predict(["rain<mask><mask>", "<mask>"], verbose=0).shape,
            (2, 2, len(TOKENS)),
        ),
        "logits at places asked for": (
            lambda task: task({**FEATURES, "mask_positions": np.array([[1, 2, 3]] * 2)}).shape,
            (2, 3, len(TOKENS)),
        ),
        "at any number of places": (
            lambda task: task({**FEATURES, "mask_positions": np.array([[1]] * 2)}).shape,
            (2, 1, len(TOKENS)),
        ),
        "of token ids alone everywhere": (
            lambda task: task(FEATURES["token_ids"]).shape,
            (2, 5, len(TOKENS)),
        ),
        "the output matrix is the token embedding": (
            lambda task: task.head.token_embedding is task.backbone.token_embedding,
            True,
        ),
        "its configuration, through JSON": (json_round_trip, True),
        "five tokens for each mask": (
            lambda task: [
                [len(mask) for mask in answer["tokens"]]
                for answer in task.answers(["rain<mask>", "a<mask> b<mask>"])
            ],
            [[5], [5, 5]],
        ),
        "with falling scores": (
            lambda task: all(
                a >= b
                for answer in task.answers(["rain<mask>"])
                for a, b in zip(answer["scores"][0], answer["scores"][0][1:], strict=False)
            ),
            True,
        ),
        "and the text with the first of them": (
            lambda task: [
                answer["filled"] == "rain" + answer["tokens"][0][0]
                for answer in task.answers(["rain<mask>"])
            ],
            [True],
        ),
        "as many as are asked for": (
            lambda task: len(task.answers(["rain<mask>"], top_k=2)[0]["tokens"][0]),
            2,
        ),
        "which are the first of five": (
            lambda task: task.answers(["rain<mask>"], top_k=2)[0]["tokens"][0],
            lambda task: task.answers(["rain<mask>"])[0]["tokens"][0][:2],
        ),
        "scores of tokens that are asked for": (
            lambda task: of_targets(task, [" day", " rain"]),
            lambda task: {name: all_candidates(task)[name] for name in (" day", " rain")},
        ),
        "each once": (lambda task: len(of_targets(task, [" day", " day"])), 1),
        "no targets are refused": (lambda task: of_targets(task, []), Refused("targets")),
        "a target of several tokens is refused": (
            lambda task: of_targets(task, ["snow"]),
            Refused("snow"),
        ),
        "None is no text": (lambda task: task.answers([None]), Refused("None")),
        "a text without a mask is refused": (
            lambda task: task.answers(["rain"]),
            Refused("<mask>"),
        ),
    }
)
def test_masked_lm(done, expected, masked_lm):
    if callable(expected):
        expected, found = expected(masked_lm), done(masked_lm)
        assert found == (pytest.approx(expected, abs=1e-5) if isinstance(found, dict) else expected)
    else:
        check(done, expected, masked_lm)


@behaviours(
    {
        "texts alone": (lambda task: task.fit(TRAIN[0], verbose=0), None),
        "token ids with places and true ids": (
            lambda task: task.fit(
                {**FEATURES, "mask_positions": np.array([[1, 2]] * 2)},
                np.array([ids("rain Ġday"), ids("a b")]),
                verbose=0,
            ),
            None,
        ),
    }
)
def test_fit_of_masked_lm(done, expected, masked_lm):
    task = kr.RobertaMaskedLM(small_encoder(), masked_lm.preprocessor)
    task.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    assert np.isfinite(done(task).history["loss"]).all()


def test_masked_lm_in_a_keras_file(masked_lm, tmp_path):
    masked_lm.save(tmp_path / "task.keras")
    again = keras.models.load_model(tmp_path / "task.keras")
    assert type(again) is kr.RobertaMaskedLM
    inputs = {**FEATURES, "mask_positions": np.array([[1, 2]] * 2)}
    np.testing.assert_array_equal(again(inputs), masked_lm(inputs))


def test_masked_lm_in_transformers_form(masked_lm, tmp_path):
    """The tied matrix is written once, and found again."""
    masked_lm.save_to_hugging_face(tmp_path)
    again = kr.RobertaMaskedLM.from_preset(tmp_path)
    inputs = {**FEATURES, "mask_positions": np.array([[1, 2]] * 2)}
    np.testing.assert_allclose(again(inputs), masked_lm(inputs), atol=1e-5)
