"""Results on stdout."""

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_values(values, as_json=False):
    """A dict of results, one a line; or as a JSON object."""
    if as_json:
        print(json.dumps(values))
        return
    table = Table(show_header=False, box=None)
    for name, value in values.items():
        table.add_row(Text(name), Text(f"{value:.4f}" if isinstance(value, float) else str(value)))
    Console().print(table)
