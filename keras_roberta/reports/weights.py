"""What the weights of `.tflite` files are made of, as a table for the terminal."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from keras_roberta.export.compression import WeightsOfFile

_SPEED = "As fast as before: XNNPACK multiplies dense matrices, whatever they hold."


def weights_table(found: Mapping[str, WeightsOfFile | str]) -> Table:
    """A row for each file, by its name; a reason in place of numbers where there is none."""
    table = Table(box=None, padding=(0, 1, 0, 0), caption=_SPEED, caption_justify="left")
    table.add_column("", no_wrap=True)
    for head in ("MB", "zipped", "zeros", "in tables", "values a row", "values"):
        table.add_column(head, justify="right")
    for name, weights in found.items():
        if isinstance(weights, str):
            table.add_row(Text(name), Text(weights))
            continue
        table.add_row(
            Text(name),
            f"{weights.megabytes:.2f}",
            f"{weights.megabytes_zipped:.2f}",
            f"{weights.zeros:.1%}",
            f"{weights.zeros_of_tables:.1%}",
            f"{weights.values_a_row:,}",
            f"{weights.distinct_values:,}",
        )
    return table
