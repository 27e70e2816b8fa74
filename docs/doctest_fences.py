"""For mkdocstrings: examples of docstrings (`>>> …`) as blocks of code.

Griffe knows them only below a heading "Examples:"; elsewhere Markdown would take them for
quotations.
"""

import re

import griffe


class DoctestFences(griffe.Extension):
    def on_object(self, *, obj, **kwargs):
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """Fences around each run of lines from a `>>>` to the next empty line."""
    lines, inside, fence = [], False, False
    for line in docstring.splitlines():
        fence ^= line.lstrip().startswith("```")
        if not inside and not fence and line.startswith(">>> "):
            lines += ["", "```pycon"]
            inside = True
        elif inside and not line.strip():
            lines += ["```"]
            inside = False
        lines.append(re.sub(r"\s*# doctest: .*", "", line) if inside else line)
    return "\n".join(lines + ["```"] * inside)
