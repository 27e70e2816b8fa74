"""Where special tokens stand around texts, and what of a pair is kept where there is no room."""

from __future__ import annotations

from typing import NamedTuple

from keras_roberta.errors import InputError
from keras_roberta.options.option import Option
from keras_roberta.options.values import checked


class SpecialTokenLayout(NamedTuple):
    """The ids around a text (`before`, `after`) and around a pair of texts, lists each."""

    before: list
    after: list
    pair_before: list
    pair_between: list
    pair_after: list

    @classmethod
    def roberta(cls, start: int, end: int) -> SpecialTokenLayout:
        """`<s> a </s>` and `<s> a </s></s> b </s>`."""
        return cls([start], [end], [start], [end, end], [end])

    @classmethod
    def none(cls) -> SpecialTokenLayout:
        """Nothing around texts; those of a pair stand one after the other."""
        return cls([], [], [], [], [])

    def filled(self, value) -> SpecialTokenLayout:
        """The same places, each holding `value`."""
        return SpecialTokenLayout(*([value] * len(part) for part in self))

    def budget(self, max_length: int | None, is_pair: bool) -> int | None:
        """How many tokens of texts a row of `max_length` has room for; None for any number.

        Raises:
            InputError: it is no whole number, or there is no room for the special tokens.
        """
        max_length = checked_length(max_length)
        if max_length is None:
            return None
        num_special = sum(map(len, self[2:] if is_pair else self[:2]))
        if max_length < num_special:
            raise InputError(
                f"max_length {max_length} leaves no room: the special tokens alone "
                f"take {num_special}"
            )
        return max_length - num_special

    def rows(self, firsts: list, seconds: list | None, budget: int | None) -> list[list]:
        """Puts the special tokens around texts, each cut to its share of the budget.

        Args:
            firsts: a list for each text: its ids, or something else that goes by token.
            seconds: the same for the second texts of pairs, or None.
            budget: what `budget` said.
        """
        if seconds is None:
            return [self.before + first[:budget] + self.after for first in firsts]
        rows = []
        for a, b in zip(firsts, seconds, strict=True):
            if budget is not None:
                keep_a, keep_b = longest_first(len(a), len(b), budget)
                a, b = a[:keep_a], b[:keep_b]
            rows.append(self.pair_before + a + self.pair_between + b + self.pair_after)
        return rows


def layout_of(rust, probe: str) -> SpecialTokenLayout | None:
    """The layout that a `tokenizers.Tokenizer` has in its post-processor, None if it has none.

    Args:
        rust: the tokenizer.
        probe: a text that is at least one token.
    """
    if rust.post_processor is None:
        return None
    single, pair = rust.encode(probe), rust.encode(probe, probe)
    a, b = single.sequence_ids, pair.sequence_ids
    if 0 not in a or 0 not in b or 1 not in b:
        return None
    begin, end = _first_and_behind(a, 0)
    pair_begin, first_end = _first_and_behind(b, 0)
    second_begin, pair_end = _first_and_behind(b, 1)
    return SpecialTokenLayout(
        single.ids[:begin],
        single.ids[end:],
        pair.ids[:pair_begin],
        pair.ids[first_end:second_begin],
        pair.ids[pair_end:],
    )


def _first_and_behind(sides: list, side: int) -> tuple[int, int]:
    return sides.index(side), len(sides) - sides[::-1].index(side)


def longest_first(length_a: int, length_b: int, budget: int) -> tuple[int, int]:
    """How many ids of each half of a pair to keep so that they fit `budget` together.

    The rule of the `tokenizers` library's `longest_first`: cut the longer half down to the
    shorter one, then both alike; the odd id goes to the half that was longer, to `b` on a draw.

    >>> longest_first(9, 3, 8), longest_first(9, 8, 7), longest_first(2, 3, 8)
    ((5, 3), (4, 3), (2, 3))
    """
    if length_a + length_b <= budget:
        return length_a, length_b
    short = min(length_a, length_b, budget // 2)
    return (budget - short, short) if length_a > length_b else (short, budget - short)


def checked_length(max_length) -> int | None:
    """The `max_length` of a row: a whole number from 0, or None.

    Raises:
        InputError: it is something else.
    """
    return checked("max_length", int | None, Option("", at_least=0), max_length)
