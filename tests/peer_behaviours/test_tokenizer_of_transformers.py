"""What Transformers' tests ask of the tokenizer."""

import pickle

from peer_harness import (
    END,
    LONG,
    MASK,
    PAD,
    START,
    TOKENS,
    VOCABULARY,
    Refused,
    behaviours,
    check,
    ids,
    text_ids,
    tokenizer_with,
)

import keras_roberta as kr


def added(tok, *tokens, **kwargs):
    tok.add_tokens(list(tokens), **kwargs)
    return tok


@behaviours(
    {
        "input_ids and attention_mask by name": (
            lambda tok: dict(tok("rain day", padding=False)),
            {"input_ids": ids("<s> rain Ġday </s>"), "attention_mask": [1, 1, 1, 1]},
        ),
        "many texts": (
            lambda tok: tok(["rain", "day"], padding=False)["input_ids"],
            [ids("<s> rain </s>"), ids("<s> day </s>")],
        ),
        "a pair": (
            lambda tok: tok("rain", "day", padding=False)["input_ids"],
            ids("<s> rain </s> </s> day </s>"),
        ),
        "without special tokens": (
            lambda tok: tok("rain", add_special_tokens=False, padding=False)["input_ids"],
            ids("rain"),
        ),
        "padding to the longest row": (
            lambda tok: dict(tok(["rain day", "day"], padding=True)),
            {
                "input_ids": [ids("<s> rain Ġday </s>"), ids("<s> day </s> <pad>")],
                "attention_mask": [[1, 1, 1, 1], [1, 1, 1, 0]],
            },
        ),
        "padding to a length": (
            lambda tok: tok("day", padding="max_length", max_length=6)["input_ids"],
            ids("<s> day </s> <pad> <pad> <pad>"),
        ),
        "padding to a multiple": (
            lambda tok: tok("day", padding=True, pad_to_multiple_of=8)["input_ids"],
            ids("<s> day </s>") + [PAD] * 5,
        ),
        "padding on the left": (
            lambda tok: dict(
                tok("day", padding="max_length", max_length=5, padding_side="left")
            ),
            {"input_ids": ids("<pad> <pad> <s> day </s>"), "attention_mask": [0, 0, 1, 1, 1]},
        ),
        "cutting to a length": (
            lambda tok: tok(LONG, truncation=True, max_length=4)["input_ids"],
            ids("<s> rain Ġrain </s>"),
        ),
        "the longer text of a pair is cut first": (
            lambda tok: tok(LONG, "day", truncation=True, max_length=7)["input_ids"],
            ids("<s> rain Ġrain </s> </s> day </s>"),
        ),
        "cutting the first text alone": (
            lambda tok: tok("rain rain", LONG, truncation="only_first", max_length=11)["input_ids"],
            ids("<s> rain </s> </s> rain Ġrain Ġrain Ġrain Ġrain Ġrain </s>"),
        ),
        "cutting the second text alone": (
            lambda tok: tok("rain rain", LONG, truncation="only_second", max_length=8)["input_ids"],
            ids("<s> rain Ġrain </s> </s> rain Ġrain </s>"),
        ),
        "what was cut, as further rows with a stride": (
            lambda tok: tok(
                "rain rain rain day", truncation=True, max_length=5, stride=1,
                return_overflowing_tokens=True,
            )["input_ids"],
            [ids("<s> rain Ġrain Ġrain </s>"), ids("<s> Ġrain Ġday </s>")],
        ),
        "which text a further row is of": (
            lambda tok: tok(
                ["day", "rain rain rain day"], truncation=True, max_length=5, stride=1,
                return_overflowing_tokens=True,
            )["overflow_to_sample_mapping"],
            [0, 1, 1],
        ),
        "where tokens are special": (
            lambda tok: tok("rain", "day", return_special_tokens_mask=True)["special_tokens_mask"],
            [1, 0, 1, 1, 0, 1],
        ),
        "one token type": (
            lambda tok: tok("rain", "day", return_token_type_ids=True)["token_type_ids"],
            [0] * 6,
        ),
        "which text of a pair a token is of": (
            lambda tok: tok("rain", "day", padding=False).sequence_ids(),
            [None, 0, None, None, 1, None],
        ),
        "which word a token is of": (
            lambda tok: tok("rainy day", padding=False).word_ids(),
            [None, 0, 0, 1, None],
        ),
        "which token a character is in": (
            lambda tok: [tok("rainy day", padding=False).char_to_token(0, i) for i in (0, 4, 6)],
            [1, 2, 3],
        ),
        "where tokens lie in the text, without the space": (
            lambda tok: tok("rain day", return_offsets_mapping=True)["offset_mapping"],
            [[0, 0], [0, 4], [5, 8], [0, 0]],
        ),
        "the same with a space in front of all": (
            lambda tok: tokenizer_with(add_prefix_space=True)(
                "rain day", return_offsets_mapping=True
            )["offset_mapping"],
            [[0, 0], [0, 4], [5, 8], [0, 0]],
        ),
        "the same where the text begins with a space": (
            lambda tok: tok(" rain day", return_offsets_mapping=True)["offset_mapping"],
            [[0, 0], [1, 5], [6, 9], [0, 0]],
        ),
        "texts in words": (
            lambda tok: tokenizer_with(add_prefix_space=True)(
                ["rain", "day"], is_split_into_words=True
            )["input_ids"],
            ids("<s> Ġrain Ġday </s>"),
        ),
        "numpy arrays": (
            lambda tok: type(tok(["rain"], return_tensors="np")["input_ids"]).__name__,
            "ndarray",
        ),
        "tensors": (
            lambda tok: tok(["rain"], return_tensors="tf")["input_ids"].shape,
            (1, 3),
        ),
        "rows of unequal length are no tensor": (
            lambda tok: tok(["rain", "rain day"], return_tensors="np"),
            Refused("padding=True"),
        ),
        "lengths on request": (lambda tok: tok("rain", return_length=True)["length"], 3),
        "an empty text is its special tokens": (
            lambda tok: tok("", padding=False)["input_ids"],
            [START, END],
        ),
        "encode gives ids": (lambda tok: tok.encode("rain day"), ids("<s> rain Ġday </s>")),
        "tokens to ids and back": (
            lambda tok: tok.convert_ids_to_tokens(tok.convert_tokens_to_ids(["rain", "Ġday"])),
            ["rain", "Ġday"],
        ),
        "an unknown token has the id of <unk>": (
            lambda tok: tok.convert_tokens_to_ids("snow"),
            VOCABULARY["<unk>"],
        ),
        "the text of tokens": (
            lambda tok: tok.convert_tokens_to_string(["rain", "y", "Ġday"]),
            "rainy day",
        ),
        "tokenize and encode agree": (
            lambda tok: tok.convert_tokens_to_ids(tok.tokenize("a rainy day")),
            ids("a Ġrain y Ġday"),
        ),
        "many rows back at once": (
            lambda tok: tok.batch_decode(tok(["rain day", "day"], padding=True)["input_ids"]),
            ["rain day", "day"],
        ),
        "the special tokens by their names": (
            lambda tok: [
                *(tok.bos_token, tok.eos_token, tok.sep_token, tok.cls_token),
                *(tok.unk_token, tok.pad_token, tok.mask_token),
            ],
            ["<s>", "</s>", "</s>", "<s>", "<unk>", "<pad>", "<mask>"],
        ),
        "their ids": (
            lambda tok: [
                *(tok.bos_token_id, tok.eos_token_id, tok.sep_token_id, tok.cls_token_id),
                *(tok.unk_token_id, tok.pad_token_id, tok.mask_token_id),
            ],
            [START, END, END, START, 3, PAD, MASK],
        ),
        "all special tokens, each once": (
            lambda tok: sorted(tok.all_special_tokens),
            ["</s>", "<mask>", "<pad>", "<s>", "<unk>"],
        ),
        "how many special tokens are put around": (
            lambda tok: [tok.num_special_tokens_to_add(), tok.num_special_tokens_to_add(pair=True)],
            [2, 4],
        ),
        "a mask takes the space before it": (
            lambda tok: tok.tokenize("rain <mask> day"),
            ["rain", "<mask>", "Ġday"],
        ),
        "a word right behind a mask": (
            lambda tok: tok.tokenize("rain <mask>day"),
            ["rain", "<mask>", "day"],
        ),
        "get_vocab": (lambda tok: tok.get_vocab(), VOCABULARY),
        "added tokens have new ids": (
            lambda tok: text_ids(added(tok, "<city>", "snow"), "rain<city>"),
            [VOCABULARY["rain"], len(TOKENS)],
        ),
        "adding says how many are new": (
            lambda tok: tok.add_tokens(["<city>", "<mask>", "<city>"]),
            1,
        ),
        "the tokenizer has grown by them": (
            lambda tok: len(added(tok, "<city>", "snow")),
            len(TOKENS) + 2,
        ),
        "vocab_size has not": (lambda tok: added(tok, "<city>").vocab_size, len(TOKENS)),
        "the longest added token wins": (
            lambda tok: added(tok, "<a>", "<a><b>").tokenize("<a><b>"),
            ["<a><b>"],
        ),
        "an added special token is left out of texts": (
            lambda tok: added(tok, "<city>", special_tokens=True).decode(tok("rain<city>")),
            "rain",
        ),
        "additional special tokens": (
            lambda tok: [
                tok.add_special_tokens({"additional_special_tokens": ["<city>"]}),
                "<city>" in tok.all_special_tokens,
            ],
            [1, True],
        ),
        "another name for a special token is refused": (
            lambda tok: tok.add_special_tokens({"mask_token": "[MASK]"}),
            Refused("mask_token"),
        ),
        "a misspelt option is refused": (
            lambda tok: tok("rain", paddding=True),
            Refused("padding"),
        ),
        "pickled, with added tokens": (
            lambda tok: pickle.loads(pickle.dumps(added(tok, "<city>"))).tokenize("rain<city>"),
            ["rain", "<city>"],
        ),
    }
)  # fmt: skip
def test_tokenizer_of_transformers(done, expected, tok):
    check(done, expected, tok)


def test_tokenizer_is_saved_and_read(tok, tmp_path):
    added(tok, "<city>").save(tmp_path)
    again = kr.RobertaTokenizer.from_preset(tmp_path)
    assert again.get_vocab() == {**VOCABULARY, "<city>": len(TOKENS)}
    assert again("rain <city>") == tok("rain <city>")


def test_tokenizer_of_a_preset_knows_the_models_length(classifier, tmp_path):
    classifier.save_to_preset(tmp_path)
    assert kr.RobertaTokenizer.from_preset(tmp_path).model_max_length == 16
