"""Packed rows, read and written by number."""

import numpy as np
import pytest

from keras_roberta.data.pretraining.packed_rows import Rows
from keras_roberta.data.pretraining.packing import PACKINGS

SPECIALS = 0, 2  # <s>, </s>
PAD = 1


def written(rows, number, length=48):
    ids, blocks = np.full(length, PAD, np.int32), np.zeros(length, np.int32)
    assert rows.write(rows.segments(number), SPECIALS, ids, blocks)
    return ids, blocks


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_said_of_all_rows_is_true_of_each(shards, packing):
    rows = Rows(shards, "train", "en", packing, 48)
    segments = [rows.segments(number) for number in range(rows.num_rows)]
    assert rows.num_pairs == sum(len(of_row) == 2 for of_row in segments)
    assert len({file for of_row in segments for file, *_ in of_row}) > 1
    padding = np.mean([written(rows, number)[0] == PAD for number in range(rows.num_rows)])
    assert rows.padding == pytest.approx(padding, abs=1e-9)


@pytest.mark.parametrize("packing", PACKINGS)
def test_special_tokens_of_a_row(shards, packing):
    """As `packing.py` draws them."""
    rows = Rows(shards, "train", "en", packing, 48)
    for number in range(rows.num_rows):
        count = len(rows.segments(number))
        between = "2" if packing == "full-sentences" else "20"
        if packing in ("segment-pair", "sentence-pair"):
            between = "22"
        ids, blocks = written(rows, number)
        kept = ids[ids != PAD]
        special = "".join(str(i) if i in SPECIALS else "." for i in kept)
        shape = "".join(
            part for i, part in enumerate(special) if part != "." or i == 0 or special[i - 1] != "."
        )
        assert shape == "0" + (f".{between}" * count)[: -len(between)] + "2"
        assert (blocks > 0).sum() == len(kept) and set(blocks) - {0} == set(range(1, count + 1))
        assert (ids[np.flatnonzero(np.diff(blocks, append=0))] == 2).all()


def test_rows_that_are_pairs_alone(shards):
    whole = Rows(shards, "train", "en", "segment-pair", 48)
    pairs = Rows(shards, "train", "en", "segment-pair", 48, pairs_only=True)
    assert pairs.num_rows == whole.num_pairs < whole.num_rows
    assert all(len(pairs.segments(number)) == 2 for number in range(pairs.num_rows))
    assert pairs.padding == whole.padding  # "in all rows of the packing"


def test_rows_of_the_first_shards(shards):
    whole = Rows(shards, "train", "en", "full-sentences", 48)
    first = Rows(shards, "train", "en", "full-sentences", 48, max_shards=1)
    assert 0 < first.num_rows < whole.num_rows
    numbers = range(first.num_rows)
    assert list(map(first.segments, numbers)) == list(map(whole.segments, numbers))


@pytest.mark.parametrize("num_rows", [0, 1, 2, 7, 8])
def test_partners_are_each_others(num_rows):
    rows = Rows.__new__(Rows)  # only the number of rows counts
    rows.num_rows = num_rows
    numbers = np.arange(num_rows)
    partners = rows.partners(numbers)
    np.testing.assert_array_equal(rows.partners(partners), numbers)
    alone = numbers[partners == numbers].tolist()
    assert alone == ([num_rows - 1] if num_rows % 2 else [])
