"""No file outside `tokenizers/` knows how a kind of tokenizer spells its tokens."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The demo trains its own tokenizer on purpose and says so.
FREE = ("keras_roberta/tokenizers/", "keras_roberta/demo/")
SOURCES = sorted(
    path
    for room in ("keras_roberta", "export")
    for path in (ROOT / room).rglob("*.py")
    if "keras_roberta/export/" not in path.as_posix()  # a link to export/
    and not path.relative_to(ROOT).as_posix().startswith(FREE)
)

KNOWS = re.compile(
    r"\u0120|\u2581"  # the letters for a space
    r"|(?i:\w*bpe\w*|\w*byte_level\w*|\w*byte_alphabet\w*|\w*unigram\w*|\w*wordlevel\w*)"
    r"|\bmerges\b"
    r"|RobertaTokenizer|SPECIAL_TOKENS"
    r"|\b(?:from|import) tokenizers\b"  # the library
    # Rooms of ours other than those that serve every kind.
    r"|keras_roberta\.tokenizers\.(?!(?:open|protocol|host|training|tokenizer_files|byte_buffer|texts"
    r"|offsets|special_token_layout|trimming|fairseq_dictionary|fairseq_files|keras_hub_files)\b)\w+"
)
ALLOWED = {
    "keras_roberta/__init__.py": {"RobertaTokenizer"},  # the list of public names
}


def knowledge(source):
    """What of a kind the code of a file holds, its comments and docstrings left aside."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not _is_string(s)] or [ast.Pass()]
    return set(KNOWS.findall(ast.unparse(tree)))


def _is_string(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_outside_knows_the_kind(path):
    found = knowledge(path.read_text("utf-8"))
    assert found <= ALLOWED.get(path.relative_to(ROOT).as_posix(), set())


@pytest.mark.parametrize(
    "code",
    [
        "x = token.startswith('\u0120')",
        "from tokenizers import Tokenizer",
        "import tokenizers",
        "rust = models.BPE(vocab)",
        "pairs = tokenizer.merges",
        "isinstance(tokenizer, keras_roberta.RobertaTokenizer)",
        "from keras_roberta.tokenizers.kinds.words import WORDS",
        "from keras_roberta.tokenizers.in_graph import BatchedTokenizer",
        "if tokenizer.kind_name == 'Unigram': pass",
    ],
)
def test_such_code_is_found(code):
    assert knowledge(code)
    assert not knowledge("def f():\n    'As `RobertaTokenizer`.'  # a BPE\n    open_tokenizer(1)")
