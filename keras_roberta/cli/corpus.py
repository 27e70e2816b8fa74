"""The options that say how a corpus lies in files, shared by the commands that read one."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

Corpus = Annotated[Path, Option(help="Text: a file, or a directory; .txt, .jsonl, also .gz, .zst.")]
Documents = Annotated[
    Literal["file", "block", "line"],
    Option(help="What is a document in text files; a block stands between blank lines."),
]
LanguagesFrom = Annotated[
    Literal["none", "folder", "file", "field"],
    Option(help="What names a text's language: the first folder, the file, a JSON field."),
]
TextField = Annotated[str, Option(help="Field of the texts in JSON lines.")]
LanguageField = Annotated[str, Option(help="Field of the languages in JSON lines.")]
LanguageAlpha = Annotated[
    float, Option(min=0, max=1, help="Languages are drawn by size to this power: 1 as they come.")
]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what is in --out.")]
