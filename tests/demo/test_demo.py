import functools
import json

import pytest

import keras_roberta as kr
from keras_roberta.demo import demo, finetune_and_compare
from keras_roberta.demo.demo import demo_on_docstrings, demo_on_tables
from keras_roberta.export import arguments, to_saved_model, to_tflite
from keras_roberta.jobs.options.demo import DemoOptions
from keras_roberta.jobs.options.tables import TrainingColumns

WORDS = {"numpy": "array shape axis sum", "matplotlib": "figure axes line colour"}


@pytest.fixture
def two_libraries(tmp_path):
    for library, words in WORDS.items():
        package = tmp_path / "site-packages" / library
        package.mkdir(parents=True)
        functions = [
            f'def f{i}():\n    """Item {i} takes the {words} number {i} and returns it to you."""\n'
            for i in range(800)
        ]
        (package / "things.py").write_text("\n".join(functions))
    return tmp_path / "site-packages"


def check(out, tables):
    report = json.loads((out / "report.json").read_text())
    accuracy = {row["name"]: row["scores"]["accuracy"] for row in report["models"]}
    assert accuracy["Keras"] > accuracy["majority class"]
    assert accuracy["float32.tflite"] == accuracy["saved_model"] == accuracy["Keras"]
    assert (out / "report.png").exists() and len(tables) == 2
    return report


@pytest.mark.slow
def test_demo_on_docstrings(two_libraries, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(arguments, "LENGTHS", (1000,))  # the longest alone
    tables = demo_on_docstrings(
        tmp_path / "out", pretraining_seconds=1, site_packages=two_libraries
    )
    report = check(tmp_path / "out", tables)
    assert report["labels"] == ["matplotlib", "numpy"]
    assert list(report["seconds"])[:2] == ["collect docstrings", "train vocabulary"]
    (curve,) = report["curves"]
    assert len(curve["lines"]["training"]) == report["pretraining"]["steps"] // 20


@pytest.mark.slow
def test_demo_on_tables(config, tokenizer, sentiment, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "CHECKPOINT", demo.SMALL)
    # The tokenizer's graph is most of an export; the test above has it in the files.
    for write in (to_tflite, to_saved_model):
        on_ids = functools.partial(write, inputs="tokens")
        monkeypatch.setattr(finetune_and_compare, write.__name__, on_ids)
    kr.RobertaMaskedLM(
        kr.RobertaBackbone(config.replace(num_layers=1)),
        preprocessor=kr.RobertaMaskedLM.preprocessor_cls(tokenizer, 32),
    ).save_to_preset(tmp_path / "preset")
    table = tmp_path / "table.tsv"
    rows = list(zip(*sentiment, strict=True)) * 4
    table.write_text("text\tlabel\n" + "".join(f"{t}\t{label}\n" for t, label in rows))
    options = DemoOptions(preset=tmp_path / "preset", train=table, dev=table, epochs=12)
    tables = demo_on_tables(tmp_path / "out", options)
    assert "pre-train" not in check(tmp_path / "out", tables)["seconds"]


def test_tables_without_a_header(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "finetune_and_compare", lambda preset, out, texts, *_: texts)
    table = tmp_path / "table.tsv"
    table.write_text("fine\t1\ndull\t0\n")
    columns = TrainingColumns(no_header=True, text_column="1", label_column="2")
    options = DemoOptions(preset="none", train=table, dev=table, tables=columns)
    texts = demo_on_tables(tmp_path / "out", options)
    assert texts.train[0] == texts.test[0] == ["fine", "dull"]
