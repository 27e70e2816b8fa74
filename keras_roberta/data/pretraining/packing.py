"""Which sentences make up a row: the input formats of RoBERTa, section 4.2, and block-diagonal.

A packing is planned from the lengths of the sentences alone, a shard at a time. Every sentence is
in exactly one row, whole; only one that is longer than a row can hold is cut, into pieces of the
greatest length. A row is made of segments, stretches of successive sentences of one document:

    full-sentences   <s> segment </s> segment </s> …   segments of as many documents as fit
    doc-sentences    <s> segment </s>                   of one document, short at its end
    segment-pair     <s> segment </s></s> segment </s>  of several sentences each, of one document
    sentence-pair    the same, of one sentence each
    block-diagonal   <s> segment </s><s> segment </s> …  attention stays inside a segment
"""

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
# Places in a shard that a row can take its sentences from: so many that one mostly fits, and each
# so long that rows hold connected text.
_MOST_LANES = 1024
_SENTENCES_A_LANE = 32


@dataclass(frozen=True)
class Segments:
    """The segments of rows, in columns.

    Attributes:
        document: int32 (segments,)
        start: int32 (segments,), the segment's first token in its document.
        length: int32 (segments,), in tokens.
        first: int64 (rows + 1,), the first segment of each row.
    """

    document: np.ndarray
    start: np.ndarray
    length: np.ndarray
    first: np.ndarray

    @property
    def num_rows(self):
        return len(self.first) - 1


def pack(num_sentences, sentence_lengths, packing, row_length):
    """The rows of `row_length` tokens that the documents of a shard make.

    Args:
        num_sentences: (documents,)
        sentence_lengths: (sentences,), of all documents one after the other.
        packing: one of `PACKINGS`.
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
    limit = (row_length - 4) // 2  # Half a row, so that any two halves fit together.
    sentences = _sentences(num_sentences, sentence_lengths, limit)
    return _pairs(*sentences, limit if packing == "segment-pair" else 0)


def used_tokens(segments, packing):
    """Tokens of the rows that are not padding, specials among them."""
    # Two around each segment, or one behind each and one in front of them all.
    both_ends = packing in (*PAIRS, "block-diagonal")
    specials = 2 * len(segments.length) if both_ends else segments.num_rows + len(segments.length)
    return int(segments.length.sum()) + specials


def _sentences(num_sentences, sentence_lengths, limit):
    """(document, start, length) of each sentence, those over the limit in pieces."""
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
    """Rows with next to no padding.

    The sentences lie in lanes, stretches of the shard. Until nothing fits, a row takes the lane
    with the longest next sentence that does, and of that lane what follows for as long as it fits,
    or until the next sentence of another lane fills the row to the end.
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
    """Rows of successive sentences of one document."""
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
    """Rows of two successive stretches of one document, each of at most `room` tokens.

    A room of 0 is for single sentences. Where a document has a single stretch left it is cut
    between two sentences; a single sentence makes a row of one segment.
    """
    rows = _Rows()
    stretches = []  # of the document in progress: lists of sentences

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
