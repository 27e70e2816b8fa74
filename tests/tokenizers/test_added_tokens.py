"""Tokens that files add, with any flags: the same ids and offsets as by the `tokenizers` library,
on the host, in batches and at fixed sizes."""

import itertools
import json
import pickle
import random

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tokenizers import AddedToken as LibraryToken
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import RobertaTokenizer, byte_buffer, open_tokenizer
from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.unicode_classes import word_characters

FLAGS = ("lstrip", "rstrip", "single_word", "normalized")
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
# Some begin, end or lie in others; some are spelt by merges too.
CONTENTS = ("<mask>", "<ent>", "cat", "catalog", "alogs", "tee", "\u65e5", "na\u00efve", "<mask>>")
MERGES = [
    ("\u0120", "c"),
    ("c", "a"),
    ("ca", "t"),
    ("\u0120", "\u0120"),
    ("e", "e"),
    ("\u0120", "t"),
]
NUM_BYTES, LENGTH = 64, 72


def vocabulary():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIALS, *letters, *dict.fromkeys(map("".join, MERGES)), "<mask>"]
    return {token: index for index, token in enumerate(tokens)}


def library(added, add_prefix_space=False, names=SPECIALS):
    made = Tokenizer(models.BPE(vocabulary(), MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    made.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=add_prefix_space
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([LibraryToken(name, normalized=False) for name in names])
    for content, flags in added.items():
        flags = dict(flags)
        add = made.add_special_tokens if flags.get("special") else made.add_tokens
        add([LibraryToken(content, **flags)])
    return made


def random_flags(seed):
    chance = random.Random(seed)
    added = {}
    for content in ("<mask>", *chance.sample(CONTENTS[1:], chance.randrange(6))):
        added[content] = {flag: chance.random() < 0.4 for flag in FLAGS}
        added[content]["special"] = content == "<mask>" or chance.random() < 0.3
    return added


def random_texts(seed, count=60):
    chance = random.Random(seed)
    pieces = [*CONTENTS, *SPECIALS, " ", "  ", "\n", "\u3000", "\u00a0 ", "a", "s", "_", "\u00b2"]
    pieces += ["\u0301", "\u200d", "the", " cat", "'s", "\u00e9", ">", "\U0001f600", "tee" * 4]
    texts = [
        "",
        " ",
        " <mask>",
        "  <mask>",
        "\u3000cat",
        "a  <mask>  b",
        "catalogs",
        "tee" * 9 + "cat",
        "cat2 cat\u0301 cat\u00b2 cat",
    ]
    while len(texts) < count:
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 9)))
        if len(text.encode()) < NUM_BYTES:
            texts.append(text)
    return texts


def in_characters(text, begin, end):
    """A span of UTF-8 as one of the characters that it touches."""
    utf8 = text.encode()
    if begin == end:
        return (len(utf8[:begin].decode(errors="ignore")),) * 2
    ends = list(itertools.accumulate(len(letter.encode()) for letter in text))
    first = sum(e <= begin for e in ends)
    return first, sum(e < end for e in ends) + 1


def spans(text, offsets):
    return [in_characters(text, *place) for place in offsets.tolist()]


def save(made, directory):
    directory.mkdir(exist_ok=True)
    made.save(str(directory / "tokenizer.json"))
    return directory


# Seeds by which each flag is on and off, for special tokens and for others.
@pytest.mark.parametrize("seed, prefix", [(10, False), (33, True)])
def test_any_flags(seed, prefix, tmp_path):
    made = library(random_flags(seed), prefix)
    host = open_tokenizer(save(made, tmp_path))
    texts = random_texts(seed, count=150)
    expected = made.encode_batch(texts, add_special_tokens=False)
    found = host.encode_with_offsets(texts)
    for text, (ids, offsets), encoding in zip(texts, found, expected, strict=True):
        assert ids == encoding.ids and offsets == encoding.offsets, text

    outputs = host.batched_in_graph()(texts, max_length=None, with_offsets=True)
    lengths = outputs["padding_mask"].numpy().sum(1)
    for i, (text, (ids, offsets)) in enumerate(zip(texts, found, strict=True)):
        row = slice(1, lengths[i] - 1)
        assert outputs["token_ids"][i, row].numpy().tolist() == ids, text
        assert spans(text, outputs["offsets"][i, row].numpy()) == offsets, text

    if prefix:  # it takes long; without a prefix it is run below, in TFLite
        static = host.static_in_graph()
        buffers = byte_buffer.fill(texts, NUM_BYTES)
        fixed = static(buffers, sequence_length=LENGTH, with_offsets=True)
        longest = outputs["token_ids"].shape[1]
        for name in ("token_ids", "padding_mask", "offsets"):
            np.testing.assert_array_equal(fixed[name][:, :longest], outputs[name], name)

    # And after each way of keeping it.
    host.save(tmp_path / "saved")
    again = open_tokenizer(tmp_path / "saved")
    (tmp_path / "saved" / "tokenizer.json").unlink()
    for other in (again, open_tokenizer(tmp_path / "saved"), pickle.loads(pickle.dumps(host))):
        assert other == host and other.added_tokens == host.added_tokens
        assert other.encode_batch(texts) == host.encode_batch(texts)


@pytest.mark.parametrize("prefix", [False, True])
def test_white_space_within_added_tokens(prefix, tmp_path):
    """Unicode's, which U+001C to U+001F are not among; and the letter that stands for a space."""
    contents = ("\x1cx", "y\x1f", "\x1d", "\x85z", " w ", "\u0120q", "\u3000k", "\u200bm", "\x85")
    made = library({content: {} for content in contents}, prefix)
    host = open_tokenizer(save(made, tmp_path))
    texts = [text for content in contents for text in (f"a{content}b", f"{content}b")]
    outputs = host.batched_in_graph()(texts, max_length=None, with_offsets=True)
    lengths = outputs["padding_mask"].numpy().sum(1)
    expected = made.encode_batch(texts, add_special_tokens=False)
    for i, (text, encoding) in enumerate(zip(texts, expected, strict=True)):
        row = slice(1, lengths[i] - 1)
        assert outputs["token_ids"][i, row].numpy().tolist() == encoding.ids, text
        assert spans(text, outputs["offsets"][i, row].numpy()) == encoding.offsets, text


def test_in_tflite(tmp_path):
    flags = {"<mask>": {"rstrip": True, "special": True}, "cat": {"single_word": True}}
    flags |= {"catalog": {"lstrip": True, "normalized": True}, "tee": {}, "eet": {}}
    host = open_tokenizer(save(library(flags), tmp_path))
    static = host.static_in_graph()
    function = tf.function(
        lambda utf8: static(utf8, sequence_length=LENGTH, with_offsets=True),
        [tf.TensorSpec((1, NUM_BYTES), tf.uint8, "utf8")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], static
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    run = interpreter.get_signature_runner()
    texts = random_texts(5)
    for text, (ids, offsets) in zip(texts, host.encode_with_offsets(texts), strict=True):
        outputs = run(utf8=byte_buffer.fill([text], NUM_BYTES))
        length = outputs["padding_mask"].sum()
        assert outputs["token_ids"][0, 1 : length - 1].tolist() == ids, text
        assert spans(text, outputs["offsets"][0, 1 : length - 1]) == offsets, text


def test_characters_of_words():
    """Every one of Unicode, where a token that is a single word may not stand."""
    made = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    made.add_tokens([LibraryToken("<>", single_word=True)])
    code_points = [*range(0xD800), *range(0xE000, 0x110000)][::7]
    encodings = made.encode_batch_fast([chr(code) + "<>" for code in code_points])
    expected = [1 not in encoding.ids for encoding in encodings]
    np.testing.assert_array_equal(word_characters()[code_points].astype(bool), expected)


# Files


def write_parts(directory, **files):
    directory.mkdir(exist_ok=True)
    (directory / "vocab.json").write_text(json.dumps(vocabulary()))
    (directory / "merges.txt").write_text("".join(f"{a} {b}\n" for a, b in MERGES))
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return directory


N = len(vocabulary())
ENT = {
    "content": "<ent>",
    "lstrip": False,
    "rstrip": True,
    "single_word": False,
    "normalized": False,
}
MASK = {"content": "<mask>", "lstrip": False, "rstrip": True, "normalized": False}


@pytest.mark.parametrize(
    "files, expected",
    [
        # What Transformers 5.24 makes of the same files, but for `<mask>` in the first two rows:
        # where no file says how to look for it, it has RoBERTa's flags.
        ({}, [AddedToken("<mask>", N - 1, lstrip=True)]),
        (
            {"added_tokens": {"<ent>": N, "cat": 262}},
            [
                AddedToken("cat", 262, normalized=True, special=False),
                AddedToken("<mask>", N - 1, lstrip=True),
                AddedToken("<ent>", N, normalized=True, special=False),
            ],
        ),
        ({"tokenizer_config": {"mask_token": MASK}}, [AddedToken("<mask>", N - 1, rstrip=True)]),
        ({"special_tokens_map": {"mask_token": MASK}}, [AddedToken("<mask>", N - 1, rstrip=True)]),
        (
            {"tokenizer_config": {"added_tokens_decoder": {str(N): ENT, str(N - 1): MASK}}},
            [
                AddedToken("<mask>", N - 1, rstrip=True, special=False),
                AddedToken("<ent>", N, rstrip=True, special=False),
            ],
        ),
        (
            {"tokenizer_config": {"additional_special_tokens": ["<x>", ENT]}},
            [
                AddedToken("<mask>", N - 1, lstrip=True),
                AddedToken("<x>", N),
                AddedToken("<ent>", N + 1),
            ],
        ),
        (
            {"special_tokens_map": {"additional_special_tokens": ["<x>"]}},
            [AddedToken("<mask>", N - 1, lstrip=True), AddedToken("<x>", N)],
        ),
        # Beyond a gap, where Transformers takes the next free id instead.
        (
            {"added_tokens": {"<ent>": N + 7}},
            [
                AddedToken("<mask>", N - 1, lstrip=True),
                AddedToken("<ent>", N + 7, normalized=True, special=False),
            ],
        ),
    ],
)
def test_files_beside_the_vocabulary(tmp_path, files, expected):
    tokenizer = open_tokenizer(write_parts(tmp_path, **files))
    found = [token for token in tokenizer.added_tokens if token.content not in SPECIALS]
    assert found == expected
    for token in expected:
        assert tokenizer(f"a{token.content}a", add_special_tokens=False)[1] == token.id
        assert tokenizer.token_to_id(token.content) == token.id
    assert tokenizer.vocabulary_size == max(token.id for token in expected) + 1


def test_the_later_file_counts(tmp_path):
    """`added_tokens_decoder` before `tokenizer.json` before tokens of `tokenizer_config.json`."""
    write_parts(tmp_path, tokenizer_config={"mask_token": MASK}, added_tokens={"<ent>": N})
    save(library({"<mask>": {"single_word": True, "special": True}}), tmp_path)
    mask = AddedToken("<mask>", N - 1, single_word=True)
    assert set(open_tokenizer(tmp_path).added_tokens) >= {
        mask,
        AddedToken("<ent>", N, normalized=True, special=False),
    }
    config = {"added_tokens_decoder": {str(N - 1): {**MASK, "special": True}}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert AddedToken("<mask>", N - 1, rstrip=True) in open_tokenizer(tmp_path).added_tokens


def test_other_spellings(tmp_path):
    """Of a byte-level BPE whose special tokens have BERT's names."""
    renamed = dict(zip(("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
                       ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"), strict=True))  # fmt: skip
    write_parts(tmp_path)
    tokens = {renamed.get(token, token): index for token, index in vocabulary().items()}
    (tmp_path / "vocab.json").write_text(json.dumps(tokens))
    config = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"),
                      renamed.values(), strict=True))  # fmt: skip
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = open_tokenizer(tmp_path)
    assert isinstance(tokenizer, RobertaTokenizer)
    ids = tokenizer("a  [MASK]<s>")
    assert ids[:1] + ids[2:3] + ids[-1:] == [0, N - 1, 2] and len(ids) == 7
    assert tokenizer.special_token_ids == (0, 1, 2, 3, N - 1)
    assert tokenizer.decode(ids) == "a<s>"
    graph = tokenizer.batched_in_graph()
    assert graph(["a  [MASK]<s>"])["token_ids"].numpy().tolist() == [ids]
    assert graph.detokenize([ids]).numpy().tolist() == [b"a<s>"]
    tokenizer.save(tmp_path / "saved")
    assert open_tokenizer(tmp_path / "saved") == tokenizer
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer


@pytest.mark.parametrize("length, found", [(512, 512), (10**30, None), (None, None)])
def test_length_of_the_model(tmp_path, length, found):
    config = {} if length is None else {"tokenizer_config": {"model_max_length": length}}
    tokenizer = open_tokenizer(write_parts(tmp_path / "a", **config))
    assert tokenizer.model_max_length == found
    tokenizer.save(tmp_path / "b")
    assert open_tokenizer(tmp_path / "b").model_max_length == found
    assert pickle.loads(pickle.dumps(tokenizer)).model_max_length == found
    saved = json.loads((tmp_path / "b" / "tokenizer_config.json").read_text())
    assert saved.get("model_max_length") == found


@pytest.mark.parametrize(
    "files, message",
    [
        ({"added_tokens": {"<ent>": "7"}}, "added_tokens.json: the added token '<ent>' has the id"),
        ({"added_tokens": {"cat": 7}}, "'cat' has the id 7, and in the vocabulary 262"),
        ({"added_tokens": {"<ent>": 7}}, "share the id 7"),
        ({"added_tokens": {"": N}}, "an added token has no text"),
        ({"added_tokens": []}, "added_tokens.json: expected a JSON object"),
        (
            {"tokenizer_config": {"added_tokens_decoder": {"x": ENT}}},
            "tokenizer_config.json: the added token '<ent>' has the id 'x'",
        ),
        (
            {"special_tokens_map": {"additional_special_tokens": "film"}},
            "special_tokens_map.json: additional_special_tokens: expected a list",
        ),
        (
            {"tokenizer_config": {"extra_special_tokens": 3}},
            "tokenizer_config.json: extra_special_tokens: expected a list",
        ),
        (
            {"special_tokens_map": {"additional_special_tokens": [3]}},
            "additional_special_tokens: expected a list",
        ),
    ],
)
def test_bad_files(tmp_path, files, message):
    with pytest.raises(InputError) as caught:
        open_tokenizer(write_parts(tmp_path, **files))
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "single, pair, message",
    [
        ("<s> $A </s>", "<s> $A </s> </s> $B </s>", None),
        ("<s>:0 $A:0 </s>:0", "<s>:0 $A:0 </s>:0 </s>:0 $B:1 </s>:1", None),
        ("<s> $A </s>", "<s> $A </s> $B </s>", "rows are RoBERTa's, <s> a </s> and"),
        ("$A", "$A $B", "rows are RoBERTa's, <s> a </s> and"),
        ("<s> $A", "<s> $A </s> </s> $B </s>", "puts other tokens around texts"),
        ("$A </s>", "$A </s> $B </s>", "puts other tokens around texts"),
        ("</s> $A <s>", "</s> $A <s> <s> $B <s>", "puts other tokens around texts"),
    ],
)
def test_other_rows_of_a_file(tmp_path, caplog, single, pair, message):
    """Rows are RoBERTa's: a file that makes others is refused, or a warning names it."""
    made = library({})
    ids = [(token, made.token_to_id(token)) for token in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single, pair, special_tokens=ids)
    save(made, tmp_path)
    if message and "other tokens" in message:
        with pytest.raises(InputError, match=f"tokenizer.json: its post_processor {message}"):
            open_tokenizer(tmp_path)
        return
    a, b = (made.token_to_id(letter) for letter in "ab")
    assert open_tokenizer(tmp_path)("a", "b") == [0, a, 2, 2, b, 2]
    assert ("tokenizer.json: " + message in caplog.text) if message else not caplog.text


# What they are


def test_text_of_added_tokens(tmp_path):
    made = library({"na\u00efve": {"normalized": True}, "<ent>": {"special": True}})
    tokenizer = open_tokenizer(save(made, tmp_path))
    ids = tokenizer("a na\u00efve<ent>")
    assert tokenizer.decode(ids) == "a na\u00efve"  # of which the library makes "na\ufffdve"
    assert tokenizer.decode(ids, skip_special_tokens=False) == "<s>a na\u00efve<ent></s>"
    index = tokenizer.token_to_id("na\u00efve")
    assert tokenizer.token_texts()[index] == "na\u00efve"
    assert tokenizer.byte_lengths()[index] == 6
    graph, static = tokenizer.batched_in_graph(), tokenizer.static_in_graph()
    assert graph.detokenize([ids]).numpy()[0].decode() == "a na\u00efve"
    utf8, length = static.spell(tf.constant([index]))
    assert utf8.numpy()[0, : length[0]].tobytes().decode() == "na\u00efve"


def test_added_tokens_of_a_corpus(tmp_path):
    """Special ones are text there; the others are what they are."""
    made = library({"cat": {"lstrip": True}, "<ent>": {"special": True}})
    tokenizer = open_tokenizer(save(made, tmp_path))
    texts = ["a  cat<ent>", "\u65e5 cat "]
    plain = tokenizer.encode_plain(texts)
    assert plain.row_lengths.tolist() == [7, 5]  # a, cat, < e n t >; three bytes, cat, a space
    ends = np.split(plain.ends, [7])
    assert ends[0].tolist() == [1, 6, 7, 8, 9, 10, 11]
    assert ends[1].tolist()[-1] == len(texts[1].encode())
    assert plain.begins[1] == 3
    assert tokenizer.byte_lengths() is None
