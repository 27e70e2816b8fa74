"""How the command `prepare` runs, and what it says at its end."""

import dataclasses

from keras_roberta.data.language_alpha import LANGUAGE_ALPHA
from keras_roberta.options import Options, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareRunOptions(Options):
    """Of `keras-roberta prepare`; the shards are the same whatever these are."""

    group = "Running"

    language_alpha: float = option(
        LANGUAGE_ALPHA,
        "For the summary: languages are drawn by size to this power.",
        at_least=0,
        at_most=1,
    )
    processes: int | None = option(
        None, "Processes, on this machine.", at_least=1, shown_default="one a core"
    )
