"""How a byte-level BPE spells its tokens: GPT-2's letters for bytes."""

import functools


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


def bytes_of_ids(vocabulary, added_tokens=(), skip=()):
    """The bytes that each id stands for; b"" for ids without a token and for those to skip.

    Args:
        vocabulary: {token in byte letters: id}.
        added_tokens: `AddedToken`s, which are spelt as they are.
        skip: ids.
    """
    spelt = [b""] * (1 + max(vocabulary.values()))
    for token, index in vocabulary.items():
        spelt[index] = token_bytes(token)
    for token in added_tokens:
        spelt[token.id] = token.content.encode()
    for index in skip:
        spelt[index] = b""
    return spelt


@functools.cache
def _byte_of_letter():
    return {letter: bytes([byte]) for byte, letter in enumerate(byte_alphabet())}
