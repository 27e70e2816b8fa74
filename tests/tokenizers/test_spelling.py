"""How tokens are spelt."""

from tokenizers import pre_tokenizers

from keras_roberta.tokenizers.spelling import byte_alphabet


def test_the_letters_are_the_librarys():
    letters = byte_alphabet()
    assert len(letters) == 256 and set(letters) == set(pre_tokenizers.ByteLevel.alphabet())
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str
    # Their UTF-8 has every byte that UTF-8 has.
    text = "".join(
        map(chr, [*range(1, 0x800), *range(0x800, 0xD800, 64), *range(0x10000, 0x110000, 4096)])
    )
    spelt = "".join(token for token, _ in spell(text))
    assert spelt == "".join(letters[byte] for byte in text.encode())
