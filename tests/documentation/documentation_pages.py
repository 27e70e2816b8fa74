"""The pages of the documentation and their fenced blocks."""

import dataclasses
import pathlib
import re
import shlex
import textwrap

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md"))]
}
# Languages whose blocks are programs; those of the others are read only.
RUN = ("python", "sh")
READ = ("text", "json", "kotlin", "yaml", "pycon", "diff", "toml", "textproto")


@dataclasses.dataclass
class Block:
    """A fenced block: its language, its content, and why it is not run (None where it is)."""

    language: str
    code: str
    not_run: str | None


def blocks_of(text):
    pattern = r"(?:<!-- not run: ([^\n]*?) -->\n\s*)?^([ ]*)```(\w*)[^\n]*\n(.*?)^\2```$"
    elsewhere = re.match(r"<!-- (run by tests/\S+) -->\n", text)
    found = []
    for reason, _, language, code in re.findall(pattern, text, re.DOTALL | re.MULTILINE):
        reason = reason or (elsewhere and elsewhere[1]) or None
        found.append(Block(language, textwrap.dedent(code), reason))
    return found


BLOCKS = {page: blocks_of(text) for page, text in PAGES.items()}


def commands_of(block):
    """The lines of a `sh` block as lists of words; comments and continued lines are joined."""
    lines = block.code.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]
