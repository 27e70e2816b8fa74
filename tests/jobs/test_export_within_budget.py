"""The search for the smallest export that is good enough."""

import dataclasses
import json

import pytest

import keras_roberta as kr
from keras_roberta import export as exporters
from keras_roberta.errors import InputError, OutputError
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.jobs import export_within_budget as job
from keras_roberta.jobs import measured_file
from keras_roberta.jobs.export_within_budget import NoneWithinBudget, export_within_budget
from keras_roberta.jobs.options.budget import BudgetOptions
from keras_roberta.jobs.options.export import ExportOptions

TEXTS = ["a fine film", "a dull film", "warm and funny", "cold and flat"]
TINY_CONFIG = kr.RobertaConfig(
    num_layers=1, num_heads=2, hidden_dim=32, intermediate_dim=32, max_sequence_length=32, seed=0
)
OPTIONS = ExportOptions(quantization="auto", sequence_lengths=(16,))


@pytest.fixture(scope="module")
def directory(tokenizer, tmp_path_factory):
    """With `preset/` and `dev.tsv`, whose labels are the task's own answers."""
    directory = tmp_path_factory.mktemp("search")
    config = TINY_CONFIG.replace(vocabulary_size=tokenizer.vocabulary_size, initializer_range=0.2)
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16, labels=("bad", "good"))
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor=preprocessor)
    task.save_to_preset(directory / "preset")
    rows = [
        f"{answer['label']}\t{text}\n"
        for text, answer in zip(TEXTS, task.answers(TEXTS), strict=True)
    ]
    (directory / "dev.tsv").write_text("label\ttext\n" + "".join(rows))
    return directory


@pytest.fixture
def tried(monkeypatch):
    """Two schemes, and the names of those whose files were written."""
    written, to_tflite = [], exporters.to_tflite
    monkeypatch.setattr(job, "SCHEMES", {name: SCHEMES[name] for name in ("none", "int8")})

    def writes(task, path, quantization, **arguments):
        written.append(quantization)
        return to_tflite(task, path, quantization, **arguments)

    monkeypatch.setattr("keras_roberta.export.tflite.to_tflite", writes)
    return written


def search(directory, out, **budget):
    places = directory / "preset", directory / "dev.tsv", out
    return export_within_budget(*places, OPTIONS, BudgetOptions(**budget))


def test_no_file_then_one_with_other_limits(directory, tried, tmp_path):
    out = tmp_path / "phone"
    with pytest.raises(NoneWithinBudget, match=r"No file has at most 0\.01 MB") as error:
        search(directory, out, max_mb=0.01)
    assert tried == ["int8", "none"]  # from small to large
    assert not (out / "model.tflite").exists()
    report = json.loads((out / "report.json").read_text())
    assert report["chosen"] is None
    assert report["rows"] == 4
    assert [one.name for one in error.value.search.variants] == ["int8", "none"]

    found = search(directory, out, max_drop=100)
    assert tried == ["int8", "none"]  # what was measured is not measured again
    assert found.chosen.name == "int8"
    assert [one.name for one in found.variants] == ["int8"]
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == [
        "model.tflite", "report.html", "report.json", "report.png",
    ]  # fmt: skip
    with exporters.load(out / "model.tflite") as file:
        assert file.metadata["quantization"] == "int8"
        scores = found.chosen.row.scores
        assert file.metadata["measured"] == {"data": "dev.tsv", "rows": 4, "scores": scores}
        assert len(file.predict(TEXTS)["label"]) == 4
    assert found.reference.scores["accuracy"] == 1.0
    report = json.loads((out / "report.json").read_text())
    assert report["chosen"] == "int8"
    assert set(report["signatures"]) == {"tokenize_16", "tokens_16"}
    assert {"FULLY_CONNECTED", "BATCH_MATMUL"} <= {one["name"] for one in report["operators"]}
    with pytest.raises(InputError, match="exists and is not empty"):
        search(directory, out, max_drop=1)


def test_it_goes_on_where_it_was(directory, tried, monkeypatch, tmp_path):
    latencies, calls = measured_file.latencies_over_texts, []

    def killed_at_the_second(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return latencies(*arguments)

    monkeypatch.setattr(measured_file, "latencies_over_texts", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        search(directory, tmp_path / "phone", max_ms=1e6)
    assert not (tmp_path / "phone" / "report.json").exists()
    found = search(directory, tmp_path / "phone", max_ms=1e6)
    assert tried == ["int8", "none", "none"]
    assert found.chosen.drop <= 0


def test_another_dev_file_is_another_search(directory, tried, tmp_path):
    with pytest.raises(NoneWithinBudget):
        search(directory, tmp_path / "phone", max_mb=0.01)
    other = tmp_path / "dev.tsv"
    other.write_text((directory / "dev.tsv").read_text() + "good\tfine\n")
    with pytest.raises(InputError, match="a run on another dev file"):
        export_within_budget(
            directory / "preset", other, tmp_path / "phone", OPTIONS, BudgetOptions(max_mb=1)
        )


def test_a_scheme_that_misses_its_bound_is_passed_over(directory, tried, monkeypatch, tmp_path):
    bound = dataclasses.replace(SCHEMES["int8"].bound, largest_change=1e-9)
    coarse = dataclasses.replace(SCHEMES["int8"], bound=bound)
    monkeypatch.setattr(job, "SCHEMES", {"int8": coarse, "none": SCHEMES["none"]})
    monkeypatch.setitem(SCHEMES, "int8", coarse)
    found = search(directory, tmp_path / "phone", max_drop=0)
    assert [one.name for one in found.variants] == ["int8", "none"]
    assert "nothing was written" in found.variants[0].refused
    assert found.chosen.name == "none" and found.signatures


def test_a_file_whose_score_is_no_number_is_passed_over(directory, tried, monkeypatch, tmp_path):
    """As a correlation of answers that are all the same."""
    measured, calls = measured_file.quality, []

    def without_the_second(*arguments):  # the first is that of the task
        calls.append(1)
        found = measured(*arguments)
        return {**found, "scores": {"accuracy": None}} if len(calls) == 2 else found

    monkeypatch.setattr(measured_file, "quality", without_the_second)
    found = search(directory, tmp_path / "phone", max_drop=100)
    assert [one.name for one in found.variants] == ["int8", "none"]
    assert found.variants[0].refused == "its accuracy on the dev data is no number"
    assert found.chosen.name == "none"


def test_a_full_disk_is_no_fault_of_a_scheme(directory, monkeypatch, tmp_path):
    def full(task, path, *_, **__):
        raise OutputError(path, "the disk is full", "make room")

    monkeypatch.setattr("keras_roberta.export.tflite.to_tflite", full)
    with pytest.raises(OutputError, match="the disk is full"):
        search(directory, tmp_path / "phone", max_drop=0)


def test_pairs_of_texts_have_to_be_asked_for(directory, tmp_path):
    pairs = tmp_path / "dev.tsv"
    pairs.write_text("label\ttext\ttext_pair\ngood\tfine\tdull\n")
    with pytest.raises(InputError, match="pairs: .*dev.tsv has pairs of texts"):
        export_within_budget(
            directory / "preset", pairs, tmp_path / "out", OPTIONS, BudgetOptions(max_mb=1)
        )
    assert not (tmp_path / "out").exists()


def test_schemes_that_cannot_be_used(directory, monkeypatch, tmp_path):
    static = dataclasses.replace(SCHEMES["int8"], name="static", needs_calibration=True)
    monkeypatch.setitem(SCHEMES, "static", static)
    monkeypatch.setattr(job, "SCHEMES", {"static": static})
    with pytest.raises(InputError, match="no file could be written; static: calibration"):
        search(directory, tmp_path / "phone", max_drop=1)
    assert not (tmp_path / "phone" / "model.tflite").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--max-drop 1", "--dev: quantization auto is decided by data with labels"),
        ("--dev dev.tsv", "--max-drop and --max-mb and --max-ms: quantization auto needs one"),
        ("--dev dev.tsv --max-drop -1", "--max-drop must be at least 0; got -1"),
        ("--dev dev.tsv --max-mb 0", "--max-mb must be positive; got 0"),
        ("--dev none.tsv --max-mb 1", "none.tsv: no such file"),
        ("--dev dev.tsv --max-mb 1 --text-column title", "dev.tsv: no column 'title'"),
        ("--dev dev.tsv --max-mb 1 --format saved-model", "is for TFLite"),
        ("--dev dev.tsv --max-mb 1 --out m.tflite", "writes model.tflite and a report into a"),
    ],
)
def test_what_does_not_fit(arguments, message, directory, run, monkeypatch, tmp_path):
    monkeypatch.chdir(directory)
    given = arguments.split()
    if "--out" not in given:
        given += ["--out", str(tmp_path / "phone")]
    code, _, stderr = run("export", "--preset", "preset", "--quantization", "auto", *given)
    assert code != 0
    assert message in " ".join(stderr.split())
    assert not (tmp_path / "phone").exists()


@pytest.mark.parametrize(
    "option", ["--max-drop 1", "--threads 2", "--dev dev.tsv", "--label-column x", "--labels a,b"]
)
def test_without_auto_there_is_no_budget(option, directory, run, monkeypatch, tmp_path):
    monkeypatch.chdir(directory)
    out = str(tmp_path / "m.tflite")
    code, _, stderr = run("export", "--preset", "preset", "--out", out, *option.split())
    assert code != 0
    assert f"{option.split()[0]}: is for a search among quantizations" in " ".join(stderr.split())


@pytest.mark.parametrize("option", ["--no-header", "--text-column x", "--limit 3"])
def test_without_a_table_nothing_says_how_it_is_read(option, directory, run, monkeypatch, tmp_path):
    monkeypatch.chdir(directory)
    out = str(tmp_path / "m.tflite")
    code, _, stderr = run("export", "--preset", "preset", "--out", out, *option.split())
    assert code == 2
    assert f"{option.split()[0]} is of tables that are read; give" in " ".join(stderr.split())
