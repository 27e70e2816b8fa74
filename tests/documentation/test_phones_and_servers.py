"""The examples that run an exported model do; the pages on phones and servers say what there is."""

import concurrent.futures
import http.server
import json
import re
import runpy
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from documentation_pages import DOCS, ROOT
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.tokenizers import byte_buffer


@pytest.fixture(scope="module")
def exported(tokenizer, tmp_path_factory):
    """A tiny classifier as a `.tflite` file and as a SavedModel, and itself."""
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=32,
        seed=5,
    )
    preprocessor = kr.RobertaPreprocessor(tokenizer, 32, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor=preprocessor)
    out = tmp_path_factory.mktemp("exported")
    export.to_tflite(task, out / "model.tflite", "none", sequence_lengths=(8, 32))
    export.to_saved_model(task, out / "sentiment/1")
    return out, task


@pytest.fixture(scope="module")
def served(exported):
    return tf.saved_model.load(str(exported[0] / "sentiment/1"))


TEXTS = [
    "a fine film",
    "a cold and tedious film, dull and flat",
    " " * 100 + "<mask> a dull film",  # one token, but more bytes than the shortest buffer
]


def expected_lines(task):
    scores = keras.ops.softmax(task.predict(TEXTS, verbose=0))
    return [
        (("bad", "good")[int(row[1] > row[0])], pytest.approx(float(max(row)), abs=1e-4), text)
        for row, text in zip(scores, TEXTS, strict=True)
    ]


def lines_of(printed):
    rows = [line.split("\t") for line in printed.splitlines() if "\t" in line]
    return [(label, float(score), text) for label, score, text in rows]


def test_example_of_a_phone(exported):
    """In a process of its own, in which TensorFlow cannot be imported."""
    out, task = exported
    program = (
        "import runpy, sys; sys.modules['tensorflow'] = sys.modules['keras_roberta'] = None; "
        f"sys.argv = {['script', str(out / 'model.tflite'), *TEXTS]!r}; "
        f"runpy.run_path({str(ROOT / 'examples/run_tflite_text.py')!r}, run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert lines_of(run.stdout) == expected_lines(task)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a gem, a gem", "\ud800", "\ud83d\ude00", "\u65e5" * 9, "a\0\0", "\0", "\0" * 9],
)
def test_buffers_of_that_example(text):
    class Runner:
        def get_input_details(self):
            return {"utf8": {"shape": [1, 8]}}

    fill = runpy.run_path(str(ROOT / "examples/run_tflite_text.py"))["fill"]
    buffer, fits = fill(text, Runner())
    np.testing.assert_array_equal(buffer, byte_buffer.fill([text], 8))
    assert fits == (len(byte_buffer.encode(text)) <= 8 - text.endswith("\0"))


def test_example_of_rest(exported, served, capsys):
    """Against a server that does what TF Serving does with the request, by the same SavedModel."""

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/sentiment:predict"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            outputs = served.signatures["serving_default"](text=tf.constant(body["instances"]))
            rows = [
                {
                    name: value[i].decode() if value.dtype == object else value[i].tolist()
                    for name, value in ((name, x.numpy()) for name, x in outputs.items())
                }
                for i in range(len(body["instances"]))
            ]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"predictions": rows}).encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        run_example("serving_rest.py", address, "sentiment", *TEXTS)
        server.shutdown()
    assert lines_of(capsys.readouterr().out) == expected_lines(exported[1])


def test_example_of_grpc(exported, served, capsys):
    """Against a server of the same service, by the same SavedModel."""
    grpc = pytest.importorskip("grpc")
    service = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")
    from tensorflow_serving.apis import predict_pb2

    class Server(service.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "sentiment"
            signature = served.signatures[request.model_spec.signature_name]
            inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
            answer = predict_pb2.PredictResponse()
            for name, value in signature(**inputs).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    service.add_PredictionServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        address = f"127.0.0.1:{port}"
        run_example("serving_grpc.py", address, "sentiment", *TEXTS)
    finally:
        server.stop(None)
    assert lines_of(capsys.readouterr().out) == expected_lines(exported[1])


def run_example(name, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


def test_the_page_on_phones_speaks_of_what_there_is(exported):
    page = (DOCS / "guides/phone.md").read_text(encoding="utf-8")
    interpreter = Interpreter(str(exported[0] / "model.tflite"))
    interpreter.allocate_tensors()
    kinds = {name.split("_")[0] for name in interpreter.get_signature_list()}
    assert kinds == set(re.findall(r"\| `(\w+)_N` \|", page))
    runner = interpreter.get_signature_runner("text_8")
    assert runner.get_input_details()["utf8"]["shape"].tolist() == [1, 8 * 8]
    assert runner.get_input_details()["utf8"]["dtype"] == np.uint8
    for name in [*runner.get_input_details(), *runner.get_output_details()]:
        assert f"`{name}`" in page


def serving_messages():
    """TF Serving's messages for its configuration files, by the file's name.

    Its Python package has that of models alone. The fields of the others are those of
    session_bundle_config.proto and monitoring_config.proto.
    """
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    file = descriptor_pb2.FileDescriptorProto(
        name="serving_files.proto", package="of_the_test", syntax="proto3"
    )
    file.dependency.append("google/protobuf/wrappers.proto")
    wrapped = wrappers_pb2.Int64Value.DESCRIPTOR
    fields = {
        "BatchingParameters": {
            **dict.fromkeys(("max_batch_size", "batch_timeout_micros"), wrapped),
            **dict.fromkeys(("max_enqueued_batches", "num_batch_threads"), wrapped),
            "pad_variable_length_inputs": "BOOL",
        },
        "PrometheusConfig": {"enable": "BOOL", "path": "STRING"},
        "MonitoringConfig": {"prometheus_config": "of_the_test.PrometheusConfig"},
    }
    for message, of_message in fields.items():
        added = file.message_type.add(name=message)
        for number, (name, kind) in enumerate(of_message.items(), 1):
            field = added.field.add(name=name, number=number, label="LABEL_OPTIONAL")
            if kind in ("BOOL", "STRING"):
                field.type = f"TYPE_{kind}"
            else:
                field.type = "TYPE_MESSAGE"
                field.type_name = f".{getattr(kind, 'full_name', kind)}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrapped.file.serialized_pb)
    pool.Add(file)
    batching, monitoring = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"of_the_test.{name}"))
        for name in ("BatchingParameters", "MonitoringConfig")
    )
    return {
        "models.config": config.ModelServerConfig(),
        "batching.config": batching(),
        "monitoring.config": monitoring(),
    }


def test_the_page_on_servers_shows_what_a_server_reads():
    page = (DOCS / "guides/server.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```textproto\n# (\S+)\n(.*?)```", page, re.S)
    messages = serving_messages()
    assert [name for name, _ in blocks] == list(messages)
    found = {name: text_format.Parse(text, messages[name]) for name, text in blocks}
    (model,) = found["models.config"].model_config_list.config
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert found["batching.config"].max_batch_size.value == 32
    assert found["monitoring.config"].prometheus_config.enable
    command = " ".join(
        re.search(r"docker run .*?\n```", page[page.index("## Running") :], re.S)[0].split()
    )
    for name in messages:
        assert f"/models/{name}" in command
