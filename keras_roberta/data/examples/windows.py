"""Windows: the rows that texts are cut into which are longer than a model's rows, in numpy alone.

The rows of a text are stretches of its tokens, of which each shares a few with the one before it
(Hugging Face's `stride`). A question may stand in front of every window of its context. Outputs for
tokens are put together again: each token's from the window that shows most around it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout


@dataclasses.dataclass(frozen=True)
class Windows:
    """Rows of token ids, and which tokens of which text each of them holds.

    Attributes:
        token_ids: int32, one `Ragged` row a window, special tokens included.
        texts: int64 (rows,), the number of each row's text; they ascend.
        begins: int64 (rows,), the first token of the text that a row holds.
        counts: int64 (rows,), how many tokens of the text it holds.
        places: int64 (rows,), where in the row the first of them stands.
        text_lengths: int64 (texts,), tokens of each text, none added.
    """

    token_ids: Ragged
    texts: np.ndarray
    begins: np.ndarray
    counts: np.ndarray
    places: np.ndarray
    text_lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def rows_per_text(self) -> np.ndarray:
        """int64 (texts,)"""
        return np.bincount(self.texts, minlength=len(self.text_lengths))

    def spread(self, values: Sequence, fill=0) -> Ragged:
        """What belongs to the tokens of texts as it belongs to the tokens of rows.

        Args:
            values: for each text an array (tokens, ...), such as labels or offsets.
            fill: for tokens of a row that are not of its text: special ones and a question.
        """
        rows = []
        for row, length in enumerate(self.token_ids.lengths):
            of_text = np.asarray(values[self.texts[row]])
            of_row = np.full((length, *of_text.shape[1:]), fill, of_text.dtype)
            of_row[self._inside(row)] = of_text[self._stretch(row)]
            rows.append(of_row)
        return Ragged(np.concatenate(rows), self.token_ids.lengths)

    def most_context(self) -> Ragged:
        """For each token of each row whether it is of the text, and no other row of that text
        shows more around it: bool. So every token of a text counts once.

        How much a row shows is the smaller of the numbers of tokens in front of it and behind it,
        and 0.01 for each token of the text in the row (`_check_is_max_context` of Google's
        run_squad.py for BERT). Of rows that show the same the first counts.
        """
        best = [np.full(length, -1.0) for length in self.text_lengths]
        winner = [np.zeros(length, np.int64) for length in self.text_lengths]
        for row, (text, count) in enumerate(zip(self.texts, self.counts, strict=True)):
            place = np.arange(count)
            context = np.minimum(place, count - 1 - place) + 0.01 * count
            stretch = self._stretch(row)
            better = context > best[text][stretch]
            best[text][stretch] = np.where(better, context, best[text][stretch])
            winner[text][stretch] = np.where(better, row, winner[text][stretch])
        wins = self.spread(winner, fill=-1)
        rows = np.repeat(np.arange(len(self)), self.token_ids.lengths)
        return Ragged(wins.values == rows, self.token_ids.lengths)

    def joined(self, outputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs for the tokens of rows as those for the tokens of texts.

        Args:
            outputs: for each row an array (tokens of the row, ...).

        Returns:
            for each text an array (tokens, ...), with what stands in front of its tokens in its
            first row and behind them in its last: special tokens, and a question.
        """
        most = self.most_context()
        found = []
        last_rows = np.cumsum(self.rows_per_text)
        for first, last in zip(last_rows - self.rows_per_text, last_rows, strict=True):
            if last - first == 1:
                found.append(np.asarray(outputs[first]))
                continue
            behind = self.places[last - 1] + self.counts[last - 1]
            # The stretch that each row wins begins behind that of the row before.
            parts = [np.asarray(outputs[row])[most.row(row)] for row in range(first, last)]
            front = np.asarray(outputs[first])[: self.places[first]]
            found.append(np.concatenate([front, *parts, np.asarray(outputs[last - 1])[behind:]]))
        return found

    def _inside(self, row):
        return slice(self.places[row], self.places[row] + self.counts[row])

    def _stretch(self, row):
        return slice(self.begins[row], self.begins[row] + self.counts[row])


def cut_windows(
    texts: Sequence[Sequence[int]],
    *,
    layout: SpecialTokenLayout,
    max_length: int,
    stride: int,
    fronts: Sequence[Sequence[int]] | None = None,
) -> Windows:
    """The rows of some texts.

    Args:
        texts: token ids of each, none added.
        layout: the special tokens around them.
        max_length: of a row in tokens.
        stride: how many tokens of the text a row shares with the one before; at most half of those
            that a row has room for, so fewer behind a long front.
        fronts: token ids that stand in front of every window of a text, such as a question's, as
            the first half of a pair; or None.

    Raises:
        InputError: a row has no room for a token; or names the text whose front leaves no room.

    >>> around = SpecialTokenLayout.roberta(0, 2)
    >>> windows = cut_windows([[5, 6, 7, 8]], layout=around, max_length=5, stride=1)
    >>> [windows.token_ids.row(i).tolist() for i in range(len(windows))]
    [[0, 5, 6, 7, 2], [0, 7, 8, 2]]
    """
    room = layout.budget(max_length, fronts is not None)
    if room < (1 if fronts is None else 2):
        raise InputError(f"rows of {max_length} tokens have no room for those of a text")
    rows, numbers, begins, counts, places = [], [], [], [], []
    for number, ids in enumerate(texts):
        if fronts is None:
            before, after, size = layout.before, layout.after, room
        else:
            front = list(fronts[number])
            after, size = layout.pair_after, room - len(front)
            if size < 1:
                raise InputError(
                    f"row {number}: the question has {len(front)} tokens, and in rows of "
                    f"{max_length} there is room for {room - 1} beside one of the context; shorten "
                    "it, or give rows more tokens (sequence_length, of a file its longest "
                    "--sequence-lengths)"
                )
            before = [*layout.pair_before, *front, *layout.pair_between]
        ids = list(ids)
        for begin in stretches(len(ids), size, stride):
            part = ids[begin : begin + size]
            rows.append([*before, *part, *after])
            numbers.append(number)
            begins.append(begin)
            counts.append(len(part))
            places.append(len(before))
    of_rows = (np.array(column, np.int64) for column in (numbers, begins, counts, places))
    lengths = np.array([len(ids) for ids in texts], np.int64)
    return Windows(Ragged.of(rows, np.int32), *of_rows, lengths)


def stretches(length: int, size: int, stride: int) -> range:
    """Where stretches of `size` tokens begin of a text of so many; the last may be shorter.

    >>> list(stretches(10, 4, 1)), list(stretches(3, 4, 1)), list(stretches(8, 4, 9))
    ([0, 3, 6], [0], [0, 2, 4])
    """
    if length <= size:
        return range(1)
    stride = min(stride, size // 2)
    return range(0, length - stride, size - stride)
