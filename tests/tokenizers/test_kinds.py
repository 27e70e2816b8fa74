"""Every kind of tokenizer does what `Tokenizer` promises; the library itself is the oracle."""

import copy
import inspect
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from small_tokenizers import MAKERS, SPECIALS, words, write
from tokenizers import Tokenizer as Library
from tokenizers import normalizers, processors

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import HostTokenizer, RobertaTokenizer, Tokenizer, open_tokenizer

HARD_TEXTS = [
    "",
    " ",
    "the fox",
    "  the \n lazy\tdog ",
    "a<mask>b <mask> </s>",
    "\u00c4rger \u00fcber \u65e5\u672c\u8a9e",
    "e\u0301 \U0001f468\u200d\U0001f469 \u2581x \x00",
    "the fox sees a dog. " * 20,
]


@pytest.fixture(scope="module")
def tokenizer(tokenizer_of_a_kind):
    return tokenizer_of_a_kind


def open_kind(name, tmp_path):
    return open_tokenizer(write(MAKERS[name](), tmp_path / name))


def test_no_promise_is_left_out():
    assert Tokenizer in HostTokenizer.__mro__ and HostTokenizer in RobertaTokenizer.__mro__
    for name, value in vars(Tokenizer).items():
        if inspect.isfunction(value) and (name == "__call__" or not name.startswith("_")):
            assert getattr(HostTokenizer, name) is not value, name


def test_the_kind_is_found(tokenizer, directory):
    assert tokenizer.kind_name in MAKERS
    assert isinstance(tokenizer, RobertaTokenizer) == (tokenizer.kind_name == "byte-level BPE")
    assert open_tokenizer(tokenizer) is tokenizer
    assert open_tokenizer(str(directory)) == tokenizer
    for other in (None, 3, b"directory"):
        with pytest.raises(InputError, match="tokenizer: expected a directory"):
            open_tokenizer(other)


def test_special_tokens(tokenizer):
    roles = [tokenizer.start_token_id, tokenizer.pad_token_id, tokenizer.end_token_id]
    roles += [tokenizer.unk_token_id, tokenizer.mask_token_id]
    assert roles == [0, 1, 2, 3, 4] == list(tokenizer.special_token_ids)
    assert [tokenizer.token_to_id(token) for token in SPECIALS] == roles
    assert tokenizer.vocabulary_size == len(tokenizer.vocabulary)
    assert tokenizer.id_to_token(10**6) is None and tokenizer.token_to_id("no such") is None


def test_ids_are_the_librarys(tokenizer, directory):
    made = Library.from_file(str(directory / "tokenizer.json"))
    if tokenizer.kind_name == "byte-level BPE":
        made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
        texts = [text for text in HARD_TEXTS if "<mask>" not in text]
    else:
        texts = HARD_TEXTS
    bare = [e.ids for e in made.encode_batch(texts, add_special_tokens=False)]
    assert tokenizer(texts, add_special_tokens=False) == bare
    assert tokenizer(texts) == [[0, *ids, 2] for ids in bare]
    first, second = bare[2], bare[3]
    assert tokenizer(texts[2], texts[3]) == [0, *first, 2, 2, *second, 2]


@pytest.mark.parametrize("max_length", [4, 5, 7, 10, 30])
def test_cut_as_the_library_does(tokenizer, directory, max_length):
    made = Library.from_file(str(directory / "tokenizer.json"))
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    made.enable_truncation(max_length, strategy="longest_first")
    pieces = ["", "a dog", "the fox sees a lazy dog", "the " * 30]
    pairs = [(a, b) for a in pieces for b in pieces]
    expected = [encoding.ids for encoding in made.encode_batch(pairs)]
    assert tokenizer(*map(list, zip(*pairs, strict=True)), max_length=max_length) == expected
    values, row_lengths = tokenizer.encode_ragged(pieces, max_length=max_length)
    singles = [encoding.ids for encoding in made.encode_batch(pieces)]
    assert values.tolist() == sum(singles, []) and row_lengths.tolist() == list(map(len, singles))


def test_no_room(tokenizer):
    with pytest.raises(InputError, match="max_length 1"):
        tokenizer("a", max_length=1)
    with pytest.raises(InputError, match="max_length 3"):
        tokenizer.encode_aligned(["a"], ["b"], max_length=3)


def test_offsets(tokenizer):
    text = "  the fox, \u00c4rger"
    ((ids, offsets),) = tokenizer.encode_with_offsets([text])
    assert ids == tokenizer(text, add_special_tokens=False)
    covered = {place for begin, end in offsets for place in range(begin, end)}
    assert covered >= {i for i, letter in enumerate(text) if not letter.isspace()}
    for begin, end in offsets:  # white space is alone or behind
        assert not text[begin:end].strip() or not text[begin].isspace()


def test_aligned_rows(tokenizer):
    firsts, seconds = ["the lazy fox", "a"], ["a dog.", "the fox sees a dog"]
    aligned = tokenizer.encode_aligned(firsts, seconds, max_length=12)
    values, row_lengths = tokenizer.encode_ragged(firsts, seconds, max_length=12)
    np.testing.assert_array_equal(aligned.token_ids, values)
    np.testing.assert_array_equal(aligned.row_lengths, row_lengths)
    assert aligned.offsets.shape == (len(values), 2) and aligned.sides.shape == values.shape
    rows = np.repeat(np.arange(2), row_lengths)
    for row in range(2):
        for side, texts in ((0, firsts), (1, seconds)):
            here = (rows == row) & (aligned.sides == side)
            whole = tokenizer.encode_with_offsets([texts[row]])[0]
            kept = here.sum()
            assert kept and aligned.token_ids[here].tolist() == whole[0][:kept]
            assert aligned.offsets[here].tolist() == [list(place) for place in whole[1][:kept]]
    around = aligned.sides == -1
    assert set(aligned.token_ids[around]) == {0, 2} and not aligned.offsets[around].any()
    nothing = tokenizer.encode_aligned([])
    assert nothing.offsets.shape == (0, 2) and nothing.row_lengths.shape == (0,)


def test_special_tokens_in_plain_texts_are_text(tokenizer):
    text = "</s> a <mask> <unk> b<s> <pad>"
    plain = tokenizer.encode_plain([text, "", "a dog"])
    assert not np.isin(plain.token_ids, [0, 1, 2, 4]).any()
    assert plain.row_lengths[1] == 0 and plain.row_lengths.sum() == len(plain.token_ids)
    assert plain.token_ids[-plain.row_lengths[2] :].tolist() == tokenizer(
        "a dog", add_special_tokens=False
    )


def test_plain_places_are_bytes(tokenizer):
    texts = ["\u00c4rger \u00fcber den Fuchs", "a dog", "the fox "]
    plain = tokenizer.encode_plain(texts)
    rows = np.repeat(np.arange(3), plain.row_lengths)
    for row, text in enumerate(texts):
        utf8 = text.encode()
        begins, ends = plain.begins[rows == row], plain.ends[rows == row]
        assert (np.diff(begins) >= 0).all() and (np.diff(ends) >= 0).all()
        assert ends[-1] == len(utf8)
        # Nothing but white space lies between tokens.
        between = zip([0, *ends], [*begins, len(utf8)], strict=True)
        assert not any(utf8[a:b].strip() for a, b in between)


def test_decode(tokenizer):
    ids = tokenizer("the fox")
    assert tokenizer.decode(ids) == "the fox"
    assert tokenizer.decode_batch([ids, np.array(ids)]) == ["the fox"] * 2
    with pytest.raises(InputError, match="-100"):
        tokenizer.decode([5, -100])


def test_what_is_not_unicode_is_replaced(tokenizer):
    assert tokenizer("a\ud800b") == tokenizer("a\ufffdb") == tokenizer(b"a\xffb")
    assert len(tokenizer.encode_with_offsets(["a\ud800b"])[0][0]) > 0
    assert tokenizer.encode_plain(["a\ud800"]).row_lengths[0] > 0


def test_copies_agree(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "assets" / "tokenizer")
    others = [
        pickle.loads(pickle.dumps(tokenizer)),
        copy.deepcopy(tokenizer),
        open_tokenizer(tmp_path),
    ]
    for other in others:
        assert other == tokenizer and hash(other) == hash(tokenizer)
        assert other.fingerprint == tokenizer.fingerprint
        assert other.encode_batch(HARD_TEXTS) == tokenizer.encode_batch(HARD_TEXTS)
        assert other.decode(other("the fox")) == "the fox"


def test_kinds_and_vocabularies_differ(tmp_path):
    made = {name: open_kind(name, tmp_path) for name in MAKERS}
    assert len({tokenizer.fingerprint for tokenizer in made.values()}) == len(MAKERS)
    changed = json.loads(words().to_str())
    changed["model"]["vocab"]["cat"] = len(changed["model"]["vocab"])
    other = open_tokenizer(write(Library.from_str(json.dumps(changed)), tmp_path / "changed"))
    assert other != made["words"]
    lower = words()
    lower.normalizer = normalizers.Lowercase()
    assert open_tokenizer(write(lower, tmp_path / "lower")) != made["words"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("byte-level BPE", "the| fox| sees| a| dog."),
        ("Unigram", "|\u2581the|\u2581fox|\u2581sees|\u2581a|\u2581dog."),
        ("words", "|the|fox|sees|a|dog|."),
        ("characters", "the| fox| sees| a| dog."),
    ],
)
def test_words_begin(tmp_path, name, expected):
    tokenizer = open_kind(name, tmp_path)
    starts = tokenizer.starts_word()
    assert starts.dtype == bool and starts.shape == (tokenizer.vocabulary_size,)
    assert not starts[list(tokenizer.special_token_ids)].any()
    ids = tokenizer("the fox sees a dog.", add_special_tokens=False)
    found = "".join("|" * bool(starts[i]) + tokenizer.id_to_token(i) for i in ids)
    assert found.replace("\u0120", " ") == expected


def test_texts_of_tokens(tokenizer):
    texts = tokenizer.token_texts()
    assert len(texts) == tokenizer.vocabulary_size
    assert all(texts[index] is None for index in tokenizer.special_token_ids)
    ids = tokenizer("the \u00c4rger", add_special_tokens=False)
    if tokenizer.kind_name == "byte-level BPE":
        ids = [index for index in ids if texts[index] is not None]  # the others: parts of "\u00c4"
    spaceless = "".join(texts[index] for index in ids).replace(" ", "")
    assert spaceless in ("the\u00c4rger", "therger")


def test_byte_lengths(tokenizer):
    lengths = tokenizer.byte_lengths()
    if tokenizer.kind_name != "byte-level BPE":
        assert lengths is None
        return
    for text in ("the fox", "\u00c4rger \u65e5\u672c  \n", ""):
        ids = tokenizer(text, add_special_tokens=False)
        assert lengths[ids].sum() == len(text.encode())


@pytest.mark.parametrize(
    ("imports", "not_imported"),
    [
        ("from keras_roberta.tokenizers import open_tokenizer", ["tensorflow", "keras"]),
        ("from keras_roberta.tokenizers import byte_buffer", ["tensorflow", "tokenizers"]),
    ],
)
def test_what_imports_wait_for(imports, not_imported):
    program = f"import sys\n{imports}\nprint([n for n in {not_imported} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr
