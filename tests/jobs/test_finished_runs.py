"""Pre-training runs that came to their end: what they leave, and runs that start from it."""

import pathlib
import re
import shlex
import shutil
import signal

import numpy as np
import pytest
from pretraining_runs import assert_same_state, newest_state, options, rows, stop_at_first_row

import keras_roberta as kr
from keras_roberta.cli import main
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.jobs.pretrain.run_directory import RunDirectory
from keras_roberta.jobs.pretrain.start_model import start_model

pytestmark = pytest.mark.usefixtures("tinier")


FINISHED = dict(objectives=("mlm", "sop", "tokens"), steps=30)


@pytest.fixture(scope="module")
def finished(tinier, shards, tmp_path_factory):
    """The directory of a run that came to its end, and what it gave back."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return out, pretrain(shards, out, options(**FINISHED))


@pytest.fixture
def finished_copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "copy")


def test_a_run_and_what_it_leaves(finished):
    out, result = finished
    assert (result.steps, result.tokens, result.signal) == (30, 30 * 8 * 32, None)
    assert result.skipped_steps == 0 and set(result.heldout) == {"de", "en"}

    log = rows(out / "log.csv")
    assert [int(row["step"]) for row in log] == [4, 8, 12, 16, 20, 24, 28]
    assert float(log[-1]["loss"]) < float(log[0]["loss"])
    names = {f"{o}_{m}" for o in ("mlm", "sop", "tokens") for m in ("loss", "accuracy")}
    assert names | {"mlm_perplexity", "learning_rate", "skipped_steps"} <= set(log[0])
    found = [(int(row["step"]), row["language"]) for row in rows(out / "evaluations.csv")]
    assert found == [(step, lang) for step in (8, 16, 24, 30) for lang in ("de", "en")]
    assert list((out / "tensorboard").iterdir())
    assert (out / "curves.png").stat().st_size > 10_000
    card = (out / "README.md").read_text()
    assert '| objectives | ["mlm", "sop", "tokens"] |' in card and "| save_every |" not in card
    assert "mlm, sop, tokens" in card and f"{result.heldout['de']['mlm_loss']:.3f}" in card
    assert sorted(path.name for path in (out / "states").iterdir()) == [
        "step-00000025.safetensors",
        "step-00000030.safetensors",
    ]

    assert kr.RobertaMaskedLM.from_preset(out).predict(["the<mask>"], verbose=0).shape[:2] == (1, 1)
    classifier = kr.RobertaTextClassifier.from_preset(out, num_classes=2)
    assert classifier.predict(["the dog"], verbose=0).shape == (1, 2)
    again = kr.RobertaPretrainer.from_preset(out)
    for weight, trained in zip(again.weights, result.model.weights, strict=True):
        np.testing.assert_array_equal(weight, trained)


def test_what_the_card_advises_runs_and_stands_in_the_readme(finished, tmp_path, monkeypatch):
    out, _ = finished
    card = (out / "README.md").read_text(encoding="utf-8")
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shutil.copytree(out, tmp_path / out.name)
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text("text\tlabel\nder Hund\t0\na dog\t1\n")
    monkeypatch.chdir(tmp_path)
    names = {"train": (["der Hund", "a dog"], [0, 1]), "dev": (["eine Katze", "a cat"], [0, 1])}
    blocks = re.findall(r"```(sh|python)\n(.*?)```", card, re.DOTALL)
    assert [language for language, _ in blocks] == ["sh", "python"]
    for language, code in blocks:
        if language == "python":
            exec(code, names)
        for line in code.splitlines():
            if language == "sh":
                with pytest.raises(SystemExit) as end:
                    main(shlex.split(line)[1:])
                assert not end.value.code, line
            advice = line.replace(out.name, "granite-30m")
            assert advice in readme or "predict" in line, line


def test_a_finished_run_is_only_written_again(shards, finished, finished_copy):
    state, measured = newest_state(finished_copy)[0], rows(finished_copy / "evaluations.csv")
    (finished_copy / "README.md").unlink()
    reports = dict(save_every=7, log_every=2, remat=True)  # may change
    again = pretrain(shards, finished_copy, options(**FINISHED, **reports))
    assert again.steps == 30 and newest_state(finished_copy)[0] == state
    first = finished[1].heldout["en"]["mlm_loss"]
    assert again.heldout["en"]["mlm_loss"] == pytest.approx(first)
    assert (finished_copy / "README.md").exists()
    assert len(rows(finished_copy / "evaluations.csv")) == len(measured)


def test_a_run_is_overwritten_when_told_to(english_shards, finished_copy, monkeypatch):
    (finished_copy / "mine.txt").write_text("keep")
    another = options(steps=3, seed=3, log_every=1)
    with monkeypatch.context() as patch:
        stop_at_first_row(patch, signal.SIGTERM)
        pretrain(english_shards, finished_copy, another, overwrite=True)
    # Nothing of the old run passes for a result of the new one.
    assert {path.name for path in finished_copy.iterdir() if path.is_file()} == {
        *("mine.txt", "run.json", "log.csv", "evaluations.csv")
    }
    assert not [path for path in (finished_copy / "assets").rglob("*") if path.is_file()]
    with pytest.raises(InputError, match="holds no checkpoint"):
        kr.RobertaMaskedLM.from_preset(finished_copy)

    result = pretrain(english_shards, finished_copy, another)
    assert result.steps == 3 and (finished_copy / "mine.txt").read_text() == "keep"
    states = sorted(path.name for path in (finished_copy / "states").iterdir())
    assert states == ["step-00000001.safetensors", "step-00000003.safetensors"]
    assert [int(row["step"]) for row in rows(finished_copy / "log.csv")] == [1, 2, 3]
    assert kr.RobertaPretrainer.from_preset(finished_copy).objectives == ("mlm",)


def losses_at_the_start(out):
    """{language: held-out MLM loss} before the first step."""
    measured = rows(out / "evaluations.csv")
    return {row["language"]: float(row["mlm_loss"]) for row in measured if row["step"] == "0"}


@pytest.mark.slow
def test_a_run_from_a_preset(shards, finished, tmp_path, monkeypatch):
    preset, before = finished
    chosen = options(**FINISHED | dict(steps=6), size=None, preset=preset, log_every=2)
    pretrain(shards, tmp_path / "whole", chosen)
    found = losses_at_the_start(tmp_path / "whole")
    assert found == pytest.approx({k: v["mlm_loss"] for k, v in before.heldout.items()}, rel=1e-5)
    assert f"the weights of {preset}" in (tmp_path / "whole" / "README.md").read_text()

    for step in (0, 2):  # the first row is of the evaluation before the first step
        with monkeypatch.context() as patch:
            stop_at_first_row(patch, signal.SIGINT)
            assert pretrain(shards, tmp_path / "stopped", chosen).steps == step
    another = options(**FINISHED | dict(steps=6), size=None, preset=tmp_path)
    with pytest.raises(InputError, match=f"a run with preset {preset}, not {tmp_path}"):
        RunDirectory(tmp_path / "stopped").open(another, open_shards(shards))
    pretrain(shards, tmp_path / "stopped", chosen)
    assert_same_state(tmp_path / "stopped", tmp_path / "whole")
    measured = [(tmp_path / run / "evaluations.csv").read_text() for run in ("stopped", "whole")]
    assert measured[0] == measured[1]


def test_a_run_from_a_hugging_face_checkpoint(shards, finished, tmp_path):
    finished[1].model.save_to_hugging_face(tmp_path / "hf", drop_heads=True)
    # Documents that share a row take an input that the checkpoint's model lacks.
    for packing in ("full-sentences", "block-diagonal"):
        chosen = options(steps=1, size=None, preset=tmp_path / "hf", packing=packing)
        model = start_model(chosen, open_shards(shards))
        for name, weight in model.backbone.weights_by_name().items():
            trained = finished[1].model.backbone.weights_by_name()[name]
            np.testing.assert_array_equal(weight, trained, err_msg=name)
    chosen = options(**FINISHED | dict(steps=1), size=None, preset=tmp_path / "hf")
    pretrain(shards, tmp_path / "run", chosen)
    expected = {k: v["mlm_loss"] for k, v in finished[1].heldout.items()}
    assert losses_at_the_start(tmp_path / "run") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(preset="none"), "none: no such directory"),
        (dict(sequence_length=64), "has positions for 32 tokens, .* sequence_length of 64"),
        (dict(dropout=1.0), "dropout"),
    ],
)
def test_presets_that_do_not_fit(shards, finished, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        chosen = options(**dict(size=None, preset=finished[0]) | changes)
        pretrain(shards, tmp_path / "run", chosen)
    assert not (tmp_path / "run").exists()


def test_a_preset_of_another_tokenizer(english_shards, finished, finished_copy, tmp_path):
    chosen = options(size=None, preset=finished_copy)
    with pytest.raises(InputError, match="another tokenizer than the shards in .* prepare"):
        pretrain(english_shards, tmp_path / "run", chosen)
    with pytest.raises(InputError, match="is the preset to start from; give another --out"):
        pretrain(english_shards, finished_copy, chosen, overwrite=True)
    assert (finished_copy / "config.json").exists()
