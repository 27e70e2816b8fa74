"""`keras-roberta sizes`"""

from typing import Annotated

from typer import Option

from keras_roberta.config import SIZES, RobertaConfig

_COLUMNS = ("size", "layers", "width", "heads", "feed-forward", "vocabulary", "parameters", "GB")


def sizes(
    vocabulary_size: Annotated[
        int | None, Option(help="Rows of the token embedding, in place of each size's own.", min=3)
    ] = None,
):
    """List the sizes that have a name, with their parameters; GB are those of weights in float32.

    Example: keras-roberta sizes
    """
    from rich.console import Console
    from rich.table import Table

    changes = {} if vocabulary_size is None else {"vocabulary_size": vocabulary_size}
    table = Table(box=None)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == _COLUMNS[0] else "right")
    for name in SIZES:
        config = RobertaConfig.named(name, **changes)
        numbers = (
            *(config.num_layers, config.hidden_dim, config.num_heads, config.intermediate_dim),
            config.vocabulary_size,
        )
        parameters = config.encoder_parameters
        sizes = f"{parameters / 1e6:,.0f} M", f"{4e-9 * parameters:,.2f}"
        table.add_row(name, *(f"{number:,}" for number in numbers), *sizes)
    Console().print(table)
