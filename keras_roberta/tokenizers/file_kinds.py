"""What the fields of a tokenizer's JSON files have to be, of those that are read."""

from keras_roberta.files.json_kinds import (
    ANY_NUMBER,
    OBJECT,
    TEXT,
    TRUTH,
    Either,
    ListOf,
    MapOf,
    Maybe,
    Record,
    Simple,
    Whole,
)

# No vocabulary has as many tokens. Tables are made of as many rows as the largest id says.
MOST_IDS = 1 << 24
TOKEN_ID = Whole(0, MOST_IDS)
VOCABULARY = MapOf(TOKEN_ID)

_FLAG = Either((TRUTH, Whole(0, 2)))
_FLAGS = {name: _FLAG for name in ("lstrip", "rstrip", "single_word", "normalized", "special")}
_TOKEN = Either((TEXT, Record({}, {"content": TEXT, **_FLAGS})))
_SPECIAL_TOKENS = {
    name: Maybe(_TOKEN)
    for name in (
        *("cls_token", "bos_token", "pad_token", "sep_token", "eos_token"),
        *("unk_token", "mask_token"),
    )
}
_MORE_TOKENS = Maybe(Either((ListOf(_TOKEN), MapOf(_TOKEN))))
SETTINGS = Record(
    {},
    {
        **_SPECIAL_TOKENS,
        "additional_special_tokens": _MORE_TOKENS,
        "extra_special_tokens": _MORE_TOKENS,
        "added_tokens_decoder": Maybe(MapOf(Record({}, _FLAGS))),
        "add_prefix_space": Maybe(_FLAG),
        "model_max_length": Maybe(ANY_NUMBER),
    },
)
TOKENIZER = Record(
    {},
    {
        "model": Record(
            {},
            {
                "merges": ListOf(Simple("a pair of tokens", lambda x: _is_merge(x))),
            },
        ),
        "added_tokens": Maybe(ListOf(Record({}, _FLAGS))),
        "pre_tokenizer": Maybe(OBJECT),
        "normalizer": Maybe(OBJECT),
    },
)


def _is_merge(value) -> bool:
    """Whether a merge has the form of one; `RobertaTokenizer` says what is wrong with its parts."""
    return isinstance(value, (str, list))
