"""Whether a run that is there is the one that is asked for."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError

WAY_OUT = "give another --out, or --overwrite to start anew"


def refuse_other_options(
    directory: Path,
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    may_differ: Collection[str] = (),
) -> None:
    """Raises unless a run was begun with the same options.

    Args:
        directory: of the run, for the message.
        then, now: options by name, as JSON holds them.
        may_differ: those that may differ.

    Raises:
        InputError: names the first other option and both values.
    """
    for name in {**then, **now}:
        if name not in may_differ and then.get(name) != now.get(name):
            raise InputError(
                f"{directory}: a run with {name} {then.get(name)}, not {now.get(name)}; give the "
                f"same to go on with it; else {WAY_OUT}"
            )
