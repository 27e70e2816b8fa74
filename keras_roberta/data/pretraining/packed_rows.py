"""The packed rows of one language, which can be read by number."""

import bisect
from collections.abc import Sequence

import numpy as np

from keras_roberta.data.corpus.shards import Shards
from keras_roberta.data.pretraining.packing import PAIRS, pack, used_tokens


class Rows:
    """The packed rows of a split and language, in the order of the shards.

    Args:
        shards: the shards to read.
        split: "train" or "heldout".
        language: name of the language.
        packing: one of `packing.PACKINGS`.
        row_length: tokens in a row.
        pairs_only: whether to leave out rows with a single segment.
        max_shards: use only this many shards, the first ones. None: all.

    Attributes:
        num_rows: number of rows.
        num_pairs: number of rows with exactly two segments.
        padding: the share of padding in all rows of the packing.
    """

    def __init__(
        self,
        shards: Shards,
        split: str,
        language: str,
        packing: str,
        row_length: int,
        pairs_only: bool = False,
        max_shards: int | None = None,
    ):
        self._packing = packing
        self._both_ends = packing in (*PAIRS, "block-diagonal")
        self._files, self._plans, self._chosen, self._offsets = [], [], [], [0]
        used = total = self.num_pairs = 0
        for description in shards.descriptions(split, language)[:max_shards]:
            file = shards.open(description["name"])
            plan = pack(file.num_sentences, file.sentence_lengths, packing, row_length)
            is_pair = np.diff(plan.first) == 2
            chosen = np.flatnonzero(is_pair) if pairs_only else np.arange(plan.num_rows)
            self._files.append(file)
            self._plans.append(plan)
            self._chosen.append(chosen.astype(np.int32))
            self._offsets.append(self._offsets[-1] + len(chosen))
            used += used_tokens(plan, packing)
            total += plan.num_rows * row_length
            self.num_pairs += int(is_pair.sum())
        self.num_rows = self._offsets[-1]
        self.padding = 1 - used / total if total else 0.0

    def partners(self, rows: np.ndarray) -> np.ndarray:
        """The partner of each row: the row that is half of all rows away.

        The partner of a row's partner is the row itself. With an odd number of rows, the last row
        is its own partner.

        Args:
            rows: integers (n,), numbers of rows.

        Returns:
            integers (n,)
        """
        half = self.num_rows // 2
        other = np.where(rows < half, rows + half, rows - half)
        return np.where(rows < 2 * half, other, rows)

    def segments(self, row: int) -> list[tuple[int, int, int, int]]:
        """The segments of a row: (file, document, first token, number of tokens) of each.

        File and document are numbers from 0; the first token is an index into the document.
        """
        file = bisect.bisect_right(self._offsets, row) - 1
        plan = self._plans[file]
        place = self._chosen[file][row - self._offsets[file]]
        begin, end = plan.first[place], plan.first[place + 1]
        return [
            (file, int(plan.document[s]), int(plan.start[s]), int(plan.length[s]))
            for s in range(begin, end)
        ]

    def write(
        self,
        segments: Sequence[tuple[int, int, int, int]],
        specials: tuple[int, int],
        token_ids: np.ndarray,
        segment_ids: np.ndarray | None = None,
        labels: np.ndarray | None = None,
    ) -> bool:
        """Writes segments into one row of a batch.

        Args:
            segments: segments as from `segments`.
            specials: ids of `<s>` and `</s>`.
            token_ids: (length,), full of padding. Receives the token ids.
            segment_ids: (length,), full of 0. Receives the segments' numbers, from 1. Or None.
            labels: (length,), full of `NO_LABEL`. Receives the corpus's token labels. Or None.

        Returns:
            True, or False if a segment is damaged. Then the row is `<s> </s>`.
        """
        start_token, end_token = specials
        texts = [self._files[file].token_ids(*place) for file, *place in segments]
        if any(text is None for text in texts):
            segments, texts = (), ()
            token_ids[:2] = specials
            if segment_ids is not None:
                segment_ids[:2] = 1
        at = 0
        for number, ((file, *place), text) in enumerate(zip(segments, texts, strict=True), 1):
            begin = at
            if number == 1 or self._both_ends:
                is_second = number > 1 and self._packing in PAIRS
                token_ids[at] = end_token if is_second else start_token
                at += 1
            token_ids[at : at + len(text)] = text
            if labels is not None:
                labels[at : at + len(text)] = self._files[file].labels(*place)
            at += len(text)
            token_ids[at] = end_token
            at += 1
            if segment_ids is not None:
                segment_ids[begin:at] = number
        return at > 0
