"""Random order without memory: permutations, languages by shares, epochs."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.data.corpus.language_sampling import LanguageSchedule, language_shares
from keras_roberta.data.pretraining.sample_order import Endless, Once
from keras_roberta.data.stateless import hash64, permuted, uniform


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_permutations(size, key):
    order = permuted(np.arange(size), size, key)
    np.testing.assert_array_equal(np.sort(order), np.arange(size))
    part = np.arange(0, size, 3)
    np.testing.assert_array_equal(permuted(part, size, key), order[part])


def test_permutations_differ_by_key_and_look_random():
    first, second = (permuted(np.arange(5000), 5000, key) for key in (1, 2))
    assert (first == second).mean() < 0.01
    assert abs(np.corrcoef(first, np.arange(5000))[0, 1]) < 0.05
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.05


def test_uniform_draws():
    draws = uniform(3, np.arange(20_000)[:, None], np.arange(5))
    assert draws.min() >= 0 and draws.max() < 1
    assert draws.mean() == pytest.approx(0.5, abs=0.005)
    assert np.abs(np.corrcoef(draws.T) - np.eye(5)).max() < 0.03
    assert len(np.unique(hash64(np.arange(1000)[:, None], np.arange(100)))) == 100_000


def test_shares_by_the_formula():
    sizes = {"a": 1000, "b": 10, "c": 0}
    shares = language_shares(sizes, 0.3)
    assert shares["a"] / shares["b"] == pytest.approx(100**0.3)
    assert sum(shares.values()) == pytest.approx(1) and shares["c"] == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any), st.integers(0, 99))
def test_schedule_holds_the_shares_and_counts_each_language(sizes, seed):
    shares = np.array(list(language_shares(dict(enumerate(sizes)), 0.7).values()))
    schedule = LanguageSchedule(shares, seed)
    samples = np.arange(3 * 4096)
    languages, numbers = schedule(samples)
    counts = np.bincount(languages, minlength=len(sizes)) / len(samples)
    assert np.abs(counts - shares).max() < (len(sizes) + 1) / 4096
    assert ((counts > 0) == (shares > 0)).all()
    for language in np.unique(languages):  # 0, 1, 2 … each once
        of_language = np.sort(numbers[languages == language])
        np.testing.assert_array_equal(of_language, np.arange(len(of_language)))
    some = np.random.default_rng(seed).integers(0, len(samples), 50)
    for ours, whole in zip(schedule(some), (languages, numbers), strict=True):
        np.testing.assert_array_equal(ours, whole[some])


def test_endless_order_goes_through_every_row_before_it_repeats_one():
    num_rows = [7, 40]
    languages, epochs, rows = Endless(num_rows, [0.3, 0.7], seed=4)(np.arange(8192))
    for language, size in enumerate(num_rows):
        of_language = languages == language
        seen = collections.Counter(zip(epochs[of_language], rows[of_language], strict=True))
        assert set(seen.values()) == {1}
        last = epochs[of_language].max()
        assert len(seen) == of_language.sum() and last > 2
        for epoch in range(last):
            assert sorted(row for e, row in seen if e == epoch) == list(range(size))
    first, second = (
        [r for language, e, r in zip(languages, epochs, rows, strict=True) if (language, e) == key]
        for key in ((1, 0), (1, 1))
    )
    assert first != second


def test_orders_differ_by_language_and_seed():
    def orders(seed):
        languages, epochs, rows = Endless([40, 40], [0.5, 0.5], seed)(np.arange(200))
        return [rows[(languages == i) & (epochs == 0)].tolist() for i in range(2)]

    found = [*orders(4), *orders(5)]
    found += [Once([40, 0], 40, seed)(np.arange(40))[2].tolist() for seed in (4, 5)]
    assert all(sorted(order) == list(range(40)) for order in found)
    assert len(set(map(tuple, found))) == 6


@pytest.mark.parametrize(
    ("batch_size", "expected"), [(1, [1] * 8), (3, [2, 3, 3]), (5, [4, 4]), (8, [8]), (99, [8])]
)
def test_a_single_pass_spreads_rows_evenly_and_ends(batch_size, expected):
    order = Once([3, 0, 5], batch_size, seed=1)
    assert order.num_batches == len(expected)
    languages, _, rows = order(np.arange((len(expected) + 2) * batch_size))
    present = languages >= 0
    assert sorted(zip(languages[present], rows[present], strict=True)) == [
        *((0, row) for row in range(3)),
        *((2, row) for row in range(5)),
    ]
    sizes = present.reshape(-1, batch_size).sum(axis=1)
    np.testing.assert_array_equal(sizes, [*expected, 0, 0])
