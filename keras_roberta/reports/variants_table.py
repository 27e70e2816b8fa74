"""The exports of a search as a table for the terminal."""

from rich.table import Table
from rich.text import Text

from keras_roberta.reports.variants import Search


def variants_table(search: Search) -> Table:
    """A row for the task in Keras and for each file."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    columns = search.columns()
    for number, (head, _) in enumerate(columns):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for cells in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*map(Text, cells))
    return table
