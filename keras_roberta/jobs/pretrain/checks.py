"""What can be told of a pre-training run before TensorFlow is imported."""

from __future__ import annotations

from pathlib import Path

from keras_roberta.config import SIZES
from keras_roberta.data.corpus.shards import Shards, open_shards
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.options import BUDGETS, RECIPES, PretrainingOptions
from keras_roberta.jobs.pretrain.plan import Plan
from keras_roberta.jobs.pretrain.run_directory import RunDirectory


def check_run(
    data: str | Path,
    out: str | Path,
    options: PretrainingOptions,
    *,
    overwrite: bool = False,
    on_corrupt: str = "raise",
    with_directory: bool = True,
) -> Shards:
    """Checks the options, the shards and the directory of a run; writes nothing.

    Args:
        with_directory: whether `out` is looked at, as only the chief does.

    Returns:
        the shards.

    Raises:
        InputError: names the file, option or value that does not fit.
    """
    options.stages()
    directory = RunDirectory(out)
    if options.preset is not None and Path(options.preset).resolve() == directory.path.resolve():
        raise InputError(f"{out}: is the preset to start from; give another --out")
    shards = open_shards(data, on_corrupt)
    Plan.of(options, shards)
    if with_directory:
        directory.check(options, shards, overwrite)
    return shards


def check_size_and_budget(given: dict, recipe: str | None) -> None:
    """Raises unless the size of a run and its end are said, each or by a recipe.

    Args:
        given: the options that were given, by name.
        recipe: the name of the one that was asked for.
    """
    if recipe is not None:
        return
    missing = []
    if not {"size", "preset"} & given.keys():
        missing.append(f"what to train: --size ({', '.join(SIZES)}) or --preset")
    if not set(BUDGETS) & given.keys():
        missing.append(f"how long: {', '.join(f'--{name}' for name in BUDGETS[:-1])} or --hours")
    if missing:
        raise InputError(
            f"say {', and '.join(missing)}; or take both from a --recipe ({', '.join(RECIPES)})"
        )
