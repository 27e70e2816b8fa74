"""Where long texts are cut into parts, each of which is read by itself.

A Unigram model looks for the best way to cut a whole text, by sums of scores in float32. In long
texts such a sum is coarse, sentencepiece begins it anew within a word once it is below -100,000,
and a word of any length has to be gone through letter by letter. So here, on the host and in graphs
alike, a text is read in blocks of `BLOCK` bytes:

- the first block begins a part;
- each other block begins a part at its first space;
- a block without a space begins one at its first whole character, if it is full.

Texts up to `BLOCK` bytes are read whole. The ids of longer ones may differ from sentencepiece's,
which reads every text whole. A part that begins within a word gets a space ("\u2581") in front,
which sentencepiece does not put there. Where a part begins at a space words do not change, unless
two ways to cut them are equally good but for rounding.
"""

BLOCK = 1 << 14  # bytes of UTF-8


def part_begins(utf8: bytes, block: int = BLOCK) -> list[int]:
    """The bytes at which parts begin.

    >>> part_begins(b"ab cd ef gh", 4), part_begins(b"abcdefghij kl", 4), part_begins(b"abcdef", 4)
    ([0, 5, 8], [0, 4, 10], [0])
    """
    begins = [0]
    for start in range(block, len(utf8), block):
        content = utf8[start : start + block]
        place = content.find(b" ")
        if place < 0 and len(content) == block:
            place = next((i for i, byte in enumerate(content[:4]) if byte & 0xC0 != 0x80), -1)
        if place >= 0:
            begins.append(start + place)
    return begins
