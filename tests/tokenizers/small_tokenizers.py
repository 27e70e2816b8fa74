"""A small tokenizer of each kind, made with the `tokenizers` library as others make theirs."""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXTS = ["the fox sees a dog. The dog sleeps!", "a lazy dog", "Ärger über den Fuchs, sagt er."] * 3


def byte_level_bpe():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    return made


def unigram():
    letters = sorted({letter for text in TEXTS for letter in text if letter != " "})
    pieces = ["\u2581the", "\u2581a", "\u2581dog", "\u2581f", "ox", "\u2581l", "azy", "\u2581", "s"]
    scores = [(token, 0.0) for token in SPECIALS]
    scores += [(piece, -2.0 - i / 10) for i, piece in enumerate(pieces)]
    scores += [(letter, -9.0) for letter in letters if letter != "s"]
    made = Tokenizer(models.Unigram(scores, unk_id=3))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    return _with_special_tokens(made)


def words():
    found = ["the", "The", "fox", "sees", "a", "lazy", "dog", ".", ",", "\u00c4rger"]
    made = Tokenizer(models.WordLevel(_numbered(found), unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return _with_special_tokens(made)


def characters():
    letters = sorted({letter for text in TEXTS for letter in text})
    made = Tokenizer(models.WordLevel(_numbered(letters), unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return _with_special_tokens(made)


MAKERS = {
    "byte-level BPE": byte_level_bpe,
    "Unigram": unigram,
    "words": words,
    "characters": characters,
}


def write(made, directory, config=None):
    """Writes a tokenizer as a checkpoint has it."""
    directory.mkdir(parents=True, exist_ok=True)
    made.save(str(directory / "tokenizer.json"))
    if config is not None:
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


def _numbered(tokens):
    return {token: index for index, token in enumerate(SPECIALS + tokens)}


def _with_special_tokens(made):
    made.add_special_tokens(
        [AddedToken(token, lstrip=token == "<mask>", normalized=False) for token in SPECIALS]
    )
    return made
