"""Tokenizers of words and characters in graphs: the host's ids and places, for every text, in both
forms. Byte-level BPE and SentencePiece have files of their own."""

import json
import random

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from small_tokenizers import SPECIALS, words, write
from tokenizer_texts import TEXTS, TRAINING_TEXTS, generated_texts, malformed, strings
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from keras_roberta.tokenizers import byte_buffer, open_tokenizer
from keras_roberta.tokenizers.in_graph.unit_tables import _classes
from keras_roberta.tokenizers.kinds import splitting
from keras_roberta.tokenizers.offsets import tokens_in_bytes
from keras_roberta.tokenizers.training import train_characters, train_words

NUM_BYTES, LENGTH = 160, 48  # of the static tokenizer
MORE_TEXTS = [
    "\u0130STANBUL \u0130\u0130 \u01c5 \u1e9e \u03a3",
    "\u200d\u200c a\u200db m\u00b2 x_y",
]
ADDED = [
    AddedToken("the fox", normalized=False, lstrip=True, rstrip=True),
    AddedToken("dog", normalized=False, single_word=True),
    AddedToken("<html>", special=True),
]


def with_added_tokens(tokenizer, normalized=True):
    tokenizer.add_tokens([t for t in ADDED if normalized or not t.normalized])
    return tokenizer


def learnt_words():
    return train_words(TRAINING_TEXTS, 400, min_frequency=1)


def learnt_small_words():
    return with_added_tokens(train_words(TRAINING_TEXTS, 400, lowercase=True), normalized=False)


def learnt_characters():
    return with_added_tokens(train_characters(TRAINING_TEXTS))


def learnt_small_characters():
    return train_characters([*TRAINING_TEXTS, "i\u0307"], lowercase=True, min_frequency=1)


def of_others(pre_tokenizer):
    found = dict.fromkeys([*SPECIALS, "the", "fox's", "fox", "dog", "days", "12", "--------", "'"])
    made = Tokenizer(models.WordLevel({t: i for i, t in enumerate(found)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizer
    return made


MAKERS = {
    "words": learnt_words,
    "small words": learnt_small_words,
    "characters": learnt_characters,
    "small characters": learnt_small_characters,
    "others' words": lambda: of_others(pre_tokenizers.Whitespace()),
    "others' words between spaces": lambda: of_others(pre_tokenizers.WhitespaceSplit()),
}


@pytest.fixture(scope="module", params=MAKERS)
def tokenizer(request, tmp_path_factory):
    made = MAKERS[request.param]()
    if isinstance(made, Tokenizer):
        made = open_tokenizer(write(made, tmp_path_factory.mktemp("kind") / "tokenizer"))
    return made


@pytest.fixture(scope="module")
def batched(tokenizer):
    return tokenizer.batched_in_graph()


def decoded(text):
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def check(tokenizer, batched, texts):
    """Ids, places and texts of rows, as on the host."""
    # Step by step: to make a graph of it takes longer than to run it here.
    tf.config.run_functions_eagerly(True)
    try:
        found = batched(texts, max_length=None, with_offsets=True)
    finally:
        tf.config.run_functions_eagerly(False)
    rows, places = found["token_ids"].numpy(), found["offsets"].numpy()
    lengths = found["padding_mask"].numpy().sum(axis=1)
    for i, (ids, spans) in enumerate(tokens_in_bytes(tokenizer, [decoded(t) for t in texts])):
        inner = slice(1, lengths[i] - 1)
        assert rows[i, inner].tolist() == ids.tolist(), texts[i]
        if isinstance(texts[i], str):  # what is malformed has other bytes
            assert places[i, inner].tolist() == spans.tolist(), texts[i]
    for skip in (True, False):
        joined = batched.detokenize(found["token_ids"], skip).numpy().tolist()
        assert [text.decode() for text in joined] == tokenizer.decode_batch(rows.tolist(), skip)


def test_texts(tokenizer, batched):
    check(tokenizer, batched, [*TEXTS, *MORE_TEXTS, *TRAINING_TEXTS, *generated_texts(200, seed=1)])
    check(tokenizer, batched, ["", "a" * 20_000, "the dog " * 3_000])


@hypothesis.settings(deadline=None, max_examples=4)
@hypothesis.given(hypothesis.strategies.lists(strings | malformed, min_size=10, max_size=30))
def test_any_texts(tokenizer, batched, texts):
    check(tokenizer, batched, texts)


def test_spelling_of_tokens(tokenizer, batched):
    spelt = batched.spell(tf.range(tokenizer.vocabulary_size + 1)).numpy().tolist()
    assert [text.decode() for text in spelt[:-1]] == [
        tokenizer.id_to_token(i) for i in range(tokenizer.vocabulary_size)
    ]
    assert spelt[-1] == b""


def test_tflite():
    """The static tokenizer for pairs, of built-in operations alone; characters are exported in
    `tests/export/test_tokenizers_in_models.py`."""
    tokenizer = learnt_small_words()
    static = tokenizer.static_in_graph()
    signature = [tf.TensorSpec((1, NUM_BYTES), tf.uint8, n) for n in ("utf8", "utf8_pair")]
    function = tf.function(
        lambda utf8, utf8_pair: static(utf8, utf8_pair, sequence_length=LENGTH, with_offsets=True),
        signature,
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], static
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert(), num_threads=1)
    interpreter.allocate_tensors()
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not [op for op in operations if op.startswith("Flex") or op == "CUSTOM"]

    run = interpreter.get_signature_runner()
    texts = [*TEXTS, *MORE_TEXTS, *TRAINING_TEXTS, *generated_texts(150, seed=2)]
    texts = [text for text in texts if len(decoded(text).encode()) <= NUM_BYTES]
    seconds = random.Random(0).sample(texts, len(texts))
    strings = [[decoded(text) for text in side] for side in (texts, seconds)]
    cut, whole = tokenizer(*strings, max_length=LENGTH), tokenizer(*strings)
    aligned = [tokens_in_bytes(tokenizer, side) for side in strings]
    for i, pair in enumerate(zip(texts, seconds, strict=True)):
        buffers = [byte_buffer.fill([text], NUM_BYTES) for text in pair]
        found = run(utf8=buffers[0], utf8_pair=buffers[1])
        length = found["padding_mask"][0].sum()
        assert found["token_ids"][0, :length].tolist() == cut[i], pair
        assert found["num_tokens"].tolist() == [len(whole[i])]
        if len(whole[i]) <= LENGTH and not any(isinstance(text, bytes) for text in pair):
            first, second = (side[i][1].tolist() for side in aligned)
            expected = [[0, 0], *first, [0, 0], [0, 0], *second, [0, 0]]
            assert found["offsets"][0, :length].tolist() == expected, pair


@pytest.mark.parametrize(
    ("name", "form"),
    [("words", splitting.WORDS), ("runs", splitting.RUNS), ("spaces", splitting.BETWEEN_SPACES)],
)
def test_classes_are_those_of_the_library(name, form):
    """Of each code point: it is white space, joins two letters, or stands by itself."""
    content = json.loads(of_others(pre_tokenizers.Whitespace()).to_str())
    library = Tokenizer.from_str(json.dumps({**content, "pre_tokenizer": form}))
    letters = [
        c for c in [*range(0x3100), *range(0x3100, 0x110000, 37)] if not 0xD800 <= c < 0xE000
    ]
    text = "".join(f"a{chr(c)}a\n" for c in letters)
    pieces = np.zeros(len(letters), int)
    for _, (begin, _) in library.pre_tokenizer.pre_tokenize_str(text):
        pieces[begin // 4] += 1
    spaces_words_signs = np.array([2, 1, 3])
    np.testing.assert_array_equal(pieces, spaces_words_signs[_classes(form)[letters]])


def other_decoder():
    made = words()
    made.decoder = decoders.WordPiece()
    return made


def other_normalizer():
    made = words()
    made.normalizer = normalizers.NFKC()
    return made


def other_words():
    made = words()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def longer_word():
    content = json.loads(words().to_str())
    content["model"]["vocab"]["w" * 101] = 99
    return Tokenizer.from_str(json.dumps(content))


def other_rows():
    made = words()
    start = ("<s>", made.token_to_id("<s>"))
    made.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A $B", [start])
    return made


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (other_decoder, "its decoder, WordPiece"),
        (other_normalizer, "its normalizer, NFKC"),
        (other_words, "its pre-tokenizer, BertPreTokenizer"),
        (other_rows, "the special tokens that it puts around texts"),
        (longer_word, "'wwwwwwwwwwwwwwwwwwww'..., a word of more than 100 characters"),
    ],
)
def test_what_graphs_do_not_follow_stays_on_the_host(make, reason, tmp_path):
    tokenizer = open_tokenizer(write(make(), tmp_path))
    assert tokenizer.batched_in_graph() is None and tokenizer.static_in_graph() is None
    assert tokenizer.not_in_graphs() == reason


def test_added_tokens_of_white_space():
    """They are whole; of others the white space at both ends is no part."""
    tokenizer = train_characters(["a b", "foo"] * 2)
    tokenizer.add_tokens(["\n", " \u3000", "\x1cfoo", " foo "])
    texts = ["a\nb", "a \u3000b", "a\x1cfoo", "\u00e9 foo b"]
    check(tokenizer, tokenizer.batched_in_graph(), texts)
    places = [row[1] for _, row in tokenizer.encode_with_offsets(texts)]
    assert places == [(1, 2), (1, 3), (1, 5), (2, 5)]


def test_added_tokens_in_small_letters():
    tokenizer = train_words(TRAINING_TEXTS, lowercase=True)
    assert tokenizer.not_in_graphs() is None
    tokenizer.add_tokens(["DOG"])
    assert tokenizer.batched_in_graph() is None and tokenizer.static_in_graph() is None
    assert "'DOG' in small letters (add it with normalized=False)" in tokenizer.not_in_graphs()
