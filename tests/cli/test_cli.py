"""The command line, from its help to a model on disk."""

import json
import os
import subprocess
import sys

import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.errors import WorkerLostError

COMMANDS = (
    "demo",
    "tokenizer train",
    "prepare",
    "pretrain",
    "finetune",
    "evaluate",
    "predict",
    "compress trim",
    "export",
    "report",
    "convert",
    "sizes",
)


@pytest.fixture
def config(config):
    return config.replace(num_layers=1)


@pytest.fixture
def preset(tmp_path, config, tokenizer):
    """A pre-trained backbone without a head."""
    backbone = kr.RobertaBackbone(config)
    model = kr.RobertaTextClassifier(
        backbone, num_classes=2, preprocessor=RobertaPreprocessor(tokenizer, 32)
    )
    model.save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


@pytest.fixture
def train(tmp_path, sentiment):
    path = tmp_path / "train.tsv"
    rows = zip(*sentiment, strict=True)
    path.write_text("sentence\tlabel\n" + "".join(f"{t}\t{label}\n" for t, label in rows))
    return path


@pytest.fixture
def dev(tmp_path, train):
    path = tmp_path / "dev.tsv"
    path.write_text(train.read_text().replace("sentence", "content", 1))
    return path


def test_help_needs_no_tensorflow():
    commands = [[], *(name.split() for name in COMMANDS)]
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from keras_roberta.cli import app\n"
        f"for command in {commands!r}:\n"
        "    result = CliRunner().invoke(app, [*command, '--help'])\n"
        "    assert result.exit_code == 0 and 'Usage' in result.output, result.output\n"
        "    heavy = {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "    assert not heavy, (command, heavy)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_module_and_start_up_are_quiet(tmp_path):
    code = "from keras_roberta.cli import main; main(['finetune', '--preset', 'none', *{}])"
    (tmp_path / "a.tsv").write_text("text\tlabel\na\t0\nb\t1\n")
    arguments = ["--train", str(tmp_path / "a.tsv"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", code.format(arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: none: no such directory") and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def finetune_arguments(preset, train, out, *more):
    return ("finetune", "--preset", preset, "--train", train, "--out", out, *more)


@pytest.mark.parametrize(
    "content, more, message",
    [
        (None, (), "train.tsv: no such file"),
        ("", (), "train.tsv: the file is empty"),
        ("sentence\tlabel\n", (), "no rows"),
        ("sentence\tlabel\na\n", (), "line 2: 1 fields"),
        (b"sentence\tlabel\n\xe9\t1\n", (), "line 2: not UTF-8"),
        ("sentence\tscore\na\t1\n", ("--text-column", "sentence"), "no column 'label'"),
        ("a\tb\tlabel\na\tb\t1\nc\td\t0\n", (), "which column holds the texts? say --text-column"),
        ("sentence\tlabel\na\t1\nb\t0\n", ("--text-column", "text"), "there are sentence, label"),
        ("sentence\tlabel\na\t1\nb\t1\n", (), "holds a single label, '1'"),
        ("sentence\tlabel\na\t0\nb\t2\n", ("--num-classes", "2"), "label 2 is outside 0..1"),
        ("sentence\tlabel\na\tx\nb\ty\n", ("--task", "regress"), "expected a number, found 'x'"),
        (
            "sentence\tlabel\na\t0\nb\t1\n",
            ("--learning-rate", "0"),
            "--learning-rate must be positive",
        ),
        ("sentence\tlabel\na\t0\nb\t1\n", ("--dropout", "1"), "--dropout must be in [0, 1)"),
        ("sentence\tlabel\na\t0\nb\t1\n", ("--task", "clasify"), "did you mean classify?"),
        ("sentence\tlabel\na\t0\nb\t1\n", ("--epochs", "x"), "--epochs must be a whole number"),
    ],
)
def test_bad_tables_and_options(run, preset, tmp_path, content, more, message):
    path = tmp_path / "train.tsv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, stdout, stderr = run(*finetune_arguments(preset, path, tmp_path / "out", *more))
    assert (code, stdout) == (2, "")
    assert stderr.startswith("error: ") and message in stderr and stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_dev_file_with_other_names(run, preset, train, dev, tmp_path):
    arguments = finetune_arguments(
        preset, train, tmp_path / "out", "--dev", dev, "--text-column", "sentence"
    )
    code, _, stderr = run(*arguments)
    assert code == 2
    assert "no column 'sentence'; there are content, label" in stderr
    assert "--dev-text-column" in stderr


def test_missing_and_mangled_presets(run, preset, train, tmp_path):
    def finetune(source):
        return run(*finetune_arguments(source, train, tmp_path / "out"))

    code, _, stderr = finetune(tmp_path / "none")
    assert code == 2 and "no such directory" in stderr
    (preset / "config.json").write_text('{"model_type": ')
    code, _, stderr = finetune(preset)
    assert code == 2 and "config.json: not JSON" in stderr
    assert not (tmp_path / "out").exists()


def test_output_directory_that_exists(run, preset, train, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    code, _, stderr = run(*finetune_arguments(preset, train, tmp_path / "out"))
    assert code == 2 and "--overwrite" in stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_failure_leaves_nothing_behind(run, preset, train, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("it broke")

    monkeypatch.setattr("csv.DictWriter", fail)
    monkeypatch.delenv("KERAS_ROBERTA_DEBUG", raising=False)
    before = sorted(tmp_path.iterdir())
    code, _, stderr = run(*finetune_arguments(preset, train, tmp_path / "out", "--epochs", 1))
    assert code == 1
    assert "internal error: RuntimeError: it broke (set KERAS_ROBERTA_DEBUG=1" in stderr
    assert "Traceback" not in stderr
    assert sorted(tmp_path.iterdir()) == before


def test_debug_keeps_the_traceback(run, preset, train, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_roberta.data.examples.table_files.read_table", None)
    monkeypatch.setattr("keras_roberta.jobs.finetune.read_table", None)
    monkeypatch.setenv("KERAS_ROBERTA_DEBUG", "1")
    code, _, stderr = run(*finetune_arguments(preset, train, tmp_path / "out"))
    assert code == 1 and "Traceback" in stderr and "TypeError" in stderr


def test_interrupt(run, preset, train, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_roberta.jobs.finetune.read_table", interrupt)
    code, _, stderr = run(*finetune_arguments(preset, train, tmp_path / "out"))
    assert (code, stderr.splitlines()[-1]) == (130, "interrupted")
    assert "Traceback" not in stderr


def test_a_worker_that_has_gone(run, preset, train, tmp_path, monkeypatch):
    """The code by which a launcher knows that the same command may go on."""

    def lost(*_, **__):
        raise WorkerLostError("worker 1 (a:1) has gone")

    monkeypatch.setattr("keras_roberta.jobs.finetune.read_table", lost)
    found = run(*finetune_arguments(preset, train, tmp_path / "out"))
    assert found == (75, "", "error: worker 1 (a:1) has gone\n")


@pytest.mark.parametrize("unbuffered", ["1", ""])  # noticed while it writes; at the end
def test_a_reader_that_goes_away(unbuffered):
    """As in `keras-roberta predict … | head -1`: an end that is no success, without a word."""
    code = "from keras_roberta.cli import main; main(['--version'])"
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(("gpus", "batch_size"), [([], 64), (["a GPU"], 4096)])
def test_one_day_has_a_batch_for_the_device(run, tmp_path, monkeypatch, gpus, batch_size):
    class Ended(Exception):
        pass

    def pretrain(data, out, options, **_):
        raise Ended(options.largest_batch_size)

    monkeypatch.setattr("keras_roberta.cli.commands.pretrain.check_run", lambda *_, **__: None)
    monkeypatch.setattr("keras_roberta.jobs.pretrain.run.pretrain", pretrain)
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: gpus)
    arguments = ("pretrain", "--data", tmp_path, "--out", tmp_path / "out", "--size", "base")
    arguments += ("--hours", 1)
    _, _, stderr = run(*arguments)
    assert f"Ended: {batch_size} " in stderr
    # 4,096 does not divide into parts of at most 48, and nobody without a GPU asked for it.
    code, _, stderr = run(*arguments, "--micro-batch-size", 48)
    expected = (
        "--batch-size 4096: in the recipe's ramp at 0: 1024 does not" if gpus else "Ended: 64"
    )
    assert expected in stderr


def test_usage_errors(run):
    for arguments, message in (
        (("finetune",), "Missing option '--preset'; see keras-roberta finetune --help"),
        (("finetuen",), "No such command 'finetuen'"),
        (("finetune", "--epoch", "1"), "No such option: --epoch"),
    ):
        code, stdout, stderr = run(*arguments)
        assert (code, stdout) == (2, "") and stderr.count("\n") == 1
        assert stderr.startswith("error: ") and message in stderr
    code, _, stderr = run("demo", "--preset", "p")
    assert code == 2 and "--preset and --train and --dev: the three go together" in stderr
    code, _, stderr = run("demo", "--text-column", "x")
    assert code == 2 and stderr.startswith("error: --text-column is for a checkpoint and tables")
    code, _, stderr = run("predict", "--model", "none", "--text-column", "x", "a text")
    assert code == 2 and stderr.startswith("error: --text-column names a column of a table")
    code, _, stderr = run("convert", "--model", "none", "--out", "o", "--to", "kears")
    assert code == 2 and "--to 'kears': expected one of keras, hugging-face" in stderr
    assert "did you mean keras?" in stderr
    code, _, stderr = run("pretrain", "--data", "none", "--out", "o", "--size", "smal")
    assert code == 2 and "--size 'smal': expected one of tiny," in stderr
    assert "did you mean small?" in stderr
    code, _, stderr = run(
        "export", "--preset", "p", "--out", "a.tflite", "--sequence-lengths", "32,x"
    )
    assert code == 2 and "--sequence-lengths '32,x'" in stderr
    code, _, stderr = run("evaluate", "--model", "none.tflite", "--data", "none.tsv")
    assert code == 2 and stderr.startswith("error: none.tsv: no such file")


@pytest.mark.slow
def test_finetune_evaluate_predict_export_report(run, preset, train, dev, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run(
        *finetune_arguments(preset, train, out, "--dev", dev, "--dev-text-column", "content"),
        *("--text-column", "sentence", "--epochs", 12, "--learning-rate", "3e-3"),
        *("--sequence-length", 32, "--batch-size", 16, "--remat"),
        *("--dropout", "0.05"),
    )
    assert code == 0, stderr
    config = kr.RobertaBackbone.from_preset(out, load_weights=False).config
    assert config.remat and (config.dropout, config.attention_dropout) == (0.05, 0.05)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.9 and f"{metrics['accuracy']:.4f}" in stdout
    assert len((out / "history.csv").read_text().splitlines()) == 13

    code, stdout, _ = run("evaluate", "--model", out, "--data", dev, "--json")
    assert code == 0 and json.loads(stdout)["accuracy"] == metrics["accuracy"]

    code, stdout, _ = run("predict", "--model", out, "a fine film", "a dull film")
    labels = [line.split("\t")[0] for line in stdout.splitlines()]
    assert (code, labels) == (0, ["1", "0"])

    tflite, saved_model = tmp_path / "model.tflite", tmp_path / "saved"
    export = ("export", "--preset", out)
    of_tflite = ("--sequence-lengths", "16,32")
    on_ids = ("--format", "saved-model", "--inputs", "tokens")
    assert run(*export, *of_tflite, "--out", tflite)[0] == 0
    assert run(*export, *on_ids, "--out", saved_model)[0] == 0
    code, _, stderr = run(*export, *of_tflite, "--out", tflite)
    assert code == 2 and "--overwrite" in stderr
    code, _, stderr = run(*export, "--out", tmp_path / "b.tflite", "--top-k", 3)
    assert code == 2 and "--top-k: a RobertaTextClassifier has no such option" in stderr

    code, _, stderr = run("evaluate", "--model", saved_model, "--data", dev)
    assert code == 2 and "--tokenizer" in stderr
    for model, *tokenizer in ((tflite,), (saved_model, "--tokenizer", out)):
        exported = ("--model", model, *tokenizer, "--data", dev)
        code, stdout, stderr = run("evaluate", *exported, "--json")
        assert code == 0, stderr
        measured = json.loads(stdout)
        assert measured["accuracy"] == metrics["accuracy"]
        (matrix,), (threshold,) = measured["confusion"], measured["thresholds"]
        assert sum(map(sum, matrix["counts"])) == measured["rows"]
        assert [one["label"] for one in measured["classes"]] == ["0", "1"]
        assert (threshold["label"], threshold["chosen"]) == ("1", 0.5)
        table = tmp_path / "predictions.jsonl"
        predict = ("predict", *exported, "--text-column", "content", "--all-scores")
        assert run(*predict, "--out", table)[0] == 0
        first = json.loads(table.read_text().splitlines()[0])
        assert first["text"] == "a fine film" and first["label"] == "1"
        assert first["all_scores"]["1"] == first["score"] > first["all_scores"]["0"]

    code, stdout, stderr = run(
        *("report", tflite, saved_model, "--preset", out, "--data", dev),
        *("--out", tmp_path / "report"),
    )
    assert code == 0, stderr
    rows = json.loads((tmp_path / "report" / "report.json").read_text())["models"]
    assert [row["name"] for row in rows] == ["Keras", "model.tflite", "saved"]
    assert all(row["scores"]["accuracy"] == metrics["accuracy"] for row in rows)
    assert (tmp_path / "report" / "report.png").stat().st_size > 10_000


def test_a_masked_language_model_is_exported(run, config, tokenizer, tmp_path):
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=32)
    task = kr.RobertaMaskedLM(kr.RobertaBackbone(config), preprocessor=preprocessor)
    task.save_to_preset(tmp_path / "mlm")
    out, saved_model = tmp_path / "model.tflite", tmp_path / "1"
    for more in (
        ("--out", out, "--sequence-lengths", 16),
        ("--out", saved_model, "--format", "saved-model", "--inputs", "tokens",
         "--quantization", "int8"),
    ):  # fmt: skip
        code, _, stderr = run("export", "--preset", tmp_path / "mlm", "--top-k", 2, *more)
        assert code == 0, stderr
    assert export.read_metadata(saved_model)["quantization"] == "int8"
    assert export.read_metadata(saved_model)["schema"]["top_k"] == 2
    assert export.load(out).predict(["a <mask> film"])["tokens"].shape == (1, 1, 2)
    (tmp_path / "data.tsv").write_text("text\tlabel\na film\t1\n")
    code, _, stderr = run("evaluate", "--data", tmp_path / "data.tsv", "--model", out)
    assert code == 2 and "masked-tokens, which no column of labels can measure" in stderr
    for model in (out, tmp_path / "mlm"):
        code, stdout, stderr = run("predict", "a <mask> film", "--model", model)
        tokens, scores, *_, text = stdout.rstrip("\n").split("\t")
        assert code == 0 and text == "a <mask> film", stderr
        assert len(json.loads(tokens)) == len(json.loads(scores)) == 1  # a mask
        run("predict", "a <mask> film", "--model", model, "--out", tmp_path / "a.jsonl")
        (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
        assert json.loads(line)["tokens"] == json.loads(tokens)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--quantization", "int4"), "--quantization 'int4': a SavedModel has none, bfloat16,"),
        (("--lengths-from", "a.tsv"), "--lengths-from is for TFLite"),
        (("--sequence-lengths", "16"), "--sequence-lengths is for TFLite"),
    ],
)
def test_a_saved_model_takes_no_options_of_tflite(run, tmp_path, more, message):
    arguments = ("export", "--preset", tmp_path, "--out", tmp_path / "1")
    code, stdout, stderr = run(*arguments, "--format", "saved-model", *more)
    assert (code, stdout) == (2, "") and message in stderr and stderr.count("\n") == 1


def test_what_is_only_pretrained_is_to_be_finetuned(run, config, tokenizer, tmp_path, dev):
    """No command advises an option that it does not have."""
    backbone = kr.RobertaBackbone(config)
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=32)
    pretrainer = kr.RobertaPretrainer(backbone, ("sop",), preprocessor=preprocessor)
    pretrainer.save_to_preset(tmp_path / "run")
    masked_lm = kr.RobertaMaskedLM(kr.RobertaBackbone(config), preprocessor=preprocessor)
    masked_lm.save_to_preset(tmp_path / "mlm")
    for command in (
        ("evaluate", "--model", tmp_path / "run", "--data", dev),
        ("evaluate", "--model", tmp_path / "mlm", "--data", dev),
        ("predict", "--model", tmp_path / "run", "a film"),
        ("export", "--preset", tmp_path / "run", "--out", tmp_path / "model.tflite"),
    ):
        preset = command[2]
        code, stdout, stderr = run(*command)
        assert (code, stdout) == (2, "")
        assert f"fine-tune it first with `keras-roberta finetune --preset {preset}`" in stderr
        assert stderr.count("\n") == 1


def test_an_error_without_text_is_said(run, preset, train, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError

    monkeypatch.setattr("keras_roberta.jobs.finetune.read_table", fail)
    monkeypatch.delenv("KERAS_ROBERTA_DEBUG", raising=False)
    code, _, stderr = run(*finetune_arguments(preset, train, tmp_path / "out"))
    assert code == 1 and "internal error: RuntimeError: no message" in stderr


def test_paths_are_looked_at_before_tensorflow_loads(tmp_path):
    (tmp_path / "a.tsv").write_text("text\tlabel\na\t0\n")
    table = str(tmp_path / "a.tsv")
    commands = (
        ["finetune", "--preset", "none", "--train", table, "--out", "out"],
        ["finetune", "--preset", str(tmp_path), "--train", "none", "--out", "out"],
        ["finetune", "--preset", str(tmp_path), "--train", table, "--dev", "none", "--out", "out"],
        ["evaluate", "--model", "none", "--data", table],
        ["evaluate", "--model", "none.tflite", "--data", table],
        ["predict", "--model", "none", "text"],
        ["compress", "trim", "--preset", "none", "--corpus", table, "--out", "out"],
        ["export", "--preset", "none", "--out", "a.tflite"],
        ["convert", "--model", "none", "--out", "out"],
        ["pretrain", "--data", "none", "--out", "out", "--recipe", "one-day"],
        ["report", "none.tflite", "--preset", str(tmp_path), "--data", table, "--out", "out"],
        ["demo", "--preset", "none", "--train", table, "--dev", table],
    )
    code = (
        "import sys; from keras_roberta.cli import main\n"
        f"for arguments in {commands!r}:\n"
        "    try: main(arguments)\n"
        "    except SystemExit as end: assert end.code == 2, end.code\n"
        "    assert not {'tensorflow', 'keras'} & set(sys.modules), arguments\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(commands) and all(line.startswith("error: none") for line in lines)
