"""The commands and programs of README and docs run, and so do the examples of training.

Each page's fenced blocks of `python` and `sh` are run one after the other, in a directory with what
the page speaks of. One that cannot run here has a comment `<!-- not run: the reason -->` above it.
A page that another test follows says so in its first line: `<!-- run by tests/test_name.py -->`.
"""

import importlib
import re
import runpy
import sys

import pytest
import tensorflow as tf
from documentation_pages import BLOCKS, ROOT, RUN, commands_of

import keras_roberta as kr
import keras_roberta.config
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.export import arguments
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.schemas import SCHEMAS
from keras_roberta.tasks import registry

RUNNING = [
    page
    for page, blocks in BLOCKS.items()
    if any(b.language in RUN and b.not_run is None for b in blocks)
]
SIZE = dict(num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=32)
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
    "docs/guides/keras.md": [
        "film-model/config.json",
        "run/config.json",
    ],
    "docs/guides/tasks.md": ["embedder/config.json", "qa-model/config.json"],
    "docs/guides/hugging-face.md": ["for-transformers/model.safetensors", "back/model.safetensors"],
    "docs/guides/phone.md": [
        *("sentiment.tflite", "sst2.tflite", "report/report.png"),
        *("phone/model.tflite", "phone/report.html"),
        *("trimmed/trimming.json", "trimmed.tflite"),
    ],
    "docs/guides/server.md": ["serving/sentiment/1/saved_model.pb", "serving/sentiment/2"],
    "docs/guides/pre-training.md": ["short-run/config.json", "for-transformers/config.json"],
}


@pytest.fixture
def workplace(tokenizer, sentiment, tmp_path, monkeypatch):
    """A directory with what the pages speak of: checkpoints of ours and of Hugging Face's kind,
    text/, train.tsv and dev.tsv."""
    monkeypatch.chdir(tmp_path)
    # A signature of a `.tflite` file takes seconds; by default there are three.
    monkeypatch.setattr(arguments, "LENGTHS", (32,))
    for size in ("tiny", "small"):
        monkeypatch.setitem(keras_roberta.config._NAMED, size, SIZE)
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
        max_sequence_length=max_sequence_length,
        seed=5,
        **SIZE,
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


@pytest.mark.slow
def test_example_of_fine_tuning(workplace, monkeypatch, capsys):
    script = ROOT / "examples/finetune_sentiment.py"
    monkeypatch.setattr(sys, "argv", [str(script), "granite-30m", "train.tsv", "out"])
    runpy.run_path(str(script), run_name="__main__")
    assert re.search(r"(negative|positive) \d+%", capsys.readouterr().out)


def test_example_of_a_custom_task(workplace, monkeypatch, capsys, run):
    monkeypatch.syspath_prepend(ROOT / "examples")
    (workplace / "stars.tsv").write_text(
        "text\tlabel\n" + "".join(f"film {i}\t{1 + i % 5}\n" for i in range(10))
    )
    before = list(registry.TASKS)
    try:
        example = importlib.import_module("custom_task")
        example.main("granite-30m", "stars.tsv", "out")
        of_task, of_file = capsys.readouterr().out.split()
        assert of_task == of_file and of_task in "12345"
        assert type(kr.open_task("out/preset")) is example.StarRater
        assert "stars" in registry.commands()
        # The command line knows no task but those of the modules that the environment names.
        registry.TASKS[:] = before
        ask = "predict", "--model", "out/preset", "a gob of drivel"
        code, _, error = run(*ask)
        assert code == 2 and "its head, StarRater; where it is one of your own" in error
        del SCHEMAS["stars"], sys.modules["custom_task"]
        monkeypatch.setenv("KERAS_ROBERTA_TASKS", "custom_task")
        code, printed, error = run(*ask)
        assert (code, printed) == (0, f"{of_task}\ta gob of drivel\n"), error
    finally:
        registry.TASKS[:] = before
        SCHEMAS.pop("stars", None)
    assert len((ROOT / "examples/custom_task.py").read_text().splitlines()) < 60


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
