"""Tokenizers with a part of their vocabulary: texts keep their tokens where these are all there,
and every text still comes back whole."""

import functools
import json
import random

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from small_tokenizers import SPECIALS, TEXTS, _with_special_tokens
from tokenizer_reference import library, rows
from tokenizer_texts import TEXTS as ODD_TEXTS
from tokenizer_texts import generated_texts, strings
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import RobertaTokenizer, open_tokenizer
from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.unigram import UNIGRAM
from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS
from keras_roberta.tokenizers.spelling import byte_alphabet
from keras_roberta.tokenizers.training import train_byte_level_bpe

quick = hypothesis.settings(deadline=None, max_examples=40)


@functools.cache
def trained():
    texts = ["the fox sees the lazy dog", "she sells sea shells", "lower lowest low 1234"] * 3
    return train_byte_level_bpe([*texts, "日本語 Ärger übung"], vocabulary_size=330)


def with_merges(seed):
    """Of merges that no training would learn: several ways to a token, ranks in any order."""
    chance = random.Random(seed)
    tokens, merges = ["a", "b", "c", "Ġ"], []
    for _ in range(40):
        left, right = chance.choice(tokens), chance.choice(tokens)
        if len(left + right) <= 9:
            merges.append((left, right))
            tokens.append(left + right)
    if seed % 2:
        chance.shuffle(merges)
    tokens = [*SPECIAL_TOKENS, *byte_alphabet(), *dict.fromkeys(tokens[4:])]
    return RobertaTokenizer({token: i for i, token in enumerate(tokens)}, merges)


def tokens_of(tokenizer, texts):
    return [[tokenizer.id_to_token(i) for i in ids] for ids in tokenizer.encode_batch(texts)]


def used_by(tokenizer, texts):
    return {i for ids in tokenizer.encode_batch(texts, add_special_tokens=False) for i in ids}


@quick
@hypothesis.given(st.lists(strings, max_size=4), st.lists(strings, max_size=3))
def test_a_corpus_keeps_its_tokens_and_other_texts_come_back(corpus, others):
    tokenizer = trained()
    trimmed, kept = tokenizer.trimmed(used_by(tokenizer, corpus))
    assert tokens_of(trimmed, corpus) == tokens_of(tokenizer, corpus)
    for text in [*corpus, *others]:
        ids = trimmed.encode(text, add_special_tokens=False)
        # `<mask>` takes the white space in front along, here as there.
        expected = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), False)
        assert trimmed.decode(ids, skip_special_tokens=False) == expected
        if "<" not in text:
            assert trimmed.decode(ids) == text


@pytest.mark.parametrize("seed", range(8))
def test_with_any_merges_the_texts_of_tokens_that_stay_are_as_before(seed):
    tokenizer, chance = with_merges(seed), random.Random(seed)
    for _ in range(6):
        texts = ["".join(chance.choices("abc ", (6, 4, 3, 1), k=k)) for k in range(2, 40, 3)]
        trimmed, kept = tokenizer.trimmed(used_by(tokenizer, texts))
        assert tokens_of(trimmed, texts) == tokens_of(tokenizer, texts)
        others = ["".join(chance.choices("abcd ", k=20)) for _ in range(20)]
        assert trimmed.decode_batch(trimmed.encode_batch(others)) == others
        # By the library alone, from the merges whose parts and result are there.
        tokens = {tokenizer.id_to_token(i) for i in kept}
        merges = [m for m in tokenizer.merges if {*m, "".join(m)} <= tokens]
        assert trimmed.merges == merges
        vocabulary = trimmed.vocabulary
        reference = library(vocabulary, merges)
        found = [[vocabulary[t] for t in e.tokens] for e in reference.encode_batch(others)]
        assert trimmed.encode_batch(others) == found


@quick
@hypothesis.given(st.sets(st.integers(0, 10**6).map(lambda i: i % trained().vocabulary_size)))
def test_what_stays(wanted):
    tokenizer = trained()
    trimmed, kept = tokenizer.trimmed(wanted)
    old, new = tokenizer.vocabulary, trimmed.vocabulary
    assert wanted | {old[t] for t in (*byte_alphabet(), *SPECIAL_TOKENS)} <= set(kept.tolist())
    assert kept.tolist() == sorted(set(kept.tolist())) and len(kept) == trimmed.vocabulary_size
    assert new == {tokenizer.id_to_token(i): place for place, i in enumerate(kept)}
    # Each token that stays can still be built.
    texts = trimmed.token_texts()
    for token, index in new.items():
        if texts[index] is not None and used_by(tokenizer, [texts[index]]) == {old[token]}:
            assert used_by(trimmed, [texts[index]]) == {index}, token
    again, same = trimmed.trimmed(range(trimmed.vocabulary_size))
    assert again == trimmed and same.tolist() == list(range(len(kept)))


def test_nothing_but_bytes():
    trimmed, _ = trained().trimmed([])
    assert trimmed.vocabulary_size == 256 + len(SPECIAL_TOKENS) and trimmed.merges == []
    for text in (*ODD_TEXTS[:12], *generated_texts(60)):
        if "<" not in text:
            assert trimmed.decode(trimmed(text)) == text


def test_added_tokens_and_settings_stay():
    vocabulary = trained().vocabulary
    tokenizer = RobertaTokenizer(vocabulary, trained().merges, True, model_max_length=77)
    tokenizer.add_tokens(["naïve", AddedToken("<ent>", lstrip=True, special=True)])
    trimmed, kept = tokenizer.trimmed([])
    assert trimmed.add_prefix_space and trimmed.model_max_length == 77
    added = {token.content: token for token in tokenizer.added_tokens}
    for token in trimmed.added_tokens:
        assert token._replace(id=0) == added[token.content]._replace(id=0)
        assert kept[token.id] == added[token.content].id
    text = "a naïve dog <ent> <mask>"
    found, expected = trimmed.encode(text), tokenizer.encode(text)
    assert trimmed.decode(found, False) == tokenizer.decode(expected, False)
    assert trimmed.token_to_id("naïve") in found and trimmed.token_to_id("<ent>") in found


def test_padding_keeps_its_id():
    """Models count positions from it."""
    letters = byte_alphabet()
    tokens = [*letters[:20], "<s>", "ab", "abc", "<pad>", *letters[20:], "</s>", "<unk>", "<mask>"]
    tokenizer = RobertaTokenizer(
        {token: i for i, token in enumerate(tokens)}, [("a", "b"), ("ab", "c")]
    )
    trimmed, kept = tokenizer.trimmed([])
    assert tokenizer.pad_token_id == trimmed.pad_token_id == 23
    assert [tokenizer.id_to_token(i) for i in kept] == [trimmed.id_to_token(i) for i in range(261)]
    assert sorted(kept) == [i for i in range(263) if tokens[i] not in ("ab", "abc")]
    far = {token: i for i, token in enumerate([t for t in tokens if t != "<pad>"])} | {"<pad>": 900}
    with pytest.raises(InputError, match="its padding has the id 900"):
        RobertaTokenizer(far, [("a", "b"), ("ab", "c")]).trimmed([])


def test_saved_and_in_graphs(tmp_path):
    tokenizer = trained()
    texts = ["the fox sells", "lowest Ärger!", "日 <mask> x", ""]
    trimmed, _ = tokenizer.trimmed(used_by(tokenizer, texts[:1]))
    trimmed.save(tmp_path)
    assert open_tokenizer(tmp_path) == trimmed != tokenizer
    reference = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    expected = trimmed.encode_batch(texts)
    assert [e.ids for e in reference.encode_batch(texts)] == expected
    assert rows(trimmed.batched_in_graph()(texts)) == expected


def unigram_of(scores, **settings):
    made = Tokenizer(models.Unigram(scores, unk_id=3, **settings))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return HostTokenizer(_with_special_tokens(made), kind=UNIGRAM)


def random_unigram(seed):
    """Pieces of a few letters; "d" is in pieces alone, "e" is not known. The scores are exact, so
    that the same pieces in another order have the same score."""
    chance = random.Random(seed)
    pieces = sorted({"".join(chance.choices("▁abcd", k=chance.randrange(2, 6))) for _ in range(40)})
    scores = [(token, 0.0) for token in SPECIALS]
    scores += [(piece, -chance.randrange(64, 800) / 64) for piece in pieces]
    return unigram_of(scores + [(letter, -chance.randrange(500, 900) / 64) for letter in "▁abc"])


@pytest.mark.parametrize("characters", ["all", "used"])
@pytest.mark.parametrize("seed", range(6))
def test_the_best_way_to_cut_a_text_stays_the_best(seed, characters):
    tokenizer, chance = random_unigram(seed), random.Random(seed)
    for _ in range(4):
        texts = ["".join(chance.choices("abcde ", (6, 4, 3, 2, 1, 2), k=25)) for _ in range(4)]
        trimmed, kept = tokenizer.trimmed(used_by(tokenizer, texts), characters)
        assert trimmed.vocabulary_size == len(kept) < tokenizer.vocabulary_size
        assert tokens_of(trimmed, texts) == tokens_of(tokenizer, texts)
        assert [tokenizer.id_to_token(i) for i in kept] == [
            trimmed.id_to_token(i) for i in range(len(kept))
        ]


def test_a_unigram_keeps_scores_and_characters(tmp_path):
    pieces = [("▁the", -2.0), ("▁", -2.5), ("ox", -3.0), ("▁cat", -4.0)]
    letters = [(letter, -9.0 - i / 10) for i, letter in enumerate("theoxcatz")]
    scores = [*((t, 0.0) for t in SPECIALS), *pieces, *dict(letters).items(), ("zz", -20.0)]
    tokenizer = unigram_of(scores)
    the = tokenizer.token_to_id("▁the")
    trimmed, kept = tokenizer.trimmed([the])
    left = [scores[i][0] for i in kept]
    assert left == [*SPECIALS, "▁the", "▁", *dict(letters), "zz"]  # zz has the least score
    trimmed.save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    assert content["model"]["vocab"] == [list(scores[i]) for i in kept]
    assert content["model"]["unk_id"] == 3
    assert [(t["content"], t["id"]) for t in content["added_tokens"]] == [
        *zip(SPECIALS, range(5), strict=True)
    ]
    assert open_tokenizer(tmp_path) == trimmed
    assert trimmed.decode(trimmed("the ox")) == "the ox"
    used, kept = tokenizer.trimmed([the], "used")
    assert [scores[i][0] for i in kept] == [*SPECIALS, "▁the", "▁", "t", "h", "e", "zz"]
    with pytest.raises(InputError, match="characters 'some': expected one of all, used"):
        tokenizer.trimmed([the], "some")


def test_bytes_of_a_unigram_stay():
    of_bytes = [(f"<0x{byte:02X}>", -12.0) for byte in range(256)]
    scores = [*((t, 0.0) for t in SPECIALS), ("▁a", -1.0), ("▁bc", -1.5), ("▁", -2.0)]
    tokenizer = unigram_of([*scores, *of_bytes], byte_fallback=True)
    trimmed, kept = tokenizer.trimmed([])
    assert trimmed.vocabulary_size == len(SPECIALS) + 1 + 256
    assert tokens_of(trimmed, ["ü"]) == tokens_of(tokenizer, ["ü"])


def test_the_ids_around_texts_follow_theirs():
    made = Tokenizer(models.Unigram([(t, 0.0) for t in ["x", "xx", *SPECIALS]], unk_id=5))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    _with_special_tokens(made)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 2), ("</s>", 4)]
    )
    trimmed, kept = HostTokenizer(made, kind=UNIGRAM).trimmed([])
    assert kept.tolist() == [0, 2, 4, 3, 5, 6]  # <pad> stays at 3
    assert trimmed.special_token_layout == ([1], [2], [1], [2], [2])


def test_what_cannot_be_trimmed(tokenizer_of_a_kind):
    tokenizer = tokenizer_of_a_kind
    if tokenizer.kind_name in ("words", "characters"):
        with pytest.raises(InputError, match=rf"\({tokenizer.kind_name}\) cannot be trimmed"):
            tokenizer.trimmed([])
        return
    trimmed, kept = tokenizer.trimmed(used_by(tokenizer, TEXTS))
    assert tokens_of(trimmed, TEXTS) == tokens_of(tokenizer, TEXTS)
    with pytest.raises(InputError, match="5000 is the id of no token"):
        tokenizer.trimmed(np.array([5000]))
