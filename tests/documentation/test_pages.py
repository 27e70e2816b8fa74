"""Blocks say why they are not run; the names, links, options and decisions of pages exist."""

import importlib.util
import re
import runpy

import pytest
from documentation_pages import BLOCKS, DOCS, PAGES, READ, ROOT, RUN, commands_of

import keras_roberta as kr
from keras_roberta import export


def test_every_block_is_run_or_says_why_not():
    for page, blocks in BLOCKS.items():
        assert PAGES[page].count("```") == 2 * len(blocks), f"{page}: an unclosed block"
        for block in blocks:
            assert block.language in (*RUN, *READ), f"{page}: {block}"
            assert block.not_run is None or len(block.not_run) > 10, f"{page}: {block}"
            for test in re.findall(r"tests/\S+\.py", block.not_run or ""):
                assert (ROOT / test).exists(), f"{page}: {block}"
        assert not hidden_commands(PAGES[page]), page


def hidden_commands(text):
    """Commands in indented paragraphs, which no test would run."""
    outside = re.sub(r"^[ ]*```.*?```$", "", text, flags=re.DOTALL | re.MULTILINE)
    command = r"^ {4,}(?:\$ )?(?:keras-roberta|python|pip|docker|make) .*$"
    return re.findall(command, outside, re.MULTILINE)


def test_hidden_commands_are_found():
    fenced = "```sh\n    make demo\n```\n"
    text = f"Some words.\n\n{fenced}\n    $ make demo\n\n    keras-roberta demo --seed 1\n"
    assert hidden_commands(text) == ["    $ make demo", "    keras-roberta demo --seed 1"]
    assert not hidden_commands(f"Run make demo:\n\n{fenced}")


def test_options_of_commands_that_are_not_run(run, monkeypatch):
    """Not run, but options that are gone would be noticed."""
    monkeypatch.setenv("COLUMNS", "200")
    checked = 0
    for page, blocks in BLOCKS.items():
        for block in blocks:
            elsewhere = block.not_run is None or block.not_run.startswith("run by ")
            if block.language != "sh" or elsewhere or block.code.startswith("#!"):
                continue
            for words in commands_of(block):
                if words[0] == "keras-roberta":
                    words = words[words.index("--") + 1 :] if "--" in words else words[1:]
                    assert not unknown_options(words, run), (page, words)
                    checked += 1
    assert checked >= 3


def unknown_options(words, run):
    """The options of a command that its help does not have, as whole words."""
    subcommands = 2 if words[0] in ("tokenizer", "compress") else 1
    code, text, _ = run(*words[:subcommands], "--help")
    assert code == 0, words
    known = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))
    return {word.partition("=")[0] for word in words if word.startswith("--")} - known


def test_unknown_options_are_found(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = "tokenizer train --corpus text/ --vocab-size 300 --out tok/".split()
    assert not unknown_options(words, run)
    words[4] = "--vocab"  # the beginning of one
    assert unknown_options(words, run) == {"--vocab"}


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_links_of_pages_outside_the_site():
    """Those in docs/ are checked by `mkdocs build --strict`."""
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", PAGES[page]):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{page}: {target}"


def test_files_that_pages_name_exist():
    rooms = sorted(p.name for p in (ROOT / "keras_roberta").iterdir() if p.is_dir())
    places = rf"(?:keras_roberta|export|tests|benchmarks|examples|docs|{'|'.join(rooms)})"
    named = rf"(?:`|(?:python3?|python3\.11) )({places}/[\w./-]*\w)"
    for page, text in PAGES.items():
        if page == "CHANGELOG.md" or page.startswith("docs/how-to/"):  # files before, files to add
            continue
        for path in re.findall(named, text):
            found = [(root / path).exists() for root in (ROOT, ROOT / "keras_roberta")]
            assert any(found), f"{page}: {path}"


def test_the_tree_of_the_architecture():
    rooms = runpy.run_path(str(ROOT / "tests/test_architecture.py"))["ROOMS"]
    tree = re.findall(r"^  (\w+)(?:/|\.py)", PAGES["docs/architecture.md"], re.MULTILINE)
    assert tree == rooms[::-1]


def test_every_decision_is_listed_and_has_a_number_of_its_own():
    index = " ".join(PAGES["docs/decisions/index.md"].split())
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(path.name[:3]) for path in pages] == list(range(1, len(pages) + 1))
    for path in pages:
        assert f"[{path.read_text('utf-8').splitlines()[0][2:]}]({path.name})" in index


def test_every_public_name_is_in_the_reference():
    reference = "".join(text for page, text in PAGES.items() if "/reference/" in page)
    documented = {name.rsplit(".", 1)[1] for name in re.findall(r"^::: (\S+)", reference, re.M)}
    assert {*kr.__all__, *export.__all__} <= documented


def test_examples_in_docstrings_are_blocks_in_the_reference():
    pytest.importorskip("griffe")
    spec = importlib.util.spec_from_file_location("doctest_fences", DOCS / "doctest_fences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "A sum.\n\n>>> 1 + 1  # doctest: +SKIP\n2\n\nArgs:\n    x: of `>>> 1`."
    fenced = "A sum.\n\n\n```pycon\n>>> 1 + 1\n2\n```\n\nArgs:\n    x: of `>>> 1`."
    assert module.fenced(text) == fenced
    assert module.fenced(">>> 2") == "\n```pycon\n>>> 2\n```"
