"""How a byte-level BPE spells its tokens: RoBERTa's special ones, and GPT-2's letters for bytes."""

import functools

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def byte_alphabet():
    """GPT-2's letter for each byte: itself if printable, else one from U+0100 on.

    Radford et al. (2019), `bytes_to_unicode` in their code.

    Returns:
        list of 256 letters.

    >>> letters = byte_alphabet()
    >>> letters[ord("a")], letters[ord(" ")], letters[0]
    ('a', 'Ġ', 'Ā')
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = map(chr, [*printable, *range(256, 324)])
    letters = dict(zip(printable + others, letters, strict=True))
    return [letters[byte] for byte in range(256)]


def token_bytes(token):
    """The bytes that a token stands for.

    >>> token_bytes("Ġthe")
    b' the'
    """
    byte_of = _byte_of_letter()
    return b"".join(byte_of.get(letter) or letter.encode() for letter in token)


@functools.cache
def _byte_of_letter():
    return {letter: bytes([byte]) for byte, letter in enumerate(byte_alphabet())}
