"""The exports of a search as an HTML page that needs no other file."""

import base64
from html import escape
from io import BytesIO
from pathlib import Path

from keras_roberta.files.atomic_write import atomic_directory, atomic_file
from keras_roberta.reports.variants import Search
from keras_roberta.reports.write import JSON_NAME, PICTURE_NAME, write_json

PAGE_NAME = "report.html"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em;
  color: #222; }
h1 { font-size: 1.3em; } h2 { font-size: 1.05em; margin-top: 2em; }
table { border-collapse: collapse; }
th, td { padding: 0.2em 0.9em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
tr.chosen { background: #f6e3e2; font-weight: 600; }
img { max-width: 100%; }
"""
_PROFILER = (
    "These are the operations of the longest encoder, each kind run by itself on random numbers, "
    "without a time where LiteRT does not run it so. Some are computed together with the one in "
    "front, and take less in the file. Google's <code>benchmark_model</code> measures them there, "
    "on a phone too: <code>benchmark_model --graph=model.tflite --enable_op_profiling=true</code>"
)
_SHOWN = 12  # operations; the others follow in one line


def write_search(directory: str | Path, search: Search) -> None:
    """Writes `report.json`, `report.png` and `report.html` into a directory."""
    from keras_roberta.reports.variants_picture import draw_variants  # Matplotlib: slow to import

    picture = BytesIO()
    draw_variants(picture, search)
    with atomic_directory(directory, last=JSON_NAME) as temporary:
        (temporary / PICTURE_NAME).write_bytes(picture.getvalue())
        with atomic_file(temporary / PAGE_NAME) as path:
            path.write_text(page(search, picture.getvalue()), encoding="utf-8")
        write_json(temporary / JSON_NAME, search.to_dict())


def page(search: Search, picture: bytes) -> str:
    """The page.

    Args:
        picture: a PNG, which goes into the page.
    """
    image = base64.b64encode(picture).decode()
    parts = [
        f"<h1>{escape(search.title)}</h1>",
        f"<p>{escape(search.reason)}</p>",
        f'<img alt="score against size and against time" src="data:image/png;base64,{image}">',
        "<h2>What was tried</h2>",
        _variants(search),
        "<h2>What each does</h2>",
        _summaries(search),
    ]
    if search.signatures:
        times = [(name, f"{ms:.2f}") for name, ms in search.signatures.items()]
        parts += [
            "<h2>The parts of the chosen file</h2>",
            _table(("signature", "ms"), times),
        ]
    if search.operators:
        parts += ["<h2>Its operations</h2>", _operators(search), f"<p>{_PROFILER}</p>"]
    facts = [(name.replace("_", " "), str(value)) for name, value in search.facts.items()]
    parts += ["<h2>How it was measured</h2>", _table((), facts)]
    title = escape(search.title)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n"
    )


def _variants(search):
    heads, columns = zip(*search.columns(), strict=True)
    chosen = search.chosen
    marked = 1 + search.variants.index(chosen) if chosen else None
    return _table(heads, list(zip(*columns, strict=True)), marked)


def _operators(search):
    total = sum(one["milliseconds"] or 0.0 for one in search.operators) or 1.0
    first, rest = search.operators[:_SHOWN], search.operators[_SHOWN:]
    rows = [
        (one["name"], " × ".join(map(str, one["shape"])), one["count"], one["milliseconds"])
        for one in first
    ]
    if rest:
        others = sum(one["milliseconds"] or 0.0 for one in rest)
        rows.append(("others", "", sum(one["count"] for one in rest), others))
    return _table(
        ("operation", "result", "number", "ms of all", "share"),
        [
            (
                name,
                shape,
                str(count),
                *(("", "") if ms is None else (f"{ms:.2f}", f"{ms / total:.0%}")),
            )
            for name, shape, count, ms in rows
        ],
    )


def _summaries(search):
    rows = [
        (one.name, one.summary + (f". No file: {one.refused}" if one.refused else ""))
        for one in search.variants
    ]
    return "<ul>" + "".join(
        f"<li><b>{escape(name)}</b>: {escape(text)}</li>" for name, text in rows
    ) + "</ul>"  # fmt: skip


def _table(heads, rows, marked=None):
    lines = ["<table>"]
    if heads:
        lines.append("<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>")
    for number, row in enumerate(rows):
        style = ' class="chosen"' if number == marked else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{style}>{cells}</tr>")
    return "\n".join([*lines, "</table>"])
