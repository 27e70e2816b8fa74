"""Every snippet of the README and every example runs."""

import os
import pathlib
import re
import runpy
import shlex
import subprocess
import sys

import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.data.prepare_options import PrepareOptions
from keras_roberta.recipes.prepare import prepare

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
def test_commands_of_the_readme(workplace):
    commands = [
        line
        for block in blocks("")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("keras-roberta ")
    ]
    assert len(commands) == 7
    for command in commands:
        arguments = [sys.executable, "-m", "keras_roberta.cli", *shlex.split(command)[1:]]
        subprocess.run(arguments, check=True, env={**os.environ, "COLUMNS": "120"})
    assert (workplace / "shards/manifest.json").exists()
    assert (workplace / "run/config.json").exists() and (workplace / "sst2.tflite").exists()
    assert list((workplace / "report").glob("*.png"))


@pytest.mark.slow
def test_example_of_fine_tuning(workplace, monkeypatch, capsys):
    script = ROOT / "examples/finetune_sentiment.py"
    monkeypatch.setattr(sys, "argv", [str(script), "granite-30m", "train.tsv", "out"])
    runpy.run_path(str(script), run_name="__main__")
    assert re.search(r"(negative|positive) \d+%", capsys.readouterr().out)


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
