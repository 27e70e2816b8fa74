"""Sentences and tokens of documents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_roberta.data.corpus.corpora import Document
from keras_roberta.data.corpus.encoding import DocumentEncoder
from keras_roberta.data.corpus.sentences import sentence_ends
from keras_roberta.data.corpus.shards import NO_LABEL
from keras_roberta.errors import InputError


def sentences(text, rule="prose"):
    ends = sentence_ends(text.encode(), rule).tolist()
    return [text.encode()[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("One. Two!  Three", ["One.", " Two!", "  Three"]),
        ("It is 3.5 m, www.x.org?", ["It is 3.5 m, www.x.org?"]),
        ('"Yes!" (he said.) No', ['"Yes!"', " (he said.)", " No"]),
        ("« Oui. » Non", ["« Oui.", " » Non"]),
        ("„Ja.“ «Да.» Нет", ["„Ja.“ «Да.»", " Нет"]),
        ("a line\nthat goes on. Here", ["a line\nthat goes on.", " Here"]),
        ("Title\n \nText", ["Title", "\n \nText"]),
        ("你好。再见！ok", ["你好。", "再见！", "ok"]),
        ("هل هذا؟ نعم", ["هل هذا؟", " نعم"]),
        ("यह है। हाँ", ["यह है।", " हाँ"]),
        ("Wait … what", ["Wait …", " what"]),
        ("...", ["..."]),
    ],
)
def test_where_sentences_end(text, expected):
    assert sentences(text) == expected


def test_one_sentence_a_line():
    assert sentences("One. Two\nthree\n\nfour", "line") == ["One. Two", "\nthree", "\n\nfour"]
    with pytest.raises(InputError, match="sentences 'page'"):
        sentence_ends(b"a", "page")


def document(text, labels=()):
    return Document(text, "en", "here", labels)


texts = st.lists(
    st.text(st.sampled_from("ab .!?\n\"'é。”<>s/Я"), min_size=1).filter(str.strip),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(texts)
def test_tokens_are_those_of_the_whole_text_and_sentences_sum_up(tokenizer, texts):
    texts = [text.strip() for text in texts]
    encoded = DocumentEncoder(tokenizer)([document(text) for text in texts])
    for text, one in zip(texts, encoded, strict=True):
        assert one.token_ids.dtype == np.uint16
        assert tokenizer.decode(one.token_ids) == text
        assert one.sentence_lengths.sum() == len(one.token_ids)
        assert (one.sentence_lengths > 0).all()
        # Each document as it would be alone, and each sentence where the text says.
        (alone,) = DocumentEncoder(tokenizer)([document(text)])
        np.testing.assert_array_equal(alone.token_ids, one.token_ids)
        np.testing.assert_array_equal(alone.sentence_lengths, one.sentence_lengths)
        if "。" not in text:  # Elsewhere a sentence may end within a token.
            ends = np.cumsum(one.sentence_lengths)
            parts = [
                tokenizer.decode(one.token_ids[a:b]) for a, b in zip([0, *ends], ends, strict=False)
            ]
            assert parts == sentences(text)


def test_special_tokens_in_a_text_are_text(tokenizer):
    (one,) = DocumentEncoder(tokenizer)([document("a </s> <mask> b")])
    assert not np.isin(one.token_ids, tokenizer.special_token_ids).any()
    assert tokenizer.decode(one.token_ids) == "a </s> <mask> b"


def test_labels_of_the_corpus(tokenizer):
    text = "  Ämne: a fine film"
    labels = ((8, 14, "PER"), (2, 6, "LOC"))
    (one,) = DocumentEncoder(tokenizer, token_classes=("O", "PER", "LOC"))([document(text, labels)])
    by_class = {}
    for index, label in zip(one.token_ids, one.labels, strict=True):
        by_class.setdefault(label, []).append(index)
    assert tokenizer.decode(by_class[1]).strip() == "a fine"
    assert tokenizer.decode(by_class[2]).strip() == "Ämne"
    (one,) = DocumentEncoder(tokenizer, token_classes=("PER", "LOC"))([document(text, labels)])
    assert NO_LABEL in one.labels
    with pytest.raises(InputError, match="here: label 'ORG' is none of PER"):
        DocumentEncoder(tokenizer, token_classes=("PER",))([document("a", ((0, 1, "ORG"),))])
