"""Every snippet of the README and every example runs."""

import concurrent.futures
import http.server
import json
import pathlib
import re
import runpy
import shlex
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers import byte_buffer

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [code for found, code in fenced if found == language]


@pytest.fixture
def workplace(config, tokenizer, sentiment, tmp_path, monkeypatch):
    """A directory with what the README speaks of: a checkpoint, text/, train.tsv and dev.tsv."""
    monkeypatch.chdir(tmp_path)
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=128)
    backbone = kr.RobertaBackbone(config.replace(max_sequence_length=128))
    kr.RobertaTextClassifier(backbone, 2, preprocessor=preprocessor).save_to_preset("granite-30m")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("\n\n".join(sentiment[0]))
    for name in ("train.tsv", "dev.tsv"):
        rows = "".join(f"{label}\t{text}\n" for text, label in zip(*sentiment, strict=True))
        (tmp_path / name).write_text("label\tsentence\n" + rows)
    return tmp_path


@pytest.mark.slow
def test_python_of_the_readme(workplace, sentiment):
    (code,) = blocks("python")
    data = tf.data.Dataset.from_tensor_slices(sentiment).batch(16)
    exec(compile(code, "README.md", "exec"), {"train": data, "dev": data})
    assert (workplace / "sst2.tflite").exists()
    assert (workplace / "serving/sst2/1/saved_model.pb").exists()


@pytest.mark.slow
def test_commands_of_the_readme(workplace, run):
    commands = [
        line
        for block in blocks("")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("keras-roberta ")
    ]
    assert len(commands) == 7
    for command in commands:
        code, _, stderr = run(*shlex.split(command)[1:])
        assert code == 0, stderr
    assert (workplace / "shards/manifest.json").exists()
    assert (workplace / "run/config.json").exists() and (workplace / "sst2.tflite").exists()
    assert list((workplace / "report").glob("*.png"))


@pytest.mark.slow
def test_example_of_fine_tuning(workplace, monkeypatch, capsys):
    script = ROOT / "examples/finetune_sentiment.py"
    monkeypatch.setattr(sys, "argv", [str(script), "granite-30m", "train.tsv", "out"])
    runpy.run_path(str(script), run_name="__main__")
    assert re.search(r"(negative|positive) \d+%", capsys.readouterr().out)


# The examples that run an exported model


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


def test_example_of_rest(exported, capsys):
    """Against a server that does what TF Serving does with the request, by the same SavedModel."""
    out, task = exported
    model = tf.saved_model.load(str(out / "sentiment/1"))

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/sentiment:predict"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            outputs = model.signatures["serving_default"](text=tf.constant(body["instances"]))
            rows = [
                {name: value[i].numpy().tolist() for name, value in outputs.items()}
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
        run_example("serving_rest.py", address, "sentiment", str(out / "sentiment/1"), *TEXTS)
        server.shutdown()
    assert lines_of(capsys.readouterr().out) == expected_lines(task)


def test_example_of_grpc(exported, capsys):
    """Against a server of the same service, by the same SavedModel."""
    grpc = pytest.importorskip("grpc")
    service = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")
    from tensorflow_serving.apis import predict_pb2

    out, task = exported
    model = tf.saved_model.load(str(out / "sentiment/1"))

    class Server(service.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "sentiment"
            signature = model.signatures[request.model_spec.signature_name]
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
        run_example("serving_grpc.py", address, "sentiment", str(out / "sentiment/1"), *TEXTS)
    finally:
        server.stop(None)
    assert lines_of(capsys.readouterr().out) == expected_lines(task)


def run_example(name, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


def test_the_page_on_android_speaks_of_what_there_is(exported):
    page = (ROOT / "docs/android.md").read_text(encoding="utf-8")
    interpreter = Interpreter(str(exported[0] / "model.tflite"))
    runner = interpreter.get_signature_runner("text_8")
    assert runner.get_input_details()["utf8"]["shape"].tolist() == [1, 8 * 8]
    assert runner.get_input_details()["utf8"]["dtype"] == np.uint8
    for name in [*runner.get_input_details(), *runner.get_output_details()]:
        assert f"`{name}`" in page


def test_example_of_pre_training(sentiment, tokenizer, tmp_path, monkeypatch):
    (tmp_path / "text").mkdir()
    text = "\n\n".join(f"{' , '.join(sentiment[0][i : i + 3])}. It is {i}." for i in range(60))
    (tmp_path / "text/a.txt").write_text(text)
    options = PrepareOptions(heldout=0.2, near_duplicates=0)
    prepare(tmp_path / "text", tokenizer, tmp_path / "shards", options, processes=1)
    script = str(ROOT / "examples/pretrain.py")
    for steps in ("3", "5"):  # the second goes on from the first
        monkeypatch.setattr(sys, "argv", [script, f"{tmp_path}/shards", f"{tmp_path}/out", steps])
        runpy.run_path(script, run_name="__main__")
    assert [path.name for path in sorted((tmp_path / "out/states").iterdir())][-1].endswith(
        "5.safetensors"
    )
    assert len((tmp_path / "out/history.csv").read_text().splitlines()) == 3
    for name in ("preset", "hugging-face"):
        assert kr.RobertaMaskedLM.from_preset(tmp_path / "out" / name).backbone
