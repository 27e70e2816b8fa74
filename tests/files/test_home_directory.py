"""`~` in the paths that users give is their home directory."""

import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.corpus.corpora import CorpusOptions, work_units
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers import open_tokenizer


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    elsewhere = tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    yield home
    assert not list(elsewhere.iterdir())  # no directory of the name ~


def test_models(home, config, tokenizer):
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
    task = kr.RobertaTextClassifier(
        kr.RobertaBackbone(config.replace(num_layers=1)), 2, preprocessor=preprocessor
    )
    task.save_to_preset("~/preset")
    assert type(kr.open_task("~/preset")) is kr.RobertaTextClassifier
    task.save_to_hugging_face("~/hf")
    kr.RobertaBackbone.from_preset("~/hf")
    task.save("~/task.keras")
    assert (home / "task.keras").is_file()
    task.save_weights("~/task.weights.h5")
    task.load_weights("~/task.weights.h5")
    task.export("~/keras-export", verbose=False)
    assert (home / "keras-export" / "saved_model.pb").is_file()
    task.backbone.enable_lora(2)
    task.backbone.save_lora_weights("~/adapters.lora.h5")
    task.backbone.load_lora_weights("~/adapters.lora.h5")
    task = kr.open_task("~/preset")
    export.to_saved_model(task, "~/saved/1")
    assert export.load("~/saved/1").predict(["a"])["label"].shape == (1,)
    export.to_tflite(task, "~/task.tflite", quantization="none", sequence_lengths=(16,))
    assert export.load("~/task.tflite").predict(["a"])["label"].shape == (1,)


def test_data(home, tokenizer):
    (home / "table.tsv").write_text("text\tlabel\na\t1\n")
    assert read_table("~/table.tsv").texts("text") == ["a"]
    (home / "corpus.txt").write_text("One text.\nAnother.\n\nA second document.\n")
    assert work_units("~/corpus.txt", CorpusOptions())
    tokenizer.save("~/tok")
    assert open_tokenizer("~/tok") == tokenizer
    prepare("~/corpus.txt", "~/tok", "~/shards")
    assert open_shards("~/shards").tokenizer == tokenizer
