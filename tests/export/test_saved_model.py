"""SavedModels: numbers, independence of Keras, warm-up, servers, what happens to directories."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import serving_warmup
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.quantization import Bound
from keras_roberta.export.saved_model import ServingModule
from keras_roberta.export.saved_model_quantization import SAVED_MODEL_SCHEMES

ROWS = [[0, 2], [0, 9, 2], [0, *range(5, 35), 2]]
TEXTS = ["a gem", "the film is a mess", ""]


def test_equals_keras(server, classifier):
    features = as_features(ROWS, 1)
    out = server.predict(features)
    np.testing.assert_allclose(out["logits"], classifier(features).numpy(), rtol=1e-4, atol=1e-5)


def test_padding_may_stand_anywhere(server, classifier):
    """In front, between and behind the tokens, each row as if it had none."""
    rows = [[0, 7, 8, 2], [0, 9, 2], [0, 5, 6, 7, 8, 2]]
    padded = [[1, 1, 0, 7, 8, 2], [0, 1, 9, 1, 1, 2], [0, 5, 6, 7, 8, 2]]
    token_ids = np.array(padded, "int32")
    out = server.run("tokens", token_ids=token_ids, padding_mask=np.int32(token_ids != 1))
    for i, row in enumerate(rows):
        expected = classifier(as_features([row], 1)).numpy()[0]
        np.testing.assert_allclose(out["logits"][i], expected, rtol=1e-4, atol=1e-5)


def test_batches_are_padded_to_the_longest_only(classifier, tokenizer):
    module = ServingModule(classifier)
    module.answer = lambda token_ids, padding_mask: {
        "mask": padding_mask,
        "label": padding_mask[:, 0],
    }
    for texts in (["a gem", "a"], ["a gem", "the film is a mess", "a " * 400]):
        padding_mask = module.serve_text(tf.constant(texts))["mask"].numpy()
        assert padding_mask.sum(axis=1).tolist() == [
            len(ids) for ids in tokenizer(texts, max_length=40)
        ]
        assert padding_mask.all(axis=1).any()


NAMES = ("bad\nvery", "caf\u00e9 \U0001f600", "\ud800")
SHOWN = ["bad\nvery", "caf\u00e9 \U0001f600", "\ufffd"]
IDS = np.array([[0, 9, 2], [0, 7, 2]], "int32")


def test_compiled_with_names_beside_numbers(make_task, tmp_path):
    """In both signatures, whatever the names; as TF Serving they can be put into JSON."""
    task = make_task(layers=1, vocabulary_size=320, labels=NAMES)
    options = {"jit_compile": True, "warmup_batch_sizes": [2], "warmup_lengths": [3]}
    path = export.to_saved_model(task, tmp_path / "1", **options)
    assert (path / "assets" / "labels.txt").read_text("utf-8").splitlines() == [
        "bad very",
        *SHOWN[1:],
    ]
    runner = export.load(path)
    logits = runner.predict(TEXTS)["logits"]
    np.testing.assert_allclose(logits, task.predict(TEXTS, verbose=0), rtol=1e-4, atol=1e-5)
    for outputs in (
        runner.run("serving_default", text=["a gem", "a mess"]),
        runner.run("tokens", token_ids=IDS, padding_mask=np.ones_like(IDS)),
    ):
        found = [name.decode() for name in outputs["label_name"]]
        assert found == [SHOWN[i] for i in outputs["label"]]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_names_beside_many_numbers(jit_compile, make_task, tmp_path):
    """An empty one where the text does not have the label."""
    task = make_task(layers=1, vocabulary_size=320, labels=NAMES)
    task = kr.RobertaMultiLabelClassifier(task.backbone, 3, task.preprocessor)
    options = {"inputs": "tokens", "jit_compile": jit_compile, "warmup_lengths": [3]}
    path = export.to_saved_model(task, tmp_path / "1", **options)
    outputs = export.load(path).run("tokens", token_ids=IDS, padding_mask=np.ones_like(IDS))
    expected = np.where(outputs["labels"] > 0, SHOWN, "")
    found = np.vectorize(bytes.decode)(outputs["label_names"])
    assert found.tolist() == expected.tolist()


def test_runs_on_a_stock_server(saved_model):
    """Without Keras and tensorflow-text; TensorFlow's own kernels, and no resources but the
    weights."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    graph = content.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    ops = sorted({node.op for node in nodes})
    assert not [op for op in ops if "PyFunc" in op or "Table" in op]
    program = f"""
import sys
sys.modules["keras"] = None  # TensorFlow itself imports Keras where it can
sys.modules["tensorflow_text"] = None
import tensorflow as tf
from tensorflow.python.framework import op_def_registry
print([op for op in {ops!r} if op_def_registry.get(op) is None])
signatures = tf.saved_model.load({str(saved_model)!r}).signatures
print(sorted(signatures["serving_default"](text=tf.constant(["a gem", "a mess"]))))
ids = tf.constant([[0, 9, 2]])
print(sorted(signatures["tokens"](token_ids=ids, padding_mask=tf.ones_like(ids))))
print([name for name in ("keras_hub", "tf_keras", "keras_roberta") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    outputs = "['label', 'label_name', 'logits', 'probabilities', 'score']"
    assert run.stdout.splitlines()[-4:] == ["[]", outputs, outputs, "[]"]


def test_runs_in_the_loader_of_tensorflow_1(saved_model, classifier):
    features = as_features(ROWS, 1)
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        loaded = v1.saved_model.loader.load(session, ["serve"], str(saved_model))

        def run(signature, inputs):
            signature = loaded.signature_def[signature]
            return session.run(
                signature.outputs["logits"].name,
                {signature.inputs[name].name: value for name, value in inputs.items()},
            )

        of_tokens, of_texts = run("tokens", features), run("serving_default", {"text": TEXTS})
    expected = classifier(features).numpy()
    np.testing.assert_allclose(of_tokens, expected, rtol=1e-4, atol=1e-5)
    expected = classifier.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(of_texts, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fixture", ["server", "server_of_pairs"])
def test_warm_up_requests(fixture, request):
    """The messages are those of TF Serving's own classes, and the model answers each."""
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    runner = request.getfixturevalue(fixture)
    seen = set()
    for record in tf.data.TFRecordDataset(str(runner.path / serving_warmup.FILE)):
        message = logs.PredictionLog.FromString(record.numpy())
        predict = message.predict_log.request
        name = predict.model_spec.signature_name
        inputs = {key: tf.make_ndarray(v) for key, v in predict.inputs.items()}
        rows = len(next(iter(inputs.values())))
        assert len(runner.run(name, **inputs)["logits"]) == rows
        seen.add((name, rows))
    assert seen == {(name, n) for name in ("tokens", "serving_default") for n in (1, 8, 32)}


def test_warm_up_bytes():
    """PredictionLog { predict_log { request { model_spec { signature_name: "s" } } } }"""
    assert serving_warmup.prediction_log("s", {}) == b"\x32\x07\x0a\x05\x0a\x03\x1a\x01s"


def test_in_tensorflow_serving(saved_model, classifier):
    """Over REST and gRPC, where TENSORFLOW_MODEL_SERVER names the server's binary."""
    binary = os.environ.get("TENSORFLOW_MODEL_SERVER")
    if not binary:
        pytest.skip("TENSORFLOW_MODEL_SERVER names no tensorflow_model_server")
    grpc = pytest.importorskip("grpc")
    service = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")
    from tensorflow_serving.apis import predict_pb2

    ports = [free_port(), free_port()]
    server = subprocess.Popen([
        binary, f"--port={ports[0]}", f"--rest_api_port={ports[1]}", "--model_name=m",
        f"--model_base_path={saved_model.parent.absolute()}",
    ])  # fmt: skip
    try:
        url = f"http://127.0.0.1:{ports[1]}/v1/models/m"
        wait_for(url)
        body = json.dumps({"instances": TEXTS}).encode()
        with urllib.request.urlopen(urllib.request.Request(url + ":predict", body)) as answer:
            of_rest = [row["logits"] for row in json.load(answer)["predictions"]]
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(TEXTS))
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            answer = service.PredictionServiceStub(channel).Predict(request, timeout=60)
        of_grpc = tf.make_ndarray(answer.outputs["logits"])
    finally:
        server.kill()
        server.wait()
    expected = classifier.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(of_rest, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_grpc, expected, rtol=1e-4, atol=1e-5)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(url, seconds=120):
    """Until the server has loaded the model."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def test_a_directory_is_kept_unless_told(small_classifier, tmp_path):
    options = {"inputs": "tokens", "warmup_batch_sizes": [1]}
    target = tmp_path / "1"
    target.mkdir()
    (target / "precious").touch()
    with pytest.raises(InputError, match="exists; choose a new version"):
        export.to_saved_model(small_classifier, target, **options)
    assert (target / "precious").exists()
    with pytest.raises(InputError, match="something else than a SavedModel"):
        export.to_saved_model(small_classifier, target, **options, overwrite=True)
    assert (target / "precious").exists()
    (tmp_path / "file").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="file: (exists|is something else than a SavedModel)"):
            export.to_saved_model(
                small_classifier, tmp_path / "file", **options, overwrite=overwrite
            )
    assert (tmp_path / "file").read_text() == "mine"
    (target / "saved_model.pb").touch()  # an older model of which nothing is to stay
    export.to_saved_model(small_classifier, target, **options, overwrite=True)
    assert not (target / "precious").exists()
    assert sorted(p.name for p in (target / "assets").iterdir()) == [
        "keras_roberta.json",
        "labels.txt",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "file"]
    (tmp_path / "empty").mkdir()
    export.to_saved_model(small_classifier, tmp_path / "empty", **options)
    assert (tmp_path / "empty" / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"warmup_batch_sizes": [0]}, "warmup_batch_sizes: 0 is outside 1.."),
        ({"warmup_batch_sizes": 8}, "warmup_batch_sizes: expected whole numbers"),
        ({"warmup_lengths": [2]}, "warmup_lengths: 2 is outside 3.."),
        ({"inputs": "tokens", "pairs": True}, "pairs: goes with inputs='text'"),
        ({"inputs": "ids"}, "inputs: expected one of text, tokens"),
        ({"top_k": 3}, "top_k: a RobertaTextClassifier has no such option"),
        ({"calibration": ["a gem"]}, "to_saved_model has no argument 'calibration'"),
        ({"sequence_lengths": [16]}, "to_saved_model has no argument 'sequence_lengths'"),
    ],
)
def test_bad_arguments(classifier, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        export.to_saved_model(classifier, tmp_path / "1", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_mismatch_leaves_nothing(small_classifier, tmp_path, monkeypatch):
    exact = dataclasses.replace(
        SAVED_MODEL_SCHEMES["none"], bound=Bound(agreement=1.0, largest_change=0.0)
    )
    monkeypatch.setitem(SAVED_MODEL_SCHEMES, "none", exact)
    with pytest.raises(export.ExportMismatch, match="the bound is 0"):
        export.to_saved_model(small_classifier, tmp_path / "1", inputs="tokens")
    assert list(tmp_path.iterdir()) == []
