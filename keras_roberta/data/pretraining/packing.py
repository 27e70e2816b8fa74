"""Packs sentences into rows: the input formats of RoBERTa (section 4.2) and block-diagonal.

Only the lengths of the sentences are needed, and each shard is packed separately. Every sentence is
in exactly one row. It is cut only if it is longer than a row, into pieces of the largest possible
length. A row consists of segments; a segment is a stretch of successive sentences of one document:

    full-sentences   <s> segment </s> segment </s> …     segments of as many documents as fit
    doc-sentences    <s> segment </s>                    the last row of a document may be short
    segment-pair     <s> segment </s></s> segment </s>   two segments of one document
    sentence-pair    <s> segment </s></s> segment </s>   the same, with one sentence each
    block-diagonal   <s> segment </s><s> segment </s> …  attention stays inside a segment
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PACKINGS = (
    "full-sentences",
    "doc-sentences",
    "segment-pair",
    "sentence-pair",
    "block-diagonal",
)
PAIRS = ("segment-pair", "sentence-pair")
# A shard is divided into lanes, and a row takes its sentences from any of them (`_fill_rows`). With
# many lanes, the next sentence of one of them mostly fits. With long lanes, rows contain connected
# text.
_MOST_LANES = 1024
_SENTENCES_A_LANE = 32


@dataclass(frozen=True)
class Segments:
    """The segments of packed rows, as columns.

    Attributes:
        document: int32 (segments,), the number of the segment's document.
        start: int32 (segments,), the index of the segment's first token in its document.
        length: int32 (segments,), the number of tokens.
        first: int64 (rows + 1,), the index of each row's first segment.
    """

    document: np.ndarray
    start: np.ndarray
    length: np.ndarray
    first: np.ndarray

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return len(self.first) - 1


def pack(
    num_sentences: np.ndarray | Sequence[int],
    sentence_lengths: np.ndarray | Sequence[int],
    packing: str,
    row_length: int,
) -> Segments:
    """Packs the documents of a shard into rows.

    Args:
        num_sentences: (documents,), the number of sentences in each document.
        sentence_lengths: (sentences,), in tokens, of all documents one after the other.
        packing: one of `PACKINGS`.
        row_length: tokens in a row, special tokens included.
    """
    if packing == "full-sentences":
        limit = row_length - 2
        sentences = _sentences(num_sentences, sentence_lengths, limit)
        return _fill_rows(*sentences, row_length - 1, segment_cost=1)
    if packing == "block-diagonal":
        sentences = _sentences(num_sentences, sentence_lengths, row_length - 2)
        return _fill_rows(*sentences, row_length, segment_cost=2)
    if packing == "doc-sentences":
        limit = row_length - 2
        return _runs(*_sentences(num_sentences, sentence_lengths, limit), limit)
    limit = (row_length - 4) // 2  # half a row, so that any two halves fit together
    sentences = _sentences(num_sentences, sentence_lengths, limit)
    return _pairs(*sentences, limit if packing == "segment-pair" else 0)


def used_tokens(segments: Segments, packing: str) -> int:
    """The number of tokens in the rows that are not padding, special tokens included."""
    # Two special tokens around each segment; or one behind each, and one at the start of the row.
    both_ends = packing in (*PAIRS, "block-diagonal")
    specials = 2 * len(segments.length) if both_ends else segments.num_rows + len(segments.length)
    return int(segments.length.sum()) + specials


def _sentences(num_sentences, sentence_lengths, limit):
    """(document, start, length) of each sentence; sentences above the limit are in pieces."""
    lengths = np.asarray(sentence_lengths, np.int64)
    document = np.repeat(np.arange(len(num_sentences)), num_sentences)
    ends = np.cumsum(lengths)
    first = np.cumsum(num_sentences) - num_sentences  # of each document
    begin = np.concatenate([[0], ends])[first]
    start = ends - lengths - begin[document]
    pieces = -(-lengths // limit)
    whole = np.repeat(np.arange(len(lengths)), pieces)
    offset = (np.arange(len(whole)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * limit
    return document[whole], start[whole] + offset, np.minimum(limit, lengths[whole] - offset)


def _fill_rows(document, start, length, room, segment_cost):
    """Makes rows with hardly any padding.

    The shard is divided into stretches, called lanes, and sentences are taken from the front of a
    lane. A row is filled until nothing fits. In each turn, the lane is used whose next sentence is
    the longest that fits. Sentences are taken from this lane as long as they fit, or until the next
    sentence of another lane would fill the row exactly.
    """
    document, start, length = document.tolist(), start.tolist(), length.tolist()
    num_lanes = min(_MOST_LANES, -(-len(length) // _SENTENCES_A_LANE))
    bounds = np.linspace(0, len(length), num_lanes + 1).astype(int).tolist()
    position, end = bounds[:-1], bounds[1:]
    waiting = [[] for _ in range(room + 1)]  # the lanes, by the length of the next sentence
    for lane, at in enumerate(position):
        waiting[length[at]].append(lane)
    rows, longest = _Rows(), room
    while True:
        while longest and not waiting[longest]:
            longest -= 1
        if not longest:
            return rows.segments()
        left, size = room, longest
        while size:
            lane = waiting[size].pop()
            at, stop, opened = position[lane], end[lane], None
            while at < stop:
                cost = length[at] + (0 if document[at] == opened else segment_cost)
                if cost > left:
                    break
                if document[at] == opened:
                    rows.length[-1] += length[at]
                else:
                    rows.add(document[at], start[at], length[at])
                opened, left, at = document[at], left - cost, at + 1
                if left > segment_cost and waiting[left - segment_cost]:
                    break
            position[lane] = at
            if at < stop:
                waiting[length[at]].append(lane)
                longest = max(longest, length[at])
            size = max(0, min(longest, left - segment_cost))
            while size and not waiting[size]:
                size -= 1
        rows.close()


def _runs(document, start, length, room):
    """Makes rows of successive sentences of one document."""
    rows, opened, left = _Rows(), None, 0
    for doc, begin, size in zip(document.tolist(), start.tolist(), length.tolist(), strict=True):
        if doc == opened and size <= left:
            rows.length[-1] += size
            left -= size
        else:
            if opened is not None:
                rows.close()
            rows.add(doc, begin, size)
            opened, left = doc, room - size
    if opened is not None:
        rows.close()
    return rows.segments()


def _pairs(document, start, length, room):
    """Makes rows of two successive stretches of one document, of at most `room` tokens each.

    With a `room` of 0, each stretch is a single sentence. If a document has a single stretch left,
    it is cut between two sentences. If that is a single sentence, its row has one segment.
    """
    rows = _Rows()
    stretches = []  # of the current document: lists of sentences

    def flush():
        for i in range(0, len(stretches), 2):
            first, *second = stretches[i : i + 2]
            if not second and len(first) > 1:
                middle = len(first) // 2
                first, second = first[:middle], [first[middle:]]
            for stretch in (first, *second):
                rows.add(document[stretch[0]], start[stretch[0]], sum(length[s] for s in stretch))
            rows.close()
        stretches.clear()

    document, start, length = document.tolist(), start.tolist(), length.tolist()
    left = 0
    for at, size in enumerate(length):
        if at and document[at] != document[at - 1]:
            flush()
        if stretches and size <= left:
            stretches[-1].append(at)
            left -= size
        else:
            stretches.append([at])
            left = room - size
    flush()
    return rows.segments()


class _Rows:
    """Segments collected row by row."""

    def __init__(self):
        self.document, self.start, self.length, self.first = [], [], [], [0]

    def add(self, document, start, length):
        self.document.append(document)
        self.start.append(start)
        self.length.append(length)

    def close(self):
        self.first.append(len(self.length))

    def segments(self):
        columns = (np.array(c, np.int32) for c in (self.document, self.start, self.length))
        return Segments(*columns, np.array(self.first, np.int64))
