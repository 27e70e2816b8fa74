"""Rows of ids as batches and the outputs of batches as one, by hand."""

import numpy as np

from keras_roberta.export.padded_rows import as_features, cut, in_batches, reordered, stacked


def test_rows_as_features():
    features = as_features([[0, 2], [0, 7, 8, 2]], pad_token_id=3, length=5)
    assert features["token_ids"].tolist() == [[0, 2, 3, 3, 3], [0, 7, 8, 2, 3]]
    assert features["padding_mask"].tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]
    assert {array.dtype for array in features.values()} == {np.dtype("int32")}
    assert as_features([[0, 2], [0, 7, 2]], 1)["token_ids"].shape == (2, 3)


def test_rows_of_like_length_are_run_together_and_come_back_in_order():
    """Up to 16 tokens, up to 32, up to 64: lengths of a batch differ by a factor of two at most."""
    rows = [[0, *range(5, 5 + n), 2] for n in (20, 1, 60, 14, 15, 30, 31, 0)]
    seen = []

    def run(features):
        ids, mask = features["token_ids"], features["padding_mask"]
        seen.append(mask.sum(axis=1).tolist())
        assert (ids[mask == 0] == 9).all()
        sums = (ids * mask).sum(axis=1)
        return {"sum": sums, "tokens": ids}

    found = in_batches(run, rows, 9, ragged=("tokens",))
    assert seen == [[22, 17, 32], [3, 16, 2], [62, 33]]
    assert found["sum"].tolist() == [sum(row) for row in rows]
    assert [
        ids[: len(row)].tolist() for ids, row in zip(found["tokens"], rows, strict=True)
    ] == rows
    found = cut(found, ("tokens", "missing"), list(map(len, rows)))
    assert [ids.tolist() for ids in found["tokens"]] == rows
    assert found["sum"].tolist() == [sum(row) for row in rows]


def test_shorter_outputs_are_filled_up_unless_they_are_ragged():
    first = {"a": np.array([[1, 2]]), "b": np.array([["x"]], object), "c": np.ones((1, 2))}
    second = {
        "a": np.array([[3, 4, 5]]),
        "b": np.array([["y", "z"]], object),
        "c": np.ones((1, 3)),
    }
    found = stacked([first, second], ragged=("c",))
    assert found["a"].tolist() == [[1, 2, 0], [3, 4, 5]]
    assert found["b"].tolist() == [["x", ""], ["y", "z"]]
    assert [row.shape for row in found["c"]] == [(2,), (3,)]
    swapped = reordered(found, [1, 0])
    assert swapped["a"].tolist() == [[3, 4, 5], [1, 2, 0]]
    assert [row.shape for row in swapped["c"]] == [(3,), (2,)]
