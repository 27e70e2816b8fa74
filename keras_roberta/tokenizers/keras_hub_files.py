"""KerasHub's tokenizers of RoBERTa and XLM-R, and ours."""

import pathlib

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import TRUTH, Record
from keras_roberta.tokenizers import RobertaTokenizer, open_tokenizer
from keras_roberta.tokenizers.protocol import Tokenizer
from keras_roberta.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer
from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS

_SETTINGS = Record({}, {"config": Record({}, {"add_prefix_space": TRUTH})})


def read_tokenizer(directory: pathlib.Path) -> Tokenizer:
    """The tokenizer of a preset; its `tokenizer.json` is not that of the `tokenizers` library.

    Raises:
        InputError: there is none, or it is damaged.
    """
    tokenizer = open_tokenizer(directory / "assets" / "tokenizer")
    path = directory / "tokenizer.json"
    if not path.exists() or not isinstance(tokenizer, RobertaTokenizer):
        return tokenizer
    settings = read_json_object(path, _SETTINGS, hint="it belongs to the preset")
    if not settings.get("config", {}).get("add_prefix_space"):
        return tokenizer
    return RobertaTokenizer(tokenizer.vocabulary, tokenizer.merges, add_prefix_space=True)


def keras_hub_tokenizer(tokenizer: Tokenizer):
    """KerasHub's tokenizer for one of ours.

    Returns:
        the family of its models, and the tokenizer.

    Raises:
        InputError: KerasHub has no such tokenizer; says what it lacks.
    """
    import keras_hub

    kinds = (RobertaTokenizer, SentencePieceTokenizer)
    if not isinstance(tokenizer, kinds):
        raise InputError(
            f"KerasHub's RoBERTa has no {tokenizer.kind_name} tokenizer; convert the encoder "
            "without it"
        )
    if tuple(tokenizer.special_tokens) != SPECIAL_TOKENS:
        raise InputError(
            f"KerasHub's RoBERTa calls its special tokens {' '.join(SPECIAL_TOKENS)}; the "
            f"tokenizer's are {' '.join(tokenizer.special_tokens)}"
        )
    added = [t.content for t in tokenizer.added_tokens if t.content not in SPECIAL_TOKENS]
    if added:
        raise InputError(f"KerasHub's RoBERTa has no added tokens; the tokenizer has {added[0]!r}")
    if isinstance(tokenizer, SentencePieceTokenizer):
        proto = tokenizer.model_file()
        return "XLMRoberta", keras_hub.models.XLMRobertaTokenizer(proto=proto)
    return "Roberta", keras_hub.models.RobertaTokenizer(
        tokenizer.vocabulary,
        [f"{a} {b}" for a, b in tokenizer.merges],
        add_prefix_space=tokenizer.add_prefix_space,
    )
