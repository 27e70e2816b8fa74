"""Texts that tell tokenizers apart: written by hand, generated, and real ones."""

import random

import hypothesis
from hypothesis import strategies as st

from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS

TRAINING_TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind. aaaaaaaa ababab",
    "It's the fox's day: 12 foxes, 345 dogs, 6789 days of \u00fcbung and \u65e5\u672c\u8a9e.",
    "they're there, we've been where you'll be; I'm sure he'd know <html> --------",
    "def f(x):\n    return x  # two  spaces\n\n\ttabs\r\n        deep",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \U0001f600",
] * 3

TEXTS = [
    "",
    " ",
    "   ",
    "\n",
    "Hello world",
    "a  b\n\nc",
    " trailing  \t \n",
    "\n\n  leading",
    "it's we'll they've I'd i'm you're 's 'S 'll'll ''s \n's \u3000't can'ts",
    "e\u0301 \u00e9 \u2028 \u00a0 \u00a0x \u3000 \u2003x\u2003\u2003y \x00 \x85z \x1c \x0b",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea x\ufe0f",
    "\u0661\u0662\u0663 12a34 \u00b2\u00bd\u2167 \u0939\u093f\u0928\u094d\u0926\u0940",
    "\u0378 \ufffe \U000e0fff \U0010ffff unassigned \U00013460",
    "abc<mask>def  <mask>  def",
    "<mask>",
    "\n <mask> <mask><mask>\t\u3000<mask> ",
    "<s>a</s></s> b </s><pad> <unk>  <s>  'll",
    "<mask <MASK> < mask ><<mask>> </mask>",
    "NUL \0 inside\0\0x",
    b"\xff\xfe bad \xc3( \xe3\x81",
    b"surrogate \xed\xa0\x80 overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf",
    b"\xf4\x90\x80\x80 \xf0\x9f\x98 <mask>\xf0\x9f <s>\x80",
]  # fmt: skip

LONG_TEXTS = {
    "one letter, 1 MB": "a" * 10**6,
    "two letters, 1 MB": "ab" * 500_000,
    "letters, 200 KB": "".join(random.Random(7).choices("etaoinshrdlu", k=200_000)),
    "white space, 100 KB": " " * 100_000 + "x" + "\n" * 100 + "<mask>",
    "combining marks": "e" + "\u0301" * 1000 + "\u0323\u0307" * 500,
    "digits": "0123456789" * 1000,
    "malformed, 100 KB": b"\xe3\x81" * 50_000,
    "signs": "-" * 999 + "=" * 1001 + "'" * 77 + "s",
}

pieces = st.sampled_from(
    [" ", "  ", "\n", "\t", "\u00a0", "\u2003", "'", "'s", "'ll", "'re", *SPECIAL_TOKENS, " <mask>"]
    + ["<", ">", "the", "The", "dog", " fox", "aaa", "12", "\u00df", "\u65e5\u672c", "e\u0301"]
    + ["\u0939\u093f", "\U0001f468\u200d\U0001f469", "\0", "\x1f", "\x85", "-", "!?", "\u0663"]
)

strings = st.lists(pieces | st.text(max_size=4), max_size=14).map("".join)

malformed = st.lists(
    st.binary(max_size=4)
    | st.sampled_from([b"\xed\xa0\x80", b"\xe3\x81", b"\xf0\x9f\x98", b"\xc0", b" <mask>", b"a"]),
    max_size=8,
).map(b"".join)

quick = hypothesis.settings(deadline=None, max_examples=150)


def generated_texts(count, seed=0):
    """Strings of what tells tokenizers apart: white space, contractions, scripts, emoji, digits,
    signs, control characters, special tokens."""
    chance = random.Random(seed)
    alphabets = [
        " ", " \t\n\r\u00a0\u2003\u3000\u2028\x0b\x0c\x85", "etaoinshrdlu", "0123456789",
        "\u00b2\u00bd\u0663\u0967\u2167", "'\u2019", "-=_.,!?#*~/", "\x00\x01\x1b\x1f\x7f\u200b",
        "\u00e9\u00df\u0301\u0308", "\u0430\u0431\u0432\u044f", "\u65e5\u672c\u8a9e\uac00",
        "\u0939\u093f\u0928\u094d\u0e01\u0e33\u0627\u0644",
        "\U0001f468\u200d\U0001f469\ufe0f\U0001f1e9",
        "\u0378\ufffe\U000e0fff\U0010ffff",
    ]  # fmt: skip
    words = ["'s", "'ll", "'RE", "can't", "I'd've", " the", "The", " <mask>", "http"]
    words += SPECIAL_TOKENS
    for _ in range(count):
        yield "".join(
            chance.choice(words)
            if chance.random() < 0.2
            else "".join(chance.choices(chance.choice(alphabets), k=chance.randrange(1, 7)))
            for _ in range(chance.randrange(12))
        )


def real_texts(directory):
    """All distinct text of the data sets, byte for byte: each line with its newline, in ten
    languages, tables and JSON; and parts of documents."""

    def texts():
        for path in sorted(directory.rglob("*")):
            if path.parent.name in ("roberta-base-tokenizer", "granite-30m"):
                continue  # checkpoints
            if path.suffix in (".txt", ".tsv", ".csv", ".conll", ".json", ".jsonl", ".md"):
                text = path.read_bytes()
                yield from text.splitlines(keepends=True)
                if path.suffix == ".txt":
                    yield from (text[i : i + 10_000] for i in range(0, len(text), 500_000))

    found = list(dict.fromkeys(texts()))
    assert len(found) > 100_000
    return found
