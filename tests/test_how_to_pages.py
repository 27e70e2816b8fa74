"""Following a page of docs/how-to to the letter, in a copy of the package, gives what it says.

Blocks with a title are files to add (`python`) and changes to files that are there (`diff`). Blocks
of `sh` and `python` without a title are what the page then tries; they run in one process.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest

import keras_roberta as kr

ROOT = pathlib.Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r'^([ ]*)```(\w+)(?: title="(.*?)")?\n(.*?)^\1```$', flags=re.DOTALL | re.MULTILINE
)

# How many files that are there a page may change.
CHANGED = {"add-a-task": 4, "add-a-tokenizer": 2, "add-a-quantisation": 2, "add-an-option": 2}

# Runs the steps of a page, and prints as JSON what each of them printed.
DRIVER = """
import contextlib, io, json, sys
from keras_roberta.cli import main
printed, names = [], {}
for language, step in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if language == "python":
            exec(compile(step, "the page", "exec"), names)
        else:
            try:
                main(step)
            except SystemExit as end:
                assert not end.code, (step, end.code)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


def blocks(page):
    text = (ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8")
    for _, language, title, code in BLOCK.findall(text):
        yield language, title, textwrap.dedent(code)


def apply(path, edit):
    """Replaces each line behind "-", which must be there once, by the lines behind "+" below it."""
    text = path.read_text(encoding="utf-8")
    for old, new in re.findall(r"^-(.*)\n((?:\+.*\n)+)", edit, re.MULTILINE):
        new = "\n".join(line[1:] for line in new.splitlines())
        assert text.splitlines().count(old) == 1, f"{path}: {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def copy_with_changes(page, site):
    """The package in the directory `site`, with the page's files and changes."""
    ignore = shutil.ignore_patterns("__pycache__", "export")
    shutil.copytree(ROOT / "keras_roberta", site / "keras_roberta", ignore=ignore)
    shutil.copytree(ROOT / "export", site / "keras_roberta/export")
    changed = set()
    for language, title, code in blocks(page):
        if not title:
            continue
        path = site / re.sub(r"^export/", "keras_roberta/export/", title)
        if language == "diff":
            apply(path, code)
            changed.add(title)
        else:
            assert not path.exists(), f"{title} is there already"
            path.write_text(code, encoding="utf-8")
    assert 0 < len(changed) <= CHANGED[page]


@pytest.fixture
def follow(config, tokenizer, sentiment, tmp_path):
    """What the steps of a page print, in order: of the steps tried in a directory with a
    checkpoint, a classifier and tables."""

    def follow(page):
        copy_with_changes(page, tmp_path / "site")
        steps = []
        for language, title, code in blocks(page):
            if language == "python" and not title:
                steps.append((language, code))
            elif language == "sh":
                lines = code.replace("\\\n", " ").splitlines()
                steps += [("sh", shlex.split(line)[1:]) for line in lines]
        run = subprocess.run(
            [sys.executable, "-c", DRIVER],
            input=json.dumps(steps),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout.splitlines()[-1])

    texts, labels = sentiment
    backbone = kr.RobertaBackbone(config)
    backbone.save_to_preset(tmp_path / "granite-30m")
    tokenizer.save(tmp_path / "granite-30m/assets/tokenizer")
    preprocessor = kr.RobertaPreprocessor(tokenizer, 32, labels=["bad", "good"])
    kr.RobertaTextClassifier(backbone, 2, preprocessor).save_to_preset(tmp_path / "run")
    stars = "".join(f"{1 + 4 * label}\t{text}\n" for text, label in zip(texts, labels, strict=True))
    (tmp_path / "stars.tsv").write_text("label\ttext\n" + stars)
    rows = "".join(f"{label}\t{text}\n" for text, label in zip(texts, labels, strict=True))
    (tmp_path / "train.tsv").write_text("label\ttext\n" + rows)
    (tmp_path / "text").mkdir()
    (tmp_path / "text/a.txt").write_text(
        "\n\n".join(f"{t}. It is {i}." for i, t in enumerate(texts))
    )
    return follow


@pytest.mark.slow
def test_add_a_task(follow, tmp_path):
    _, evaluated, of_preset, _, of_file, _ = follow("add-a-task")
    assert "right" in evaluated and "pearson" in evaluated
    assert of_preset == of_file and of_preset.split()[0] in {"1", "2", "3", "4", "5"}
    assert (tmp_path / "report/report.json").exists() and (tmp_path / "report/report.png").exists()


@pytest.mark.slow
def test_add_a_tokenizer(follow, tmp_path):
    tried, _ = follow("add-a-tokenizer")
    assert tried.splitlines() == ["WordPiece", "a fine film"]
    manifest = json.loads((tmp_path / "piece-shards/manifest.json").read_text())
    assert manifest


@pytest.mark.slow
def test_add_a_quantisation(follow, tmp_path):
    tried = follow("add-a-quantisation")
    assert tried[-1].strip() == "float16-plain"
    assert (tmp_path / "film.tflite").exists()


@pytest.mark.slow
def test_add_an_option(follow, tmp_path):
    shown, *_ = follow("add-an-option")
    assert "--clip-norm" in shown and "Bound on the norm of all gradients together." in shown
    assert (tmp_path / "clipped/config.json").exists()
