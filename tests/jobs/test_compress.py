"""Pruned, clustered and rounded presets, by the commands."""

import dataclasses

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.export.compression.kernels import kernels_of
from keras_roberta.jobs.compress import compress
from keras_roberta.jobs.options.compress import PruneOptions, QatOptions
from keras_roberta.options import OptionError


@pytest.fixture(scope="module")
def finetuned(tokenizer, tmp_path_factory):
    """A preset of one layer, and beside it a table."""
    directory = tmp_path_factory.mktemp("finetuned")
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size, num_layers=1, num_heads=4, hidden_dim=32,
        intermediate_dim=64, max_sequence_length=32, initializer_range=0.05, seed=5,
    )  # fmt: skip
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor)
    task.save_to_preset(directory / "preset")
    rows = [("good", "a fine film"), ("bad", "a dull film"), ("good", "warm"), ("bad", "cold")] * 4
    table = "".join(f"{label}\t{text}\n" for label, text in rows)
    (directory / "t.tsv").write_text("label\ttext\n" + table)
    return directory


def kernels(preset):
    return {n: np.array(k) for n, k in kernels_of(kr.open_task(preset)).items()}


@pytest.mark.slow
def test_prune_then_qat(finetuned, tmp_path, run):
    preset, table = finetuned / "preset", finetuned / "t.tsv"
    code, printed, error = run(
        *("compress", "prune", "--preset", preset, "--train", table, "--dev", table),
        *("--batch-size", "4", "--epochs", "2", "--learning-rate", "1e-9", "--end", "0.9"),
        *("--sparsity", "0.75", "--measured-quantization", "none", "--out", tmp_path / "pruned"),
    )
    assert code == 0, error
    assert "zipped" in printed and "dense matrices" in printed
    lines = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    # Both epochs score the same, of which the first is kept, but that has too few zeros.
    assert lines["best_epoch"][1] == "2"
    assert lines["before"][3] == "0.0%" and float(lines["after"][3][:-1]) > 60
    assert float(lines["after"][2]) < float(lines["before"][2])  # zipped
    pruned = kernels(tmp_path / "pruned")
    for name, matrix in pruned.items():
        assert np.mean(matrix == 0) == pytest.approx(0.75, abs=1 / matrix.size), name
    _, metrics = compress(
        tmp_path / "pruned", table, table, tmp_path / "rounded",
        QatOptions(quantization="int8-static", batch_size=4, epochs=1, learning_rate=1e-3),
    )  # fmt: skip
    assert 0 <= metrics["accuracy"] <= 1
    for name, matrix in kernels(tmp_path / "rounded").items():
        np.testing.assert_array_equal(matrix == 0, pruned[name] == 0)
    # The ranges of activations are in the preset.
    out = tmp_path / "a.tflite"
    code, _, error = run(
        *("export", "--preset", tmp_path / "rounded", "--quantization", "int8-static"),
        *("--inputs", "tokens", "--sequence-lengths", "16", "--out", out),
    )
    assert code == 0 and out.stat().st_size, error


def test_wrong_commands(finetuned, tmp_path, run):
    preset, table = finetuned / "preset", finetuned / "t.tsv"
    command = ("--preset", preset, "--train", table, "--out", tmp_path / "out")
    for arguments, says in (
        (("prune", "--sparsity", "1"), "--sparsity must be between 0 and 1; got 1.0"),
        (("prune", "--sparsity", "0.8", "--structure", "2:4"), "--sparsity: of 2:4 it is a half"),
        (("prune", "--block-size", "4"), "--block-size: expected two numbers"),
        (("cluster", "--clusters", "1"), "--clusters must be"),
        (("qat", "--quantization", "none"), "--quantization 'none': expected one of int8"),
        (("cluster", "--lora-rank", "2"), "--lora-rank: cannot be combined with compression"),
        (("qat", "--pooling", "cls"), "--pooling: is the preset's; leave it out"),
    ):
        code, _, error = run("compress", arguments[0], *command, *arguments[1:])
        assert code == 2 and says in error, (arguments, error)
    assert not (tmp_path / "out").exists()
    kr.RobertaBackbone.from_preset(preset).save_to_preset(tmp_path / "encoder")
    with pytest.raises(InputError, match="encoder: has no fine-tuned head; fine-tune it first"):
        compress(tmp_path / "encoder", table, None, tmp_path / "out", PruneOptions())


def test_sizes_that_do_not_fit_are_told_before_data_are_read(finetuned, tmp_path):
    task = kr.open_task(finetuned / "preset")
    config = dataclasses.replace(task.backbone.config, hidden_dim=12, intermediate_dim=20)
    narrow = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, task.preprocessor)
    narrow.save_to_preset(tmp_path / "narrow")
    with pytest.raises(InputError, match="'int4' cuts weights into blocks of .* hidden_dim is 12"):
        compress(
            tmp_path / "narrow", tmp_path / "no.tsv", None, tmp_path / "out",
            QatOptions(quantization="int4"),
        )  # fmt: skip


def test_what_is_measured_is_what_was_trained_and_no_part_of_the_run(finetuned, monkeypatch):
    assert PruneOptions().measured_scheme == "int8"
    assert QatOptions(quantization="int4").measured_scheme == "int4"
    assert QatOptions(quantization="int8-static").measured_scheme == "int8"
    with pytest.raises(OptionError, match="remat: does not go with 'int8-static'"):
        QatOptions(quantization="int8-static", remat=True)
    named = QatOptions(quantization="int4", measured_quantization="none")
    assert named.measured_scheme == "none"
    trained = []
    monkeypatch.setattr(
        "keras_roberta.jobs.compress.finetune", lambda *given, **_: trained.append(given[4])
    )
    for options in (named, QatOptions(quantization="int4")):
        compress(finetuned / "preset", "t.tsv", None, "out", options)
    assert trained[0].to_dict() == trained[1].to_dict()
