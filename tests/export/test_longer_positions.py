"""Files of a model that got more positions than it was trained with."""

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export

SHORT, LONG = "the film is a mess from start to finish", "a warm and lovely film , " * 90
POSITIONS = 1024


@pytest.fixture(scope="module")
def before(make_task):
    return make_task(vocabulary_size=320, hidden_dim=16, layers=1)


@pytest.fixture(scope="module")
def task(before, tmp_path_factory):
    preset = tmp_path_factory.mktemp("short")
    before.save_to_preset(preset)
    return kr.RobertaTextClassifier.from_preset(preset, max_sequence_length=POSITIONS)


def test_the_task_reads_the_long_text_whole(before, task):
    assert len(task.preprocessor.tokenizer(LONG)) > 600
    assert task.preprocessor.sequence_length == POSITIONS
    short, long = task.predict([SHORT, LONG], verbose=0)
    np.testing.assert_allclose(short, before.predict([SHORT], verbose=0)[0], atol=1e-6)
    cut_off = task.predict([LONG[: len(LONG) // 2]], verbose=0)[0]
    assert np.abs(long - cut_off).max() > 1e-4


@pytest.mark.parametrize("form", ["tflite", "saved-model"])
def test_its_files_give_the_tasks_answers(task, tmp_path, form):
    path = tmp_path / "model.tflite" if form == "tflite" else tmp_path / "model"
    if form == "tflite":
        export.to_tflite(task, path, "none", "tokens", sequence_lengths=[POSITIONS])
    else:
        export.to_saved_model(task, path, "tokens", warmup_batch_sizes=(1,), warmup_lengths=(8,))
    features = task.preprocessor([SHORT, LONG])
    found = export.load(path).predict(features)
    expected = task.predict([SHORT, LONG], verbose=0)
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-4)


def test_a_file_of_short_and_long_rows(task, tmp_path):
    """Which the converter writes as operations in two orders."""
    path = tmp_path / "model.tflite"
    export.to_tflite(task, path, "int8", "tokens", sequence_lengths=[32, POSITIONS])
    with export.load(path) as runner:
        assert list(runner.lengths) == [32, POSITIONS]
        features = task.preprocessor([SHORT, LONG])
        found = runner.predict(features)["probabilities"]
    expected = task.named_outputs([SHORT, LONG])["probabilities"]
    np.testing.assert_allclose(found, expected, atol=0.1)
