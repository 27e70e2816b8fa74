"""SavedModels: numbers, independence of Keras, what happens to directories."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import verify

ROWS = [[0, 2], [0, 9, 2], [0, *range(5, 35), 2]]


def test_equals_keras(saved_model, classifier):
    features = verify.as_features(ROWS, 1)
    out = export.load(saved_model).predict(features)
    np.testing.assert_allclose(out["logits"], classifier(features).numpy(), rtol=1e-4, atol=1e-5)


def test_padding_may_stand_anywhere(saved_model, classifier):
    features = {k: v[:, ::-1].copy() for k, v in verify.as_features(ROWS[2:], 1).items()}
    token_ids = np.array([[0, 1, 7, 8, 1, 2]], "int32")
    features = {"token_ids": token_ids, "padding_mask": np.int32(token_ids != 1)}
    serve = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    out = serve(**{k: tf.constant(v) for k, v in features.items()})
    np.testing.assert_allclose(out["logits"], classifier(features).numpy(), rtol=1e-4, atol=1e-5)


def test_runs_without_keras(saved_model):
    program = f"""
import sys
sys.modules["keras"] = None  # TensorFlow itself imports Keras where it can
import tensorflow as tf
serve = tf.saved_model.load({str(saved_model)!r}).signatures["serving_default"]
ids = tf.constant([[0, 9, 2]])
print(sorted(serve(token_ids=ids, padding_mask=tf.ones_like(ids))))
print([name for name in ("keras_hub", "tf_keras", "keras_roberta") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-2:] == [
        "['label', 'logits', 'probabilities', 'score']",
        "[]",
    ]


def test_runs_in_the_loader_of_tensorflow_1(saved_model, classifier):
    features = verify.as_features(ROWS, 1)
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        loaded = v1.saved_model.loader.load(session, ["serve"], str(saved_model))
        signature = loaded.signature_def["serving_default"]
        logits = session.run(
            signature.outputs["logits"].name,
            {signature.inputs[name].name: value for name, value in features.items()},
        )
    np.testing.assert_allclose(logits, classifier(features).numpy(), rtol=1e-4, atol=1e-5)


def test_a_directory_is_kept_unless_told(classifier, tmp_path):
    target = tmp_path / "1"
    target.mkdir()
    (target / "precious").touch()
    with pytest.raises(InputError, match="exists; choose a new version"):
        export.to_saved_model(classifier, target)
    assert (target / "precious").exists()
    with pytest.raises(InputError, match="something else than a SavedModel"):
        export.to_saved_model(classifier, target, overwrite=True)
    assert (target / "precious").exists()
    (target / "saved_model.pb").touch()  # an older model of which nothing is to stay
    export.to_saved_model(classifier, target, overwrite=True)
    assert not (target / "precious").exists()
    assert sorted(p.name for p in (target / "assets").iterdir()) == [
        "keras_roberta.json",
        "labels.txt",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


def test_a_mismatch_leaves_nothing(classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS, "none", 0.0)
    with pytest.raises(export.ExportMismatch, match="the bound is 0"):
        export.to_saved_model(classifier, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []
