"""Results on stdout."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_roberta.reports.write import json_text


def print_json(values):
    """A JSON object on a line; what is not a finite number becomes null."""
    print(json_text(values))


def print_values(values):
    """A dict of results, one a line."""
    table = Table(show_header=False, box=None)
    for name, value in values.items():
        table.add_row(Text(name), Text(f"{value:.4f}" if isinstance(value, float) else str(value)))
    Console().print(table)


def print_tables(tables):
    """Rich tables by title, each below an empty line."""
    for title, table in tables.items():
        Console().print(Text(f"\n{title}"))
        Console().print(table)
