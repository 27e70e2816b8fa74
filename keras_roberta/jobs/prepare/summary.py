"""What a user wants to know of shards: tokens, shares of languages, what was dropped, padding."""

from pathlib import Path

from keras_roberta.data.corpus.language_sampling import language_shares
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.pretraining.packed_rows import Rows


def summary(shards: str | Path, language_alpha: float) -> dict[str, int | float | str]:
    """Values by what they are called.

    Args:
        shards: their directory.
        language_alpha: the power of their tokens by which languages will be drawn.
    """
    shards = open_shards(shards)
    train = {name: count["tokens"] for name, count in shards.counts["train"].items()}
    held_out = sum(count["tokens"] for count in shards.counts["heldout"].values())
    values = {"training tokens": sum(train.values()), "held-out tokens": held_out}
    values |= {name.replace("_", " "): n for name, n in shards.manifest["dropped"].items()}
    if not held_out:
        values["held-out tokens"] = "0: too few documents, raise --heldout"
    if len(train) > 1:
        shares = language_shares(train, language_alpha)
        values |= {
            f"{name}: tokens, share drawn": f"{train[name]} {shares[name]:.3f}" for name in train
        }
    largest = max(train, key=train.get)
    for length in (128, 512):
        # Of one shard: planning a large corpus would take a while.
        rows = Rows(shards, "train", largest, "full-sentences", length, max_shards=1)
        values[f"padding in rows of {length}"] = round(rows.padding, 4)
    return values
