"""A report as a table for the terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from keras_roberta.reports.contents import Row
from keras_roberta.reports.headings import heading, score_names


def as_table(rows: Sequence[Row], title: str | None = None) -> Table:
    """A rich table of the rows, with a column for each thing that was measured."""
    # Short heads, so that names and numbers fit a terminal of 80 columns.
    columns = [("weights", "", [row.quantization for row in rows])]
    columns += [
        (heading(name), ".3f", [row.scores.get(name) for row in rows]) for name in score_names(rows)
    ]
    columns += [
        ("agreement", ".3f", [row.agreement for row in rows]),
        ("change", ".2g", [row.largest_change for row in rows]),
        ("MB", ".2f", [row.megabytes for row in rows]),
        ("tokens", "", [row.sequence_length for row in rows]),
        ("thr.", "", [row.threads for row in rows]),
        ("ms", ".2f", [row.median_ms for row in rows]),
    ]
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    cells = [[Text(row.name)] for row in rows]
    for head, form, values in columns:
        if any(value is not None for value in values):
            table.add_column(head, justify="right", no_wrap=True)
            for row, value in zip(cells, values, strict=True):
                row.append("–" if value is None else format(value, form))
    for row in cells:
        table.add_row(*row)
    return table
