"""The in-graph tokenizers against the `tokenizers` library: the same ids for every string."""

import itertools
import json
import random

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers

from keras_roberta import RobertaTokenizer, byte_buffer
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.in_graph import BatchedTokenizer, StaticTokenizer
from keras_roberta.tokenizers.in_graph.merge_table import MergeTable
from keras_roberta.tokenizers.in_graph.unicode_classes import SPACE, code_point_classes
from keras_roberta.tokenizers.spelling import SPECIAL_TOKENS, byte_alphabet

NUM_BYTES, LENGTH = 160, 48  # of the static tokenizer

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


def decoded(text):
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def library(vocabulary, merges, special_tokens=SPECIAL_TOKENS, add_prefix_space=False):
    """The same tokenizer by the library, set up as in RoBERTa's tokenizer.json."""
    reference = Tokenizer(models.BPE(vocabulary, merges))
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    reference.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    reference.add_special_tokens(
        [AddedToken(t, lstrip=t == "<mask>", normalized=True) for t in special_tokens]
    )
    return reference


def library_ids(reference, texts, **kwargs):
    return [e.ids for e in reference.encode_batch([decoded(t) for t in texts], **kwargs)]


def rows(outputs):
    """The rows of an output without their padding."""
    lengths = outputs["padding_mask"].numpy().sum(1)
    return [ids[:n].tolist() for ids, n in zip(outputs["token_ids"].numpy(), lengths, strict=True)]


@pytest.fixture(scope="module")
def vocabulary_and_merges():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator(
        TRAINING_TEXTS,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    model = json.loads(trained.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


@pytest.fixture(scope="module")
def reference(vocabulary_and_merges):
    return library(*vocabulary_and_merges)


@pytest.fixture(scope="module")
def batched(vocabulary_and_merges):
    return BatchedTokenizer(*vocabulary_and_merges)


@pytest.fixture(scope="module")
def static(vocabulary_and_merges):
    """The static tokenizer for pairs, as a function of two buffers."""
    return static_function(StaticTokenizer(*vocabulary_and_merges), 2, with_offsets=True)


@pytest.fixture(scope="module")
def tflite(vocabulary_and_merges):
    """The static tokenizer as a TFLite interpreter, of built-in ops alone."""
    tokenizer = StaticTokenizer(*vocabulary_and_merges)
    return tflite_interpreter(tokenizer, static_function(tokenizer, 1))


def static_function(tokenizer, num_sides, shape=(1, NUM_BYTES), sequence_length=LENGTH, **kwargs):
    names = ["utf8", "utf8_pair"][:num_sides]
    signature = [tf.TensorSpec(shape, tf.uint8, name) for name in names]

    def run(*sides):
        return tokenizer(*sides, sequence_length=sequence_length, **kwargs)

    return tf.function(run, signature, autograph=False)


def tflite_interpreter(tokenizer, function):
    from ai_edge_litert.interpreter import Interpreter

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], tokenizer
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    return interpreter


# Ids


def test_cases(batched, reference):
    assert rows(batched(TEXTS)) == library_ids(reference, TEXTS)
    assert batched.tokenize(TEXTS).to_list() == library_ids(
        reference, TEXTS, add_special_tokens=False
    )


@pytest.mark.parametrize("name", LONG_TEXTS)
def test_long_texts(batched, reference, name):
    texts = ["before", LONG_TEXTS[name], "after", ""]
    assert rows(batched(texts, max_length=None)) == library_ids(reference, texts)


@quick
@hypothesis.given(st.lists(strings | malformed, max_size=6))
def test_any_text(batched, reference, texts):
    assert rows(batched(texts)) == library_ids(reference, texts)


@pytest.mark.parametrize("special_tokens", [(), ("<mask>",), ("<s>", "</s>")])
def test_choice_of_special_tokens(vocabulary_and_merges, special_tokens):
    tokenizer = BatchedTokenizer(*vocabulary_and_merges, special_tokens=special_tokens)
    reference = library(*vocabulary_and_merges, special_tokens=special_tokens)
    assert rows(tokenizer(TEXTS)) == library_ids(reference, TEXTS)


@quick
@hypothesis.given(st.lists(strings | malformed, max_size=6))
def test_prefix_space(prefixing, texts):
    tokenizer, reference = prefixing
    assert rows(tokenizer(texts)) == library_ids(reference, texts)


@pytest.fixture(scope="module")
def prefixing(vocabulary_and_merges):
    return (
        BatchedTokenizer(*vocabulary_and_merges, add_prefix_space=True),
        library(*vocabulary_and_merges, add_prefix_space=True),
    )


@pytest.mark.parametrize("seed", range(12))
def test_merges_in_any_order(seed):
    """Merges that no training would learn: tokens with several derivations, ranks shuffled."""
    chance = random.Random(seed)
    tokens, merges = ["a", "b", "c"], []
    for _ in range(30):
        left, right = chance.choice(tokens), chance.choice(tokens)
        if len(left + right) <= 9 and (left, right) not in merges:
            merges.append((left, right))
            tokens.append(left + right)
    if seed % 2:
        chance.shuffle(merges)
    tokens = [*SPECIAL_TOKENS, *byte_alphabet(), *dict.fromkeys(tokens[3:])]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    texts = ["".join(chance.choices("abc ", (9, 3, 3, k % 3), k=2 * k)) for k in range(60)]
    texts += ["a" * k for k in range(30)]
    tokenizer = BatchedTokenizer(vocabulary, merges)
    assert seed % 2 == 0 or tokenizer.bpe.table.out_of_order is not None
    assert rows(tokenizer(texts)) == library_ids(library(vocabulary, merges), texts)


def test_merge_table(vocabulary_and_merges):
    vocabulary, merges = vocabulary_and_merges
    ranks = {(vocabulary[a], vocabulary[b]): rank for rank, (a, b) in enumerate(merges)}
    pairs = np.array(list(itertools.product(vocabulary.values(), repeat=2)), np.int32)
    found = MergeTable(vocabulary, merges).rank(pairs[:, 0], pairs[:, 1])
    expected = [ranks.get(pair, len(merges)) for pair in map(tuple, pairs.tolist())]
    np.testing.assert_array_equal(found, expected)


def test_classes_of_all_code_points():
    """All characters of a class make one word together, so none of them has another class."""
    classes = code_point_classes()
    classes[0xD800:0xE000] = 255  # surrogates are not characters
    for value in range(4):
        text = "".join(map(chr, np.flatnonzero(classes == value)))
        words = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
        # A plain space would go with what follows it; there is nothing but white space here.
        assert len(words) == 1, (value, value == SPACE, len(words))


# Rows


@quick
@hypothesis.given(st.tuples(strings, strings), st.integers(5, 30))
def test_pairs_are_cut_as_by_the_library(batched, vocabulary_and_merges, pair, max_length):
    reference = library(*vocabulary_and_merges)
    reference.enable_truncation(max_length, strategy="longest_first")
    texts, pairs = [[text] for text in pair]
    expected = [reference.encode(*pair).ids]
    assert rows(batched(texts, pairs, max_length=max_length)) == expected
    assert rows(batched(texts, max_length=max_length)) == [reference.encode(pair[0]).ids]


@pytest.mark.parametrize("pairs", [False, True])
def test_empty_batch(batched, pairs):
    outputs = batched([], [] if pairs else None, with_offsets=True)
    assert outputs["token_ids"].shape == outputs["padding_mask"].shape == (0, 0)
    assert batched.tokenize([]).to_list() == []


def test_padding(batched):
    outputs = batched(["a", "a b c"])
    assert outputs["token_ids"].dtype == outputs["padding_mask"].dtype == tf.int32
    assert outputs["token_ids"][0, -1] == 1
    assert outputs["padding_mask"][0, -1] == 0 and outputs["padding_mask"][1, -1] == 1


@pytest.mark.parametrize("max_length", [0, 1])
def test_no_room(batched, max_length):
    with pytest.raises(InputError, match="no room"):
        batched(["a"], max_length=max_length)


@quick
@hypothesis.given(st.lists(strings | malformed, min_size=1, max_size=4))
def test_offsets_spell_the_tokens(batched, texts):
    """A token's bytes are those that its offsets point to, and no other text goes missing."""
    spellings = batched.spellings.numpy()
    outputs = batched(texts, texts[::-1], max_length=None, with_offsets=True)
    for text, ids, offsets in zip(texts, rows(outputs), outputs["offsets"].numpy(), strict=True):
        text = text.encode() if isinstance(text, str) else text
        end_of_text = ids.index(2, 1) if 2 in ids[1:] else len(ids)
        at = 0
        for token, (begin, end) in list(zip(ids, offsets, strict=False))[1:end_of_text]:
            if b"\xef\xbf\xbd" not in decoded(text).encode():
                assert text[begin:end] == spellings[token]
                assert text[at:begin].isspace() or at == begin or token == 4
            assert 0 <= begin <= end <= len(text)
            at = end


@quick
@hypothesis.given(strings)
def test_detokenize(batched, reference, text):
    ids = reference.encode(text, add_special_tokens=False).ids
    for skip in (False, True):
        plain = "".join(reference.id_to_token(i) for i in ids if not (skip and i < 5))
        letters = {letter: byte for byte, letter in enumerate(byte_alphabet())}
        expected = bytes(letters[letter] for letter in plain).decode(errors="replace")
        found = batched.detokenize([ids], skip_special_tokens=skip) if ids else [b""]
        assert found[0] == expected.encode()


def test_detokenize_repairs(batched, vocabulary_and_merges):
    vocabulary, alphabet = vocabulary_and_merges[0], byte_alphabet()
    for text in TEXTS:
        if isinstance(text, bytes):
            ids = [[vocabulary[alphabet[byte]] for byte in text]]
            assert batched.detokenize(tf.constant(ids))[0] == decoded(text).encode()


def test_unknown_ids_have_no_spelling(batched, vocabulary_and_merges):
    beyond = max(vocabulary_and_merges[0].values()) + 1
    assert batched.detokenize([[beyond, 10**6]])[0] == b""


def test_spelling_of_each_token(batched, vocabulary_and_merges):
    """As bytes in rows of equal length, for TFLite: joined they are what `detokenize` gives."""
    tokenizer = StaticTokenizer(*vocabulary_and_merges)
    ids = tf.range(2 + len(vocabulary_and_merges[0]))  # two beyond the last
    utf8, lengths = tokenizer.spell(ids[None, :, None])
    utf8, lengths = utf8.numpy().reshape(len(ids), -1), lengths.numpy().reshape(-1)
    spelt = [row[:n].tobytes() for row, n in zip(utf8, lengths, strict=True)]
    assert not any(row[n:].any() for row, n in zip(utf8, lengths, strict=True))
    assert utf8.shape[1] == max(lengths) and lengths[-2:].tolist() == [0, 0]
    expected = batched.detokenize(ids[:, None], skip_special_tokens=False).numpy().tolist()
    assert [text.decode(errors="replace").encode() for text in spelt] == expected


# In graphs


def test_in_a_data_pipeline(batched, reference):
    dataset = tf.data.Dataset.from_tensor_slices([decoded(t) for t in TEXTS]).batch(8).map(batched)
    assert [row for batch in dataset for row in rows(batch)] == library_ids(reference, TEXTS)


def test_saved_model(batched, reference, tmp_path):
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = batched

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, texts):
            return batched(texts, max_length=32)

    module = Module()
    tf.saved_model.save(module, str(tmp_path), signatures={"serve": module.serve})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["serve"]
    assert rows(loaded(tf.constant(TEXTS))) == rows(batched(TEXTS, max_length=32))


def fits(text):
    return len(decoded(text).encode()) <= NUM_BYTES


@quick
@hypothesis.given(st.tuples(strings | malformed, strings | malformed))
def test_static_is_batched(static, batched, pair):
    hypothesis.assume(all(map(fits, pair)))
    # Zeros at the end are padding there, and FF before them ends the text.
    texts, pairs = [[t.rstrip("\0" if isinstance(t, str) else b"\0\xff")] for t in pair]
    found = static(*(np_bytes(side[0]) for side in (texts, pairs)))
    expected = batched(texts, pairs, max_length=LENGTH, with_offsets=True)
    longest = expected["token_ids"].shape[1]
    for name in ("token_ids", "padding_mask", "offsets"):
        np.testing.assert_array_equal(found[name][:, :longest], expected[name], name)
    assert rows(found) == rows(expected)


def np_bytes(text):
    """Bytes as they are, malformed or not, in a buffer."""
    text = text.encode() if isinstance(text, str) else text
    return np.array([list(text) + [0] * (NUM_BYTES - len(text))], np.uint8)


def test_static_lengths(vocabulary_and_merges, reference):
    """With lengths, zeros at the end belong to the text; bytes behind it do not."""
    tokenizer = StaticTokenizer(*vocabulary_and_merges)
    texts = ["a\0\0", "dog fox", ""]
    buffers = np.concatenate([np_bytes(text + "dog")[:, :8] for text in texts])
    found = tokenizer(buffers, lengths=tf.constant([3, 7, 0]), sequence_length=LENGTH)
    assert rows(found) == library_ids(reference, texts)


def test_static_buffer_overflow(static, reference):
    """Replacement needs more room than there is: cut at the end of a character."""
    found = static(np_bytes(b"\xff" * NUM_BYTES), np_bytes(""))
    replaced = (2 * NUM_BYTES + 2) // 3
    ids = reference.encode("\ufffd" * replaced, add_special_tokens=False).ids
    expected = [0, *ids[: LENGTH - 4], 2, 2, 2]
    assert rows(found) == [expected[:LENGTH]]


def test_static_terminator(static, reference):
    """NULs at the end of a text, told from the zeros behind it."""
    for text in ("a\0\0", "\0", "", "dog"):
        found = static(byte_buffer.fill([text], NUM_BYTES), byte_buffer.fill([""], NUM_BYTES))
        ids = reference.encode(text, add_special_tokens=False).ids
        assert rows(found) == [[0, *ids, 2, 2, 2]]
        assert found["num_tokens"] == len(ids) + 4


def test_tflite(tflite, reference):
    ops = {op["op_name"] for op in tflite._get_ops_details()}
    assert not [op for op in ops if op.startswith("Flex") or op == "CUSTOM"], ops
    run = tflite.get_signature_runner()
    chance = random.Random(3)
    words = "the fox's <mask> \n\n  12 \u65e5\u672c\u8a9e <s> 'll aaa e\u0301".split(" ")
    texts = [t for t in TEXTS if fits(t)]
    texts += [" ".join(chance.choices(words, k=chance.randrange(20))) for _ in range(100)]
    texts = [text for text in texts if fits(text)]
    reference.enable_truncation(LENGTH)
    expected = library_ids(reference, texts)
    reference.no_truncation()
    for text, ids in zip(texts, expected, strict=True):
        found = {name: tf.constant(value) for name, value in run(utf8=np_bytes(text)).items()}
        assert rows(found) == [ids], text


# Errors


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda v, m: v.pop("a"), "lacks"),
        (lambda v, m: m.append(("a", "not there")), "lacks"),
        (lambda v, m: v.update(x=0), "distinct"),
        (lambda v, m: v.update(x=-1), "distinct"),
    ],
)
def test_bad_vocabularies(vocabulary_and_merges, change, message):
    vocabulary, merges = dict(vocabulary_and_merges[0]), list(vocabulary_and_merges[1])
    change(vocabulary, merges)
    with pytest.raises(InputError, match=message):
        BatchedTokenizer(vocabulary, merges)


def test_overlapping_special_tokens(vocabulary_and_merges):
    vocabulary, merges = vocabulary_and_merges
    vocabulary = vocabulary | {"<a": 1000, "a>": 1001}
    with pytest.raises(InputError, match="overlap"):
        BatchedTokenizer(vocabulary, merges, special_tokens=("<a", "a>"))


# RoBERTa's own vocabulary


@pytest.fixture(scope="module")
def roberta(data_directory):
    directory = data_directory / "roberta-base-tokenizer"
    vocabulary = json.loads((directory / "vocab.json").read_text("utf-8"))
    lines = (directory / "merges.txt").read_text("utf-8").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return vocabulary, merges, Tokenizer.from_file(str(directory / "tokenizer.json"))


def real_texts(directory):
    """All text of the data sets: ten languages, tables, JSON, whole documents."""
    for path in sorted(directory.rglob("*")):
        if path.parent.name in ("roberta-base-tokenizer", "granite-30m"):
            continue  # checkpoints
        if path.suffix in (".txt", ".tsv", ".csv", ".conll", ".json", ".jsonl", ".md"):
            text = path.read_bytes()
            lines = text.splitlines(keepends=True)
            yield from lines
            if path.suffix == ".txt":
                yield from (text[i : i + 10_000] for i in range(0, len(text), 500_000))


@pytest.fixture(scope="module")
def roberta_in_graph(roberta):
    return BatchedTokenizer(*roberta[:2])


@pytest.mark.slow
def test_real_texts(roberta, roberta_in_graph, data_directory):
    """Every distinct line, byte for byte, newline included."""
    texts = list(dict.fromkeys(real_texts(data_directory)))
    assert len(texts) > 100_000
    differ = []
    for begin in range(0, len(texts), 8000):
        batch = texts[begin : begin + 8000]
        found = roberta_in_graph.tokenize(batch).to_list()
        expected = library_ids(roberta[2], batch, add_special_tokens=False)
        differ += [text for text, a, b in zip(batch, found, expected, strict=True) if a != b]
    assert differ == []


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
    words = [
        "'s",
        "'ll",
        "'RE",
        "can't",
        "I'd've",
        " the",
        "The",
        " <mask>",
        *SPECIAL_TOKENS,
        "http",
    ]
    for _ in range(count):
        yield "".join(
            chance.choice(words)
            if chance.random() < 0.2
            else "".join(chance.choices(chance.choice(alphabets), k=chance.randrange(1, 7)))
            for _ in range(chance.randrange(12))
        )


@pytest.mark.parametrize("kind", ["roberta", "trained here"])
def test_generated_texts(kind, request):
    """20,000 of them; hypothesis looks for the smallest that differ, above."""
    if kind == "roberta":
        tokenizer = request.getfixturevalue("roberta_in_graph")
        reference = request.getfixturevalue("roberta")[2]
    else:
        tokenizer, reference = map(request.getfixturevalue, ("batched", "reference"))
    texts = list(generated_texts(20_000))
    found = tokenizer.tokenize(texts).to_list()
    expected = library_ids(reference, texts, add_special_tokens=False)
    assert [text for text, a, b in zip(texts, found, expected, strict=True) if a != b] == []


def test_real_and_generated_texts_in_tflite(roberta, data_directory):
    """A sample of them: one text at a time takes a millisecond each."""
    tokenizer = StaticTokenizer(*roberta[:2])
    run = tflite_interpreter(tokenizer, static_function(tokenizer, 1)).get_signature_runner()
    lines = (
        path.read_text("utf-8") for path in (data_directory / "lingua_sentences").glob("*.txt")
    )
    real = [line for text in lines for line in text.splitlines()[:100]]
    texts = [t for t in [*real, *generated_texts(3000, seed=1)] if fits(t)]
    texts = [t.rstrip("\0") for t in texts]
    assert len(texts) > 3000
    roberta[2].enable_truncation(LENGTH)
    expected = library_ids(roberta[2], texts)
    roberta[2].no_truncation()
    for text, ids in zip(texts, expected, strict=True):
        found = run(utf8=np_bytes(text))
        assert found["token_ids"][0, : len(ids)].tolist() == ids, text
        assert found["padding_mask"].sum() == len(ids)


def pieces(text, num_bytes):
    """A text in parts of at most so many bytes, whole characters each."""
    utf8 = byte_buffer.encode(text)
    while utf8:
        piece = utf8[:num_bytes].decode(errors="ignore").encode()
        yield piece
        utf8 = utf8[len(piece) :]


@pytest.mark.slow
def test_real_texts_in_tflite(roberta, data_directory):
    """A quarter of all distinct lines, byte for byte, by the host tokenizer and in TFLite; all of
    them take two minutes, in `benchmarks/tokenizer_parity.py`. Lines longer than the largest buffer
    go through in pieces. Several lines share a call, each in a buffer of its own."""
    host = RobertaTokenizer.from_preset(data_directory / "roberta-base-tokenizer")
    tokenizer = StaticTokenizer(*roberta[:2])
    sizes = {64: 32, 256: 8, 1024: 2}  # bytes of a buffer: buffers in a call
    lines = dict.fromkeys(real_texts(data_directory))
    texts = dict.fromkeys(piece for line in lines for piece in pieces(line, max(sizes)))
    assert len(texts) >= len(lines) > 100_000
    texts = sorted(random.Random(0).sample(list(texts), len(texts) // 4), key=len)
    differ = []
    for num_bytes, rows in sizes.items():
        function = static_function(tokenizer, 1, (rows, num_bytes), num_bytes + 2)
        run = tflite_interpreter(tokenizer, function).get_signature_runner()
        fitting = [text for text in texts if len(text) <= num_bytes]
        texts = texts[len(fitting) :]
        expected = host.encode_batch(fitting)
        fitting += [b""] * (-len(fitting) % rows)
        for begin in range(0, len(fitting), rows):
            batch = fitting[begin : begin + rows]
            found = run(utf8=byte_buffer.fill(batch, num_bytes))
            ids, counts = found["token_ids"], found["padding_mask"].sum(axis=1)
            for text, row, count, right in zip(
                batch, ids, counts, expected[begin : begin + rows], strict=False
            ):
                if row[:count].tolist() != right:
                    differ.append(text)
    assert differ == [] and texts == []


def test_table_of_real_size(roberta):
    table = MergeTable(*roberta[:2])
    tensors = (value for value in vars(table).values() if tf.is_tensor(value))
    assert sum(value.numpy().nbytes for value in tensors) == table.nbytes < 4e6


@pytest.mark.slow
def test_long_words_of_real_size(roberta):
    """Dependencies over long distances: random words, and every token next to every kind."""
    vocabulary, merges, reference = roberta
    tokenizer = BatchedTokenizer(vocabulary, merges)
    chance = random.Random(5)
    products = [left + right for left, right in merges if (left + right).isalpha()]
    products = [token for token in products if token.isascii()]
    texts = ["".join(chance.choices(products, k=k)) for k in [10] * 2000 + [1000] * 20]
    texts += ["".join(chance.choices("aeinst", k=50_000)), "-" * 5001, "=" * 333 + "-" * 777]
    found = tokenizer.tokenize(texts).to_list()
    assert found == library_ids(reference, texts, add_special_tokens=False)
