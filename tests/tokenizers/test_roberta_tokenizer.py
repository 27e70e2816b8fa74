"""The tokenizer against the `tokenizers` library's own reading of RoBERTa's tokenizer.json."""

import copy
import json
import os
import pathlib
import pickle
import random
import shutil
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import numpy as np
import pytest
import tokenizers
from hypothesis import strategies as st

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import RobertaTokenizer
from keras_roberta.tokenizers.special_token_layout import longest_first
from keras_roberta.tokenizers.training import train_byte_level_bpe

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data at {DATA}")

TRAINING_TEXT = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind.",
    "It's the fox's day: 12 foxes, 345 dogs, 6789 days of \u00fcbung and \u65e5\u672c\u8a9e.",
    "def f(x):\n    return x  # two  spaces\n\n\ttabs\r\n",
] * 3

HARD_TEXTS = [
    "",
    " ",
    "   ",
    "a  b\n\nc",
    "trailing  \t \n",
    "\n\n  leading",
    "it's we'll they've I'd i'm you're 's 'S 'll",
    "abc<mask>def",
    "abc   <mask>  def",
    "<mask>",
    "\n <mask> <mask><mask>",
    "<s>a</s></s> b </s><pad><unk> <pad>",
    "<mask",
    "< mask > <MASK> <|endoftext|>",
    "e\u0301 \u00e9 \u2028 \u00a0 \u3000 \x00 \x85 \x1c",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea x\ufe0f",
    "\u0661\u0662\u0663 \u00b2\u00bd\u2167 \u0939\u093f\u0928\u094d\u0926\u0940",
    "a" * 3000,
    "0123456789" * 50,
]

# White space, specials, apostrophes and several scripts far more often than chance would have them.
texts = st.lists(
    st.sampled_from(
        [" ", "  ", "\n", "\t", "\u00a0", "\u2003", "'", "'s", "'ll", "<s>", "</s>", "<pad>"]
        + ["<unk>", "<mask>", " <mask> ", "<", ">", "the", "The", "dog", "12", "\u00df", "\u65e5"]
    )
    | st.text(max_size=6),
    max_size=12,
).map("".join)


@pytest.fixture(scope="module")
def tiny():
    return train_byte_level_bpe(TRAINING_TEXT, vocabulary_size=400)


@pytest.fixture(scope="module")
def tiny_directory(tiny, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tiny")
    tiny.save(directory)
    return directory


@pytest.fixture(scope="module")
def tiny_library(tiny_directory):
    return tokenizers.Tokenizer.from_file(str(tiny_directory / "tokenizer.json"))


@pytest.fixture(scope="module")
def roberta():
    return RobertaTokenizer.from_preset(DATA / "roberta-base-tokenizer")


@pytest.fixture(scope="module")
def roberta_library():
    return tokenizers.Tokenizer.from_file(str(DATA / "roberta-base-tokenizer" / "tokenizer.json"))


def library_ids(library, texts):
    return [encoding.ids for encoding in library.encode_batch(texts)]


def test_hard_texts(tiny, tiny_library):
    assert tiny.encode_batch(HARD_TEXTS) == library_ids(tiny_library, HARD_TEXTS)


@hypothesis.given(texts)
@hypothesis.settings(max_examples=500, deadline=None)
def test_generated_texts(tiny, tiny_library, text):
    assert tiny(text) == tiny_library.encode(text).ids


@needs_data
def test_hard_texts_with_roberta(roberta, roberta_library):
    assert roberta("Hello world") == [0, 31414, 232, 2]
    assert roberta.encode_batch(HARD_TEXTS) == library_ids(roberta_library, HARD_TEXTS)


@needs_data
@hypothesis.given(texts)
@hypothesis.settings(max_examples=2000, deadline=None)
def test_generated_texts_with_roberta(roberta, roberta_library, text):
    assert roberta(text) == roberta_library.encode(text).ids


@needs_data
def test_all_forms_of_the_files_agree(roberta, tmp_path):
    source = DATA / "roberta-base-tokenizer"
    hugging_face = ["vocab.json", "merges.txt"]
    fairseq = ["dict.txt", "encoder.json", "vocab.bpe"]
    for names in (hugging_face, fairseq):
        directory = tmp_path / names[0]
        directory.mkdir()
        for name in names:
            shutil.copy(source / name, directory)
        assert RobertaTokenizer.from_preset(directory) == roberta
        for name in names:  # as some editors write them
            (directory / name).write_bytes(b"\xef\xbb\xbf" + (source / name).read_bytes())
        assert RobertaTokenizer.from_preset(directory) == roberta


# Pairs and truncation


@pytest.mark.parametrize("max_length", [4, 5, 6, 7, 10, 11, 20, 100])
def test_pairs_truncate_as_the_library_does(tiny, tiny_directory, max_length):
    library = tokenizers.Tokenizer.from_file(str(tiny_directory / "tokenizer.json"))
    library.enable_truncation(max_length, strategy="longest_first")
    pieces = ["", "dog", "The quick fox", "It's the lazy dog's day, 12 days", "x y z " * 9]
    pairs = [(a, b) for a in pieces for b in pieces]
    expected = [encoding.ids for encoding in library.encode_batch(pairs)]
    assert tiny(*map(list, zip(*pairs, strict=True)), max_length=max_length) == expected
    singles = [encoding.ids for encoding in library.encode_batch(pieces)]
    assert tiny(pieces, max_length=max_length) == singles
    assert all(row[-1] == tiny.end_token_id for row in singles)


def test_longest_first_keeps_as_much_as_fits():
    for a in range(8):
        for b in range(8):
            for budget in range(17):
                kept = longest_first(a, b, budget)
                assert sum(kept) == min(a + b, budget)
                assert kept[0] <= a and kept[1] <= b


def test_pair_of_two_strings(tiny):
    bare = tiny("fox", "dog", add_special_tokens=False)
    a, b = tiny("fox", add_special_tokens=False), tiny("dog", add_special_tokens=False)
    assert bare == a + b
    assert tiny("fox", "dog") == [0, *a, 2, 2, *b, 2]


# Kinds of input


def test_kinds_of_input_agree(tiny):
    expected = tiny(["the fox", "\u00fcbung"])
    for given in (
        ("the fox", "\u00fcbung"),
        [b"the fox", "\u00fcbung".encode()],
        np.array(["the fox", "\u00fcbung"]),
        np.array([b"the fox", "\u00fcbung".encode()]),
        np.array(["the fox", "\u00fcbung".encode()], object),
        (text for text in ["the fox", "\u00fcbung"]),
    ):
        assert tiny(given) == expected
    for one in (
        "the fox",
        b"the fox",
        np.str_("the fox"),
        np.bytes_(b"the fox"),
        np.array("the fox"),
    ):
        assert tiny(one) == expected[0]
    assert tiny([]) == []


def test_what_is_not_unicode_is_replaced(tiny):
    replaced = tiny("a\ufffdb")
    assert tiny(b"a\xffb") == replaced
    assert tiny("a\ud800b") == replaced
    assert tiny(["fine", "a\udfffb"])[1] == replaced
    assert tiny("\ud83d\ude00") == tiny("\U0001f600")


def test_ragged_is_the_batch(tiny):
    rows = tiny.encode_batch(HARD_TEXTS, max_length=50)
    values, row_lengths = tiny.encode_ragged(HARD_TEXTS, max_length=50)
    assert values.dtype == np.int32 and row_lengths.dtype == np.int64
    assert [part.tolist() for part in np.split(values, np.cumsum(row_lengths)[:-1])] == rows
    values, row_lengths = tiny.encode_ragged([])
    assert values.shape == row_lengths.shape == (0,)


def test_offsets_name_the_text_of_each_token(tiny):
    text = "The  fox doesn't\n mind \u00fcbung"
    ((ids, offsets),) = tiny.encode_with_offsets([text])
    assert ids == tiny(text, add_special_tokens=False)
    assert len(offsets) == len(ids)
    covered = {i for start, end in offsets for i in range(start, end)}
    assert all(i in covered for i, character in enumerate(text) if not character.isspace())
    assert text[slice(*offsets[-1])] == text[offsets[-1][0] :] != ""


@pytest.mark.parametrize("add_prefix_space", [False, True])
def test_places_of_plain_tokens(tiny, add_prefix_space):
    tokenizer = RobertaTokenizer(tiny.vocabulary, tiny.merges, add_prefix_space)
    texts = ["The fox  mind", "", " the </s>\u00fc", "\ud800 fox"]
    plain = tokenizer.encode_plain(texts)
    rows = np.repeat(np.arange(len(texts)), plain.row_lengths)
    assert plain.row_lengths[1] == 0
    for row, utf8 in ((0, b"The fox  mind"), (2, b" the </s>\xc3\xbc"), (3, b"\xef\xbf\xbd fox")):
        ids, begins, ends = (part[rows == row] for part in (plain.token_ids, *plain[2:]))
        assert ends[-1] == len(utf8) and begins[0] == (row == 2)
        for index, begin, end in list(zip(ids, begins, ends, strict=True))[1:]:
            spelt = tokenizer.id_to_token(index).replace("\u0120", " ")
            if spelt.isascii():
                assert utf8[begin:end].decode() == (spelt if spelt == " " else spelt.lstrip(" "))
    pieces = [tokenizer.id_to_token(index) for index in plain.token_ids]
    assert "</s>" not in pieces and any("<" in piece for piece in pieces)


# Back to text


@hypothesis.given(st.text(st.characters(exclude_categories=["Cs"])))
@hypothesis.settings(deadline=None)
def test_decode_is_the_inverse(tiny, text):
    hypothesis.assume("<" not in text)
    assert tiny.decode(tiny(text)) == text


def test_decode_with_special_tokens(tiny):
    ids = tiny("the <mask> fox")
    assert tiny.decode(ids, skip_special_tokens=False) == "<s>the<mask> fox</s>"
    assert tiny.decode_batch([ids, np.array(ids)]) == ["the fox"] * 2


# The object


def test_special_tokens_have_robertas_ids(tiny):
    ids = [tiny.start_token_id, tiny.pad_token_id, tiny.end_token_id, tiny.unk_token_id]
    assert ids == [0, 1, 2, 3]
    assert tiny.mask_token_id == tiny.vocabulary_size - 1
    assert tiny.id_to_token(1) == "<pad>" and tiny.token_to_id("<pad>") == 1
    assert tiny.id_to_token(10**6) is None and tiny.token_to_id("no such") is None


def test_copies_agree(tiny, tiny_directory):
    others = [
        pickle.loads(pickle.dumps(tiny)),
        copy.deepcopy(tiny),
        RobertaTokenizer.from_preset(tiny_directory),
        RobertaTokenizer(tiny.vocabulary, [" ".join(merge) for merge in tiny.merges]),
    ]
    for other in others:
        assert other == tiny and hash(other) == hash(tiny)
        assert other.encode_batch(HARD_TEXTS) == tiny.encode_batch(HARD_TEXTS)
    assert tiny != RobertaTokenizer(tiny.vocabulary, tiny.merges[:-1])
    assert tiny != RobertaTokenizer(tiny.vocabulary, tiny.merges, add_prefix_space=True)


def test_threads_share_one(tiny):
    def encode(seed):
        rng = random.Random(seed)
        chosen = rng.choices(HARD_TEXTS, k=20)
        length = rng.choice([None, 5, 9])
        return tiny.encode_batch(chosen, max_length=length) == [
            tiny(text, max_length=length) for text in chosen
        ]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(encode, range(64)))


def test_each_form_of_a_saved_one_is_read(tiny, tiny_directory, tmp_path):
    below = tmp_path / "preset" / "assets" / "tokenizer"
    tiny.save(below)
    assert RobertaTokenizer.from_preset(tmp_path / "preset") == tiny
    (below / "tokenizer.json").unlink()
    assert RobertaTokenizer.from_preset(tmp_path / "preset") == tiny


def test_prefix_space_is_kept(tiny, tmp_path):
    spaced = RobertaTokenizer(tiny.vocabulary, tiny.merges, add_prefix_space=True)
    assert spaced("fox") == tiny(" fox")
    spaced.save(tmp_path)
    assert RobertaTokenizer.from_preset(tmp_path) == spaced
    (tmp_path / "tokenizer.json").unlink()
    assert RobertaTokenizer.from_preset(tmp_path) == spaced


# Training


def test_training_is_repeatable_and_fills_the_size(tiny):
    again = train_byte_level_bpe(iter(TRAINING_TEXT), vocabulary_size=400)
    assert again == tiny
    assert train_byte_level_bpe(TRAINING_TEXT, vocabulary_size=270).vocabulary_size == 270


def test_special_tokens_in_the_text_are_not_learnt():
    trained = train_byte_level_bpe(["a<mask>b</s>c <s>x</s>"] * 50, vocabulary_size=400)
    assert trained.mask_token_id == trained.vocabulary_size - 1
    assert not any("mas" in token for token in trained.vocabulary if token != "<mask>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(texts="one string"), "single"),
        (dict(texts=[]), "no text"),
        (dict(texts=["", ""]), "no text"),
        (dict(texts=[b"bytes"]), "strings"),
        (dict(texts=["a"], vocabulary_size=260), "261"),
    ],
)
def test_training_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        train_byte_level_bpe(**arguments)


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tok: tok(3), "int"),
        (lambda tok: tok([3]), "strings, found 3"),
        (lambda tok: tok([None]), "None"),
        (lambda tok: tok(np.array([["a"]])), "shape"),
        (lambda tok: tok(["a"], ["b", "c"]), "2 of them for 1"),
        (lambda tok: tok(["a"], "b"), "text_pair"),
        (lambda tok: tok("a", max_length=1), "max_length 1"),
        (lambda tok: tok("a", "b", max_length=3), "max_length 3"),
        (lambda tok: tok.encode_batch("a"), "single"),
        (lambda tok: tok.decode([0, -100]), "-100"),
    ],
)
def test_bad_texts(tiny, call, message):
    with pytest.raises(InputError, match=message):
        call(tiny)


def edit_json(name, change):
    def edit(directory):
        content = json.loads((directory / name).read_text())
        change(content)
        (directory / name).write_text(json.dumps(content))

    return edit


def without_tokenizer_json(then):
    def edit(directory):
        (directory / "tokenizer.json").unlink()
        then(directory)

    return edit


def append(name, text):
    return lambda directory: (directory / name).open("a").write(text)


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("", shutil.rmtree, "no such directory"),
        ("", lambda d: [p.unlink() for p in d.iterdir()], "no tokenizer"),
        ("tokenizer.json", lambda d: (d / "tokenizer.json").write_text("{"), "not JSON"),
        ("tokenizer.json", lambda d: (d / "tokenizer.json").write_text("[]"), "object"),
        ("tokenizer.json", lambda d: (d / "tokenizer.json").write_bytes(b"\xff"), "UTF-8"),
        ("tokenizer.json", edit_json("tokenizer.json", lambda c: c.pop("model")), "unknown"),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c["model"].update(type="Unigram")),
            "Unigram",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c.update(pre_tokenizer={"type": "Whitespace"})),
            "Whitespace",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c.update(normalizer={"type": "Lowercase"})),
            "normalizer",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c["model"].update(dropout=0.1)),
            "dropout",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c["added_tokens"].append({"content": "<new>"})),
            "<new>",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c["model"]["vocab"].update(new=5)),
            "share the id 5",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c["model"]["vocab"].update(new="5")),
            "whole numbers",
        ),
        (
            "tokenizer.json",
            edit_json("tokenizer.json", lambda c: c["model"].update(merges=[["a"]])),
            "not a pair",
        ),
        (
            "merges.txt",
            without_tokenizer_json(lambda d: (d / "merges.txt").unlink()),
            "missing",
        ),
        ("merges.txt", without_tokenizer_json(append("merges.txt", "q qqq\n")), "qqq"),
        ("merges.txt", without_tokenizer_json(append("merges.txt", "one\n")), "not a pair"),
        (
            "merges.txt",
            without_tokenizer_json(
                lambda d: (
                    (d / "tokenizer_config.json").unlink(),  # which tells its id too
                    edit_json("vocab.json", lambda c: c.pop("<mask>"))(d),
                )
            ),
            "lacks <mask>",
        ),
        (
            "merges.txt",
            without_tokenizer_json(edit_json("vocab.json", lambda c: c.pop("\u0120"))),
            "byte",
        ),
        (
            "vocab.json",
            without_tokenizer_json(lambda d: (d / "vocab.json").write_text('{"a": ')),
            "not JSON",
        ),
    ],
)
def test_bad_files(tiny, tmp_path, file, edit, message):
    directory = tmp_path / "tokenizer"
    tiny.save(directory)
    edit(directory)
    with pytest.raises(InputError) as caught:
        RobertaTokenizer.from_preset(directory)
    assert str(directory / file) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
