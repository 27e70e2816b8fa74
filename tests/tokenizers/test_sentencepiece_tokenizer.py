"""XLM-R's tokenizer on the host: sentencepiece's own ids, from both of its files."""

import copy
import json
import pickle

import hypothesis
import numpy as np
import pytest
import sentencepiece
from hypothesis import strategies as st
from sentencepiece_models import PARTS, TEXTS, generated_texts, trained_tokenizer
from small_tokenizers import unigram, write

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import HostTokenizer, RobertaTokenizer, open_tokenizer
from keras_roberta.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer
from keras_roberta.tokenizers.unigram.long_texts import BLOCK, part_begins

texts_of_parts = st.lists(st.sampled_from(PARTS), max_size=20).map("".join)


@pytest.fixture(scope="module")
def directory_and_tokenizer(tmp_path_factory):
    return trained_tokenizer(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def tokenizer(directory_and_tokenizer):
    return directory_and_tokenizer[1]


@pytest.fixture(scope="module")
def processor(directory_and_tokenizer):
    path = directory_and_tokenizer[0] / "sentencepiece.bpe.model"
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def sentencepiece_ids(processor, text):
    """fairseq's: one more than sentencepiece's, and `<unk>` is 3."""
    return [index + 1 if index else 3 for index in processor.encode(text)]


def test_the_kind_is_found(directory_and_tokenizer, tmp_path):
    directory, tokenizer = directory_and_tokenizer
    assert isinstance(tokenizer, SentencePieceTokenizer)
    assert tokenizer.kind_name == "SentencePiece" and tokenizer.model_max_length is None
    roles = (tokenizer.start_token_id, tokenizer.pad_token_id, tokenizer.end_token_id)
    assert (*roles, tokenizer.unk_token_id) == (0, 1, 2, 3)
    assert tokenizer.mask_token_id == len(tokenizer) - 1
    # Without sentencepiece's rules a Unigram is the library's own.
    other = open_tokenizer(write(unigram(), tmp_path / "library"))
    assert type(other) is HostTokenizer and other.kind_name == "Unigram"
    with pytest.raises(InputError, match="holds a Unigram tokenizer; RoBERTa's is a byte-level"):
        RobertaTokenizer.from_preset(directory)


def test_added_tokens_of_white_space_are_whole(directory_and_tokenizer):
    tokenizer = open_tokenizer(directory_and_tokenizer[0])
    tokenizer.add_tokens(["\n", "\x1cfoo", " foo "])
    places = tokenizer.encode_with_offsets(["a\na", "a\x1cfoo", "a foo a"])
    assert [row[1] for row in (p for _, p in places)] == [(1, 2), (1, 5), (2, 5)]
    graph = tokenizer.batched_in_graph()(["a\na", "a\x1cfoo", "a foo a"], with_offsets=True)
    assert graph["offsets"][:, 2].numpy().tolist() == [[1, 2], [1, 5], [2, 5]]


JOINING = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}


@pytest.mark.parametrize(
    ("replacing", "splits", "kind"),
    [
        ([], [{"type": "WhitespaceSplit"}, METASPACE], "SentencePiece"),
        ([JOINING], [METASPACE], "SentencePiece"),
        ([{**JOINING, "content": "\u2581"}], [METASPACE], "SentencePiece"),
        ([], [METASPACE], "Unigram"),
        ([{**JOINING, "content": ""}], [METASPACE], "Unigram"),
        ([{**JOINING, "pattern": {"String": "a"}}], [METASPACE], "Unigram"),
        ([JOINING, {**JOINING, "pattern": {"String": "``"}}], [METASPACE], "Unigram"),
    ],
)
def test_parts_that_mean_sentencepiece(tokenizer, tmp_path, replacing, splits, kind):
    content = json.loads(tokenizer._rust.to_str())
    normalizers = [content["normalizer"], *replacing]
    content["normalizer"] = {"type": "Sequence", "normalizers": normalizers}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": splits}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    assert open_tokenizer(tmp_path).kind_name == kind


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(st.one_of(st.text(max_size=30), texts_of_parts))
def test_ids_are_sentencepieces(tokenizer, processor, text):
    special = [token.content for token in tokenizer.added_tokens]
    hypothesis.assume(not any(token in text for token in special))
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    expected = sentencepiece_ids(processor, text)
    assert tokenizer(text, add_special_tokens=False) == expected
    assert tokenizer(text) == [0, *expected, 2]
    assert tokenizer.encode_with_offsets([text])[0][0] == expected
    plain = tokenizer.encode_plain([text])
    assert plain.token_ids.tolist() == expected


def test_special_tokens_and_pairs(tokenizer, processor):
    def ids(text):
        return sentencepiece_ids(processor, text)

    mask = tokenizer.mask_token_id
    # <mask> takes white space in front along; each stretch is a text of its own.
    expected = [*ids("the"), mask, *ids("fox"), 2, *ids("dog")]
    assert tokenizer("the <mask>fox</s> dog", add_special_tokens=False) == expected
    pair = tokenizer("the fox", "a <mask>")
    assert pair == [0, *ids("the fox"), 2, 2, *ids("a"), mask, 2]
    assert tokenizer("the fox", "a <mask>", max_length=6) == [
        0,
        *ids("the fox")[:1],
        2,
        2,
        *ids("a")[:1],
        2,
    ]
    plain = tokenizer.encode_plain(["the </s> <mask>"]).token_ids.tolist()
    assert plain == ids("the </s> <mask>")


def test_added_tokens(tokenizer, processor):
    more = copy.copy(tokenizer)
    assert more.add_tokens(["foxy", "\u00c4rg"]) == 2
    ids = more("a foxy \u00c4rger", add_special_tokens=False)
    first, second = len(tokenizer), len(tokenizer) + 1
    rest = sentencepiece_ids(processor, "er")
    assert ids == [*sentencepiece_ids(processor, "a "), first, second, *rest]
    assert len(more) == len(tokenizer) + 2 and more != tokenizer
    assert tokenizer("foxy", add_special_tokens=False) == sentencepiece_ids(processor, "foxy")


def test_offsets(tokenizer):
    text = "  the  fox\u3000\u00bd \ufb01 <mask> e\u0301\U00013000"
    ids, places = tokenizer.encode_with_offsets([text])[0]
    tokens = [tokenizer.id_to_token(index) for index in ids]
    assert len(ids) == len(places)
    assert places[tokens.index("<mask>")] == (text.index("<mask>"), text.index("<mask>") + 6)
    covered = {i for begin, end in places for i in range(begin, end)}
    assert covered >= {i for i, letter in enumerate(text) if not letter.isspace()}
    assert all(not text[begin:end].strip() or not text[begin].isspace() for begin, end in places)
    # Letters that came from one character share its place.
    half = text.index("\u00bd")
    assert [p for p in places if p[0] <= half < p[1]] == [(half, half + 1)] * sum(
        p[0] == half for p in places
    )
    assert places[-1] == (len(text) - 1, len(text)) and ids[-1] == 3
    words = tokenizer.encode_words(["the fox sees"])[0]
    assert words.words[0] == 0 and words.words[-1] == 2 and words.token_ids == tokenizer(
        "the fox sees", add_special_tokens=False
    )  # fmt: skip
    split = tokenizer.encode_words([["the", "fox"]], is_split_into_words=True)[0]
    assert split.token_ids == tokenizer("the fox", add_special_tokens=False)
    assert set(split.words) == {0, 1} and split.offsets[-1][1] == 3


@pytest.mark.parametrize("text", [TEXTS[0], TEXTS[3], "  \u00bd x ", "\x01the \x01fox\x01"])
def test_plain_places(tokenizer, text):
    plain = tokenizer.encode_plain([text, ""])
    assert plain.row_lengths.tolist() == [len(plain.token_ids), 0]
    assert (np.diff(plain.begins) >= 0).all() and (np.diff(plain.ends) >= 0).all()
    assert plain.ends[-1] == len(text.encode())


def test_both_files_say_the_same(directory_and_tokenizer, tmp_path):
    _, tokenizer = directory_and_tokenizer
    tokenizer.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "tokenizer.json").is_file()
    texts = [*TEXTS, *generated_texts(200, seed=3)]
    expected = tokenizer(texts)
    others = [open_tokenizer(tmp_path / "saved"), pickle.loads(pickle.dumps(tokenizer))]
    for other in (*others, copy.deepcopy(tokenizer)):
        assert other == tokenizer and other(texts) == expected
        assert other.decode_batch(expected) == tokenizer.decode_batch(expected)
    # The same file read by the library gives other ids, so it is another tokenizer.
    library = HostTokenizer(others[0]._rust, kind=tokenizer.kind)
    assert library != tokenizer


def test_decoding(tokenizer):
    for text in TEXTS[:2]:
        assert tokenizer.decode(tokenizer(text)) == text
    assert tokenizer.decode(tokenizer("a \u00bd")) == "a 1\u20442"


def test_trimmed(tokenizer):
    ids = tokenizer(TEXTS[0], add_special_tokens=False)
    small, rows = tokenizer.trimmed(ids)
    assert isinstance(small, SentencePieceTokenizer) and len(small) < len(tokenizer)
    assert rows[small(TEXTS[0], add_special_tokens=False)].tolist() == ids
    assert small.decode(small(TEXTS[0])) == TEXTS[0]


def test_long_texts_are_read_in_parts(tokenizer, processor):
    text = ("the fox sees a dog " * (1 + 2 * BLOCK // 19)).strip()
    cuts = part_begins(text.encode())
    assert len(cuts) == 3 and all(text[cut] == " " for cut in cuts[1:])
    parts = [text[a:b] for a, b in zip(cuts, [*cuts[1:], None], strict=True)]
    expected = [index for part in parts for index in sentencepiece_ids(processor, part)]
    assert tokenizer(text, add_special_tokens=False) == expected
    ids, places = tokenizer.encode_with_offsets([text])[0]
    assert ids == expected and places[-1][1] == len(text)
    word = "\u65e5" * BLOCK  # three bytes each: cut between characters
    assert len(tokenizer(word, add_special_tokens=False)) > 3
    assert [cut % 3 for cut in part_begins(word.encode())] == [0, 0, 0]


def test_xlmr_on_real_texts(data_directory):
    """XLM-R's own vocabulary, from `tokenizer.json`, beside sentencepiece with its own file."""
    directory = data_directory / "xlmr-small"
    if not directory.is_dir():
        pytest.skip(f"no {directory}")
    tokenizer = open_tokenizer(directory)
    path = str(directory / "sentencepiece.bpe.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    lines = []
    for folder in ("lingua_sentences", "debian_handbook"):
        for file in sorted((data_directory / folder).glob("*.txt")):
            lines += file.read_text("utf-8").splitlines()[::20]
    assert len(lines) > 500
    assert tokenizer(lines, add_special_tokens=False) == [
        sentencepiece_ids(processor, line) for line in lines
    ]
    reference = json.loads((directory / "reference_embeddings.json").read_text("utf-8"))
    assert tokenizer(list(reference)) == [entry["ids"] for entry in reference.values()]
