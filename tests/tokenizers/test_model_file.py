"""sentencepiece's own file: read safely, and refused by name where it is something else."""

import pytest
import sentencepiece
from sentencepiece_models import TEXTS, trained_model, trained_tokenizer

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.unigram.long_texts import part_begins
from keras_roberta.tokenizers.unigram.wire_format import (
    WireError,
    field,
    fields,
    float_field,
    number_field,
)

OWN = [
    field(1, field(1, name) + float_field(2, 0.0) + number_field(3, kind))
    for name, kind in ((b"<unk>", 2), (b"<s>", 3), (b"</s>", 3))
]


def piece(text, score=-1.0, kind=None):
    content = field(1, text) + float_field(2, score)
    return field(1, content + (number_field(3, kind) if kind else b""))


def model(*pieces, trainer=b"", normalizer=b""):
    return b"".join([*OWN, *pieces, field(2, trainer), field(3, normalizer)])


A = piece(b"a")
BAD = {
    "not sentencepiece": (b"\x00\x01", "not a sentencepiece model (it has a field with the number"),
    "cut": (model(A)[:-7] + b"\x1a\x7f", "not a sentencepiece model (it ends within field"),
    "empty": (b"", "not a sentencepiece model (it has no pieces)"),
    "BPE": (model(A, trainer=number_field(3, 2)), "trainer_spec.model_type is BPE; only Unigram"),
    "Word": (model(A, trainer=number_field(3, 3)), "trainer_spec.model_type is Word; only Unigram"),
    "bytes": (model(A, trainer=number_field(35, 1)), "trainer_spec.byte_fallback is true; only"),
    "suffix": (model(A, trainer=number_field(24, 1)), "treat_whitespace_as_suffix is true"),
    "no prefix": (
        model(A, normalizer=number_field(3, 0)),
        "normalizer_spec.add_dummy_prefix is false; only models where it is true",
    ),
    "not UTF-8": (model(A, piece(b"\xff\xfe")), r"pieces[4].piece is not UTF-8 (b'\xff\xfe')"),
    "twice": (model(A, A), "pieces[4].piece is 'a' a second time"),
    "taken": (model(piece(b"<pad>")), "pieces[3].piece is '<pad>' a second time"),
    "no text": (model(piece(b"")), "pieces[3].piece is empty or holds NUL"),
    "no number": (model(piece(b"b", float("nan"))), "pieces[3].score is no finite number"),
    "user-defined": (model(piece(b"b", kind=4)), "pieces[3].type is USER_DEFINED; only NORMAL"),
    "no specials": (field(1, field(1, b"a")), "pieces[0].type is NORMAL; expected UNKNOWN"),
    "no map": (
        model(A, normalizer=number_field(2, 0)),
        "its field normalizer_spec.precompiled_charsmap is a number",
    ),
    "mangled map": (
        model(A, normalizer=field(2, b"\xff" * 9)),
        "normalizer_spec.precompiled_charsmap is mangled (",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / "sentencepiece.bpe.model"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_tokenizer(tmp_path)
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["bpe", "word", "char"])
def test_models_of_other_types(tmp_path, kind):
    content = trained_model(tmp_path, model_type=kind, vocab_size=80)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(content)
    with pytest.raises(InputError, match="trainer_spec.model_type is (BPE|Word|Char); only"):
        open_tokenizer(tmp_path)


def test_a_download_that_was_cut(tmp_path):
    content = trained_model(tmp_path)
    path = tmp_path / "sentencepiece.bpe.model"
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        try:
            open_tokenizer(tmp_path)
        except InputError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


@pytest.mark.parametrize(
    "bad", [b"\x80", b"\x08" + b"\x80" * 11, b"\x0b", b"\x0d\x00", b"\x0a\x05a"]
)
def test_what_is_no_message(bad):
    with pytest.raises(WireError):
        list(fields(bad))


def test_messages_read_back():
    parts = [(1, 300), (2, b"x" * 200), (3, 2**40)]
    content = number_field(1, 300) + field(2, b"x" * 200) + number_field(3, 2**40)
    assert list(fields(content)) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0]),
        ("abcd", [0]),
        ("ab cd ef", [0, 5]),
        ("abcdefghi", [0, 4]),
        ("\u65e5" * 4, [0, 6, 9]),
    ],
)
def test_parts(text, expected):
    assert part_begins(text.encode(), 4) == expected


def test_the_file_comes_back(tmp_path):
    """With the same pieces, scores and rules, in the order of the file that was read."""
    directory, tokenizer = trained_tokenizer(tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    (again / "sentencepiece.bpe.model").write_bytes(tokenizer.model_file())
    assert open_tokenizer(again) == tokenizer
    first, second = (
        sentencepiece.SentencePieceProcessor(model_file=str(d / "sentencepiece.bpe.model"))
        for d in (directory, again)
    )
    assert second.encode(TEXTS) == first.encode(TEXTS)
    assert [second.id_to_piece(i) for i in range(4)] == [
        "<unk>",
        "<s>",
        "</s>",
        first.id_to_piece(3),
    ]


def test_the_class_of_the_tokenizer_counts_before_the_family_of_models(tmp_path):
    (tmp_path / "sentencepiece.bpe.model").write_bytes(trained_model(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "camembert"}')
    config = '{"tokenizer_class": "XLMRobertaTokenizerFast"}'
    (tmp_path / "tokenizer_config.json").write_text(config)
    assert open_tokenizer(tmp_path).special_token_ids[:4] == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", '{"model_type": "camembert"}'),
        ("tokenizer_config.json", '{"tokenizer_class": "CamembertTokenizer"}'),
    ],
)
def test_camemberts_ids_are_the_numbers_of_its_pieces_and_four(tmp_path, name, content):
    (tmp_path / "sentencepiece.bpe.model").write_bytes(trained_model(tmp_path))
    (tmp_path / name).write_text(content)
    tokenizer = open_tokenizer(tmp_path)
    own = sentencepiece.SentencePieceProcessor(str(tmp_path / "sentencepiece.bpe.model"))
    last = len(own) + 4
    assert (
        tokenizer.special_token_ids == (5, 1, 6, 3, last) and tokenizer.vocabulary_size == last + 1
    )
    for text in TEXTS:
        # Number 0 is what no piece has, which is `<unk>`.
        ids = [i + 4 if i else 3 for i in own.encode(text)]
        assert tokenizer(text) == [5, *ids, 6]
    first, second = tokenizer(["a <mask>", "b"], add_special_tokens=False)
    assert first[-1] == last and tokenizer("a <mask>", "b") == [5, *first, 6, 6, *second, 6]
    # Those are RoBERTa's rows with other numbers, which graphs make, and so is the saved file.
    assert tokenizer.static_in_graph() is not None
    tokenizer.save(tmp_path / "saved")
    assert open_tokenizer(tmp_path / "saved") == tokenizer
    with pytest.raises(InputError, match="its ids are not those that fairseq gives pieces"):
        tokenizer.model_file()
