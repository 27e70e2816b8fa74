"""The wheel holds all packages, `export/` among them."""

import ast
import configparser
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import pytest

from keras_roberta.files.atomic_write import atomic_directory, atomic_file

ROOT = pathlib.Path(__file__).resolve().parents[1]

PROBE = """
import pathlib, keras_roberta, keras_roberta.export, keras_roberta.cli
import keras_roberta.models.roberta_backbone
print(pathlib.Path(keras_roberta.__file__).parents[1])
print(pathlib.Path(keras_roberta.export.__file__).parents[2])
"""


def test_the_wheel_alone_imports(tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("keras_roberta", "export"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    packages = {p.parent.relative_to(site).as_posix() for p in site.rglob("__init__.py")}
    sources = {
        p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "keras_roberta").rglob("__init__.py")
    }
    of_export = [p.parent.relative_to(ROOT) for p in (ROOT / "export").rglob("__init__.py")]
    assert packages == sources | {f"keras_roberta/{place.as_posix()}" for place in of_export}
    # Type checkers use the hints of the package and of all within it (PEP 561).
    assert (site / "keras_roberta/py.typed").exists()
    environment = {**os.environ, "PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"}
    output = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert output.stdout.split() == [str(site)] * 2, output.stderr


# Modules whose names are not those of their distributions.
MODULES = {
    "backports.zstd": "backports",
    "google-crc32c": "google_crc32c",
    "scikit-learn": "sklearn",
}
# Imported where it is chosen: Beam as a runner, JAX as Keras' backend.
CHOSEN = {"apache_beam", "jax"}
# Imported by KerasHub, which does not ask for it; `startup` keeps it quiet.
OF_KERAS_HUB = {"tensorflow_text"}


def test_what_is_required_is_imported():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].split("\n")
    names = [re.match(r"[\w.-]+", line)[0] for line in lines if line.strip()]
    required = {MODULES.get(name, name.replace("-", "_")) for name in names}
    imported = set()
    for path in [*(ROOT / "keras_roberta").rglob("*.py"), *(ROOT / "export").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    imported -= {*sys.stdlib_module_names, *CHOSEN, "keras_roberta"}
    assert imported | OF_KERAS_HUB == required


def test_atomic_writes_leave_nothing_behind(tmp_path):
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "a.bin") as path:
        path.write_text("half")
        raise RuntimeError
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "d") as path:
        (path / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with atomic_directory(tmp_path / "d") as path:
        (path / "sub").mkdir()
        (path / "sub" / "x").write_text("1")
    (tmp_path / "d" / "mine").write_text("kept")
    with atomic_directory(tmp_path / "d") as path:
        (path / "sub").mkdir()
        (path / "sub" / "x").write_text("2")
    assert (tmp_path / "d" / "sub" / "x").read_text() == "2"
    assert (tmp_path / "d" / "mine").read_text() == "kept"
    with atomic_file(tmp_path / "new" / "a.bin") as path:
        path.write_text("whole")
    assert (tmp_path / "new" / "a.bin").read_text() == "whole"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "new"]


@pytest.mark.parametrize("first", [True, False])
def test_late_imports_are_said(first):
    """TensorFlow reads oneDNN's variable when it is imported."""
    code = (
        "import logging, sys, types\n"
        "logging.basicConfig(level=logging.INFO)\n"
        f"if not {first}: sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        "import keras_roberta\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    expected = platform.machine() in ("x86_64", "AMD64") and not first
    assert ("TF_ENABLE_ONEDNN_OPTS" in run.stderr) == expected
