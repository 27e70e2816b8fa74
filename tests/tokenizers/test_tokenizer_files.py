"""What the files of a tokenizer say is read, or refused in one line."""

import json
import pickle

import numpy as np
import pytest
from small_tokenizers import SPECIALS, unigram, words, write
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, processors

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import RobertaTokenizer, open_tokenizer


def test_rows_are_those_of_the_post_processor(tmp_path):
    names = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
    vocabulary = {token: i for i, token in enumerate([*names, "a", "b"])}
    made = Library(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 0), ("[SEP]", 2)],
    )
    made.enable_padding()
    made.enable_truncation(3)
    roles = ["cls_token", "pad_token", "sep_token", "unk_token", "mask_token"]
    config = dict(zip(roles, names, strict=True))
    config["mask_token"] = {"content": "[MASK]", "lstrip": True}  # both forms occur
    tokenizer = open_tokenizer(write(made, tmp_path, config))
    assert tokenizer.special_token_ids == (0, 1, 2, 3, 4)
    assert tokenizer("a b", "b") == [0, 5, 6, 2, 6, 2]
    assert tokenizer(["a b a", "a [MASK]"]) == [[0, 5, 6, 5, 2], [0, 5, 4, 2]]
    tokenizer.save(tmp_path / "saved")
    again = open_tokenizer(tmp_path / "saved")
    assert again == tokenizer and again("a b", "b") == [0, 5, 6, 2, 6, 2]
    plain = tokenizer.encode_plain(["[CLS] a [MASK]"])
    assert plain.token_ids.tolist() == [3, 5, 3]  # to words these are unknown ones


def test_plain_ids_where_special_tokens_are_in_no_vocabulary(tmp_path):
    content = json.loads(words().to_str())
    content["model"]["vocab"].pop("<mask>")
    content["model"]["vocab"] = {token: i for i, token in enumerate(content["model"]["vocab"])}
    library = Library.from_str(json.dumps({**content, "added_tokens": []}))
    library.add_special_tokens(list(SPECIALS))
    library.add_tokens(["DOMAIN"])
    tokenizer = open_tokenizer(write(library, tmp_path / "tokenizer"))
    domain, mask = library.token_to_id("DOMAIN"), library.token_to_id("<mask>")
    assert domain == mask + 1
    assert tokenizer.encode_plain(["DOMAIN"]).token_ids.tolist() == [domain]
    assert mask not in tokenizer.encode_plain(["DOMAIN <mask>"]).token_ids


def _edited(change):
    content = json.loads(words().to_str())
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_edited(lambda c: c["model"].update(type="WordPiece")), "holds a WordPiece tokenizer"),
        (_edited(lambda c: c.pop("model")), "holds a unknown tokenizer; known are byte-level BPE"),
        (_edited(lambda c: c["model"].pop("unk_token")), "names no unknown token"),
        (_edited(lambda c: c["model"].update(vocab=3)), "not a tokenizer ("),
        (_edited(lambda c: c["model"].update(unk_token="no such")), "is not in its vocabulary"),
        (
            _edited(lambda c: (c.update(added_tokens=[]), c["model"]["vocab"].pop("<mask>"))),
            "lacks <mask>",
        ),
        ("{", "not JSON"),
        ("[]", "expected a JSON object, found a list"),
    ],
)
def test_bad_files(tmp_path, content, message):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError) as caught:
        open_tokenizer(tmp_path)
    assert str(tmp_path / "tokenizer.json") in str(caught.value)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_robertas_own_class_reads_its_kind_alone(tmp_path):
    write(unigram(), tmp_path)
    with pytest.raises(InputError, match="holds a Unigram tokenizer; RoBERTa's is a byte-level"):
        RobertaTokenizer.from_preset(tmp_path)


def test_xlmr(data_directory):
    directory = data_directory / "xlmr-small"
    if not directory.is_dir():
        pytest.skip(f"no {directory}")
    tokenizer = open_tokenizer(directory)
    assert tokenizer.kind_name == "SentencePiece" and tokenizer.vocabulary_size == 250002
    assert tokenizer("Hello world!") == [0, 35378, 8999, 38, 2]
    assert tokenizer.special_token_ids == (0, 1, 2, 3, 250001)
    # As the checkpoint's authors' code has them.
    reference = json.loads((directory / "reference_embeddings.json").read_text("utf-8"))
    assert len(reference) > 5
    for text, expected in reference.items():
        assert tokenizer(text) == expected["ids"]
    plain = tokenizer.encode_plain(["x </s> y <mask> z"])
    assert not np.isin(plain.token_ids, tokenizer.special_token_ids).any()
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer

    # Called as Hugging Face's users do.
    library = Library.from_file(str(directory / "tokenizer.json"))
    library.enable_truncation(12, stride=2)
    texts, pairs = (
        ["Hello world, how are you?", "Guten <mask>, alle zusammen"],
        ["Ja", "日本語です"],
    )
    found = tokenizer(
        texts,
        pairs,
        truncation=True,
        max_length=12,
        stride=2,
        return_offsets_mapping=True,
        return_overflowing_tokens=True,
    )
    encodings = library.encode_batch(list(zip(texts, pairs, strict=True)))
    expected = [e for encoding in encodings for e in (encoding, *encoding.overflowing)]
    assert found["input_ids"] == [e.ids for e in expected]
    assert found["offset_mapping"] == [e.offsets for e in expected]
    assert [found.word_ids(i) for i in range(len(expected))] == [e.word_ids for e in expected]
