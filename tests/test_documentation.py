"""The commands and programs of README and docs run; so do the examples; links and names exist.

Each page's fenced blocks of `python` and `sh` are run one after the other, in a directory with what
the page speaks of. One that cannot run here has a comment `<!-- not run: the reason -->` above it.
A page that another test follows says so in its first line: `<!-- run by tests/test_name.py -->`.
"""

import concurrent.futures
import dataclasses
import http.server
import importlib.util
import json
import pathlib
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers import byte_buffer

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md"))]
}
# Languages whose blocks are programs; those of the others are read only.
RUN = ("python", "sh")
READ = ("text", "json", "kotlin", "yaml", "pycon", "diff", "toml", "textproto")


@dataclasses.dataclass
class Block:
    """A fenced block: its language, its content, and why it is not run (None where it is)."""

    language: str
    code: str
    not_run: str | None


def blocks_of(text):
    pattern = r"(?:<!-- not run: ([^\n]*?) -->\n\s*)?^([ ]*)```(\w*)[^\n]*\n(.*?)^\2```$"
    elsewhere = re.match(r"<!-- (run by tests/\S+) -->\n", text)
    found = []
    for reason, _, language, code in re.findall(pattern, text, re.DOTALL | re.MULTILINE):
        reason = reason or (elsewhere and elsewhere[1]) or None
        found.append(Block(language, textwrap.dedent(code), reason))
    return found


BLOCKS = {page: blocks_of(text) for page, text in PAGES.items()}
RUNNING = [
    page
    for page, blocks in BLOCKS.items()
    if any(b.language in RUN and b.not_run is None for b in blocks)
]


def commands_of(block):
    """The lines of a `sh` block as lists of words; comments and continued lines are joined."""
    lines = block.code.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


# What a page speaks of besides the checkpoint, the texts and the tables.
WITH_RUN = ("docs/guides/phone.md", "docs/guides/server.md")
WRITTEN = {
    "README.md": [
        "sst2-model/config.json",
        "sst2.tflite",
        "run/config.json",
        "for-transformers/model.safetensors",
        "serving/sst2/1/saved_model.pb",
        "report/report.png",
        "tok/tokenizer.json",
        "shards/manifest.json",
        "pretrained/config.json",
    ],
    "docs/guides/keras.md": ["film-model/config.json", "run/config.json"],
    "docs/guides/hugging-face.md": ["for-transformers/model.safetensors", "back/model.safetensors"],
    "docs/guides/phone.md": ["sentiment.tflite", "sst2.tflite", "report/report.png"],
    "docs/guides/server.md": ["serving/sentiment/1/saved_model.pb", "serving/sentiment/2"],
    "docs/guides/pre-training.md": ["short-run/config.json", "for-transformers/config.json"],
}


@pytest.fixture
def workplace(tokenizer, sentiment, tmp_path, monkeypatch):
    """A directory with what the pages speak of: checkpoints of ours and of Hugging Face's kind,
    text/, train.tsv and dev.tsv."""
    monkeypatch.chdir(tmp_path)
    texts, labels = sentiment
    backbone = tiny_backbone(tokenizer, max_sequence_length=128)
    lm = kr.RobertaMaskedLM(backbone, preprocessor=lm_preprocessor(tokenizer))
    lm.save_to_hugging_face("hf")
    lm.save_to_preset("granite-30m")
    (tmp_path / "text").mkdir()
    # Sentences that differ, in as many documents as it takes for some to be held out.
    stories = [f"{text}. It is number {i}. So {text}." for i, text in enumerate(texts * 2)]
    (tmp_path / "text" / "a.txt").write_text("\n\n".join(stories))
    for name in ("train.tsv", "dev.tsv"):
        rows = "".join(f"{label}\t{text}\n" for text, label in zip(texts, labels, strict=True))
        (tmp_path / name).write_text("label\tsentence\n" + rows)
    return tmp_path


def in_two_steps(command):
    """A command that takes hours with two steps of a few rows in their place; None for others."""
    if "--hours" not in command:
        return None
    place = command.index("--hours")
    steps = ["--recipe", "one-day", "--steps", "2", "--batch-size", "8"]
    return [*command[:place], *steps, *command[place + 2 :]]


def tiny_backbone(tokenizer, max_sequence_length):
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=max_sequence_length,
        seed=5,
    )
    return kr.RobertaBackbone(config)


def lm_preprocessor(tokenizer):
    return kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=128)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNING)
def test_blocks_run(page, workplace, tokenizer, sentiment, run):
    data = tf.data.Dataset.from_tensor_slices(sentiment).batch(16)
    names = {"train": data, "dev": data} if page == "README.md" else {}
    if page in WITH_RUN:
        preprocessor = kr.RobertaPreprocessor(tokenizer, 128)
        backbone = tiny_backbone(tokenizer, max_sequence_length=128)
        kr.RobertaTextClassifier(backbone, 2, preprocessor=preprocessor).save_to_preset("run")
    for block in BLOCKS[page]:
        if page == "README.md" and block.not_run and block.language == "sh":
            for command in filter(None, map(in_two_steps, commands_of(block))):
                code, _, stderr = run(*command[1:])
                assert code == 0, (command, stderr)
        if block.not_run or block.language not in RUN:
            continue
        if block.language == "python":
            exec(compile(block.code, page, "exec"), names)
            continue
        for command in commands_of(block):
            assert command[0] == "keras-roberta", f"{command}: say why it is not run"
            code, _, stderr = run(*command[1:])
            assert code == 0, (command, stderr)
    for path in WRITTEN.get(page, []):
        assert (workplace / path).exists(), path


def test_every_block_is_run_or_says_why_not():
    for page, blocks in BLOCKS.items():
        assert PAGES[page].count("```") == 2 * len(blocks), f"{page}: an unclosed block"
        for block in blocks:
            assert block.language in (*RUN, *READ), f"{page}: {block}"
            assert block.not_run is None or len(block.not_run) > 10, f"{page}: {block}"
            for test in re.findall(r"tests/\S+\.py", block.not_run or ""):
                assert (ROOT / test).exists(), f"{page}: {block}"
        assert not hidden_commands(PAGES[page]), page


def hidden_commands(text):
    """Commands in indented paragraphs, which no test would run."""
    outside = re.sub(r"^[ ]*```.*?```$", "", text, flags=re.DOTALL | re.MULTILINE)
    command = r"^ {4,}(?:\$ )?(?:keras-roberta|python|pip|docker|make) .*$"
    return re.findall(command, outside, re.MULTILINE)


def test_hidden_commands_are_found():
    fenced = "```sh\n    make demo\n```\n"
    text = f"Some words.\n\n{fenced}\n    $ make demo\n\n    keras-roberta demo --seed 1\n"
    assert hidden_commands(text) == ["    $ make demo", "    keras-roberta demo --seed 1"]
    assert not hidden_commands(f"Run make demo:\n\n{fenced}")


def test_options_of_commands_that_are_not_run(run, monkeypatch):
    """Not run, but options that are gone would be noticed."""
    monkeypatch.setenv("COLUMNS", "200")
    checked = 0
    for page, blocks in BLOCKS.items():
        for block in blocks:
            elsewhere = block.not_run is None or block.not_run.startswith("run by ")
            if block.language != "sh" or elsewhere or block.code.startswith("#!"):
                continue
            for words in commands_of(block):
                if words[0] == "keras-roberta":
                    words = words[words.index("--") + 1 :] if "--" in words else words[1:]
                    assert not unknown_options(words, run), (page, words)
                    checked += 1
    assert checked >= 3


def unknown_options(words, run):
    """The options of a command that its help does not have, as whole words."""
    subcommands = 2 if words[0] == "tokenizer" else 1
    code, text, _ = run(*words[:subcommands], "--help")
    assert code == 0, words
    known = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))
    return {word.partition("=")[0] for word in words if word.startswith("--")} - known


def test_unknown_options_are_found(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = "tokenizer train --corpus text/ --vocab-size 300 --out tok/".split()
    assert not unknown_options(words, run)
    words[4] = "--vocab"  # the beginning of one
    assert unknown_options(words, run) == {"--vocab"}


# Names, links and sizes


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_links_of_pages_outside_the_site():
    """Those in docs/ are checked by `mkdocs build --strict`."""
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", PAGES[page]):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{page}: {target}"


def test_files_that_pages_name_exist():
    rooms = sorted(p.name for p in (ROOT / "keras_roberta").iterdir() if p.is_dir())
    places = rf"(?:keras_roberta|export|tests|benchmarks|examples|docs|{'|'.join(rooms)})"
    named = rf"(?:`|(?:python3?|python3\.11) )({places}/[\w./-]*\w)"
    for page, text in PAGES.items():
        if page == "CHANGELOG.md" or page.startswith("docs/how-to/"):  # files before, files to add
            continue
        for path in re.findall(named, text):
            found = [(root / path).exists() for root in (ROOT, ROOT / "keras_roberta")]
            assert any(found), f"{page}: {path}"


def test_the_tree_of_the_architecture():
    rooms = runpy.run_path(str(ROOT / "tests/test_architecture.py"))["ROOMS"]
    tree = re.findall(r"^  (\w+)(?:/|\.py)", PAGES["docs/architecture.md"], re.MULTILINE)
    assert tree == rooms[::-1]


def test_every_decision_is_listed_and_has_a_number_of_its_own():
    index = " ".join(PAGES["docs/decisions/index.md"].split())
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(path.name[:3]) for path in pages] == list(range(1, len(pages) + 1))
    for path in pages:
        assert f"[{path.read_text('utf-8').splitlines()[0][2:]}]({path.name})" in index


def test_every_public_name_is_in_the_reference():
    reference = "".join(text for page, text in PAGES.items() if "/reference/" in page)
    documented = {name.rsplit(".", 1)[1] for name in re.findall(r"^::: (\S+)", reference, re.M)}
    assert {*kr.__all__, *export.__all__} <= documented


def test_examples_in_docstrings_are_blocks_in_the_reference():
    pytest.importorskip("griffe")
    spec = importlib.util.spec_from_file_location("doctest_fences", DOCS / "doctest_fences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "A sum.\n\n>>> 1 + 1  # doctest: +SKIP\n2\n\nArgs:\n    x: of `>>> 1`."
    fenced = "A sum.\n\n\n```pycon\n>>> 1 + 1\n2\n```\n\nArgs:\n    x: of `>>> 1`."
    assert module.fenced(text) == fenced
    assert module.fenced(">>> 2") == "\n```pycon\n>>> 2\n```"


# The examples


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
        run_example("serving_grpc.py", address, "sentiment", *TEXTS)
    finally:
        server.stop(None)
    assert lines_of(capsys.readouterr().out) == expected_lines(task)


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
