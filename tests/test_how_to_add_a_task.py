"""Following docs/how-to/add-a-task.md to the letter gives a task that all parts know."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import keras_roberta as kr

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/how-to/add-a-task.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```(\w+)(?: title="(.*?)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def apply(path, edit):
    """Replaces the lines behind "-" by those behind "+", each of which must be there once."""
    text = path.read_text(encoding="utf-8")
    for old, new in re.findall(r"^-(.*)\n((?:\+.*\n)+)", edit, re.MULTILINE):
        new = "\n".join(line[1:] for line in new.splitlines())
        assert text.count(old.strip("\n")) == 1, f"{path}: {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def copy(tmp_path):
    """The package with the page's files and edits."""
    shutil.copytree(ROOT / "keras_roberta", tmp_path / "site/keras_roberta",
                    ignore=shutil.ignore_patterns("__pycache__", "export"))  # fmt: skip
    shutil.copytree(ROOT / "export", tmp_path / "site/keras_roberta/export")
    touched = []
    for language, title, code in BLOCK.findall(PAGE):
        if language == "python":
            path = tmp_path / "site" / title
            assert not path.exists()
            path.write_text(code, encoding="utf-8")
        elif language == "diff":
            apply(tmp_path / "site" / title, code)
            touched.append(title)
    assert 0 < len(touched) <= 4
    return tmp_path / "site"


@pytest.mark.slow
def test_the_page(copy, config, tokenizer, sentiment, tmp_path):
    kr.RobertaBackbone(config).save_to_preset(tmp_path / "granite-30m")
    tokenizer.save(tmp_path / "granite-30m/assets/tokenizer")
    rows = "".join(f"{1 + 4 * label}\t{text}\n" for text, label in zip(*sentiment, strict=True))
    (tmp_path / "stars.tsv").write_text("label\ttext\n" + rows)
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    (commands,) = [code for language, _, code in BLOCK.findall(PAGE) if language == "sh"]
    printed = {}
    for line in commands.splitlines():
        arguments = shlex.split(line)[1:]
        run = subprocess.run(
            [sys.executable, "-m", "keras_roberta.cli", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert run.returncode == 0, f"{line}: {run.stderr}"
        printed.setdefault(arguments[0], []).append(run.stdout)
    assert "right" in printed["evaluate"][0] and "pearson" in printed["evaluate"][0]
    of_preset, of_file = printed["predict"]
    assert of_preset == of_file and of_preset.split()[0] in {"1", "2", "3", "4", "5"}
    assert (tmp_path / "report/report.json").exists() and (tmp_path / "report/report.png").exists()
