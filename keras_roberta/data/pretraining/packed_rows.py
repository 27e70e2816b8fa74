"""The rows that the shards of one language make, readable by number."""

import bisect

import numpy as np

from keras_roberta.data.pretraining.packing import PAIRS, pack, used_tokens


class Rows:
    """Rows of a split and language, in the order of the shards.

    Args:
        shards: `Shards`
        packing, row_length: see `packing.pack`.
        pairs_only: leaves out rows of a single segment.
        max_shards: those of the first shards alone.

    Attributes:
        num_rows: int
        num_pairs: rows of two segments, where the packing makes pairs.
        padding: the share of padding in all rows of the packing.
    """

    def __init__(
        self, shards, split, language, packing, row_length, pairs_only=False, max_shards=None
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

    def partners(self, rows):
        """The row that each is paired with, both ways; half of all rows lie in between.

        Of an odd number the last row is its own.
        """
        half = self.num_rows // 2
        other = np.where(rows < half, rows + half, rows - half)
        return np.where(rows < 2 * half, other, rows)

    def segments(self, row):
        """[(number of the file, document, first token, tokens), …] of a row."""
        file = bisect.bisect_right(self._offsets, row) - 1
        plan = self._plans[file]
        place = self._chosen[file][row - self._offsets[file]]
        begin, end = plan.first[place], plan.first[place + 1]
        return [
            (file, int(plan.document[s]), int(plan.start[s]), int(plan.length[s]))
            for s in range(begin, end)
        ]

    def write(self, segments, specials, token_ids, segment_ids=None, labels=None):
        """Fills one row of a batch.

        Args:
            segments: as from `segments`.
            specials: ids of `<s>` and `</s>`.
            token_ids: (length,), all padding so far.
            segment_ids: (length,), all 0 so far, or None: gets the segments' numbers, from 1.
            labels: (length,), all `NO_LABEL` so far, or None: gets those of the corpus.

        Returns:
            False where a segment is damaged: the row is `<s> </s>` then.
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
