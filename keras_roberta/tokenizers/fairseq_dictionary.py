"""fairseq's dictionaries, `dict.txt`: a symbol and how often it occurs on each line.

`<s> <pad> </s> <unk>` have the ids 0 to 3, whatever the file says; the first line has id 4, each
further one the next. RoBERTa's task adds `<mask>` behind the last, unless a line has it.
A dictionary of a byte-level BPE names tokens by the ids that GPT-2's `encoder.json` gives them;
lines named `madeupword0000` and so on fill it up (fairseq/data/dictionary.py).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.tokenizers.file_kinds import VOCABULARY
from keras_roberta.tokenizers.line_files import read_lines
from keras_roberta.tokenizers.special_token_names import FRONT_TOKENS, MASK_TOKEN
from keras_roberta.tokenizers.spelling import byte_alphabet

_FILLER = re.compile(r"madeupword\d{4,}")
_OVERWRITE = " #fairseq:overwrite"


def read_symbols(path: Path) -> list[str]:
    """The symbols of a dictionary by id, without the four in front.

    Raises:
        InputError: names the line that is not a symbol and a count, or names one a second time
            without `#fairseq:overwrite`, by which the symbol means the later id.
    """
    symbols: list[str] = []
    known = {symbol: None for symbol in FRONT_TOKENS}
    for number, line in enumerate(read_lines(path), 1):
        overwrites = line.endswith(_OVERWRITE)
        symbol, _, count = line.removesuffix(_OVERWRITE).rstrip().rpartition(" ")
        if not symbol or not count.isdecimal():
            raise InputError(f"{path}: line {number} ({line!r:.40}) is not a symbol and a count")
        if symbol in known:
            if not overwrites:
                raise InputError(f"{path}: line {number} names {symbol:.40} a second time")
            if (earlier := known[symbol]) is not None:
                symbols[earlier] += _OVERWRITE  # which no line can name
        known[symbol] = len(symbols)
        symbols.append(symbol)
    return symbols


def read_names(path: Path) -> list[str]:
    """The names of classes that a dictionary of labels lists, without what fills it up.

    Raises:
        InputError: see `read_symbols`.
    """
    return [symbol for symbol in read_symbols(path) if not _FILLER.fullmatch(symbol)]


def read_vocabulary(directory: Path) -> dict[str, int]:
    """Token to id of the byte-level BPE that `dict.txt` and `encoder.json` make.

    Raises:
        InputError: a file is missing or mangled; `dict.txt` names an id that `encoder.json` does
            not have, or skips one that it has.
    """
    path = directory / "dict.txt"
    encoder = read_json_object(
        directory / "encoder.json", VOCABULARY, hint="it belongs to the files beside it"
    )
    tokens = {str(index): token for token, index in encoder.items()}
    vocabulary = {token: index for index, token in enumerate(FRONT_TOKENS)}
    symbols = read_symbols(path)
    for number, symbol in enumerate(symbols, 1):
        if symbol.isdecimal() and symbol not in tokens:
            raise InputError(
                f"{path}: line {number} names the id {symbol}, which encoder.json does not have"
            )
        token = tokens.get(symbol, symbol)
        if token in vocabulary:
            raise InputError(f"{path}: line {number} names {symbol:.40} a second time")
        vocabulary[token] = len(vocabulary)
    skipped = tokens.keys() - set(symbols)
    if skipped:
        first = min(skipped, key=int)
        raise InputError(
            f"{path}: skips {len(skipped)} of the ids in encoder.json, the first {first} "
            f"({tokens[first]!r:.40}); the two are not of one model, or lines are missing"
        )
    vocabulary.setdefault(MASK_TOKEN, len(vocabulary))
    return vocabulary


def num_ids(path: Path) -> int:
    """How many ids a dictionary has, `<mask>` among them: the rows of its model's embedding.

    Raises:
        InputError: see `read_symbols`.
    """
    symbols = read_symbols(path)
    return len(FRONT_TOKENS) + len(symbols) + (MASK_TOKEN not in symbols)


def dictionary_text(symbols: Iterable[str]) -> str:
    """The content of a `dict.txt`. How often the symbols occur is not known, and said to be 1.

    Raises:
        InputError: one of them cannot stand in such a file.
    """
    symbols = list(symbols)
    for symbol in symbols:
        if symbol in FRONT_TOKENS or symbol != symbol.strip() or "\n" in symbol or not symbol:
            raise InputError(f"{symbol!r:.60} cannot stand in a dictionary of fairseq; rename it")
    return "".join(f"{symbol} {int(not _FILLER.fullmatch(symbol))}\n" for symbol in symbols)


def byte_level_files(
    vocabulary: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    specials: Sequence[str],
    mask: str,
    rows: int,
) -> dict[str, str]:
    """The files of a byte-level BPE, by name: `dict.txt`, `encoder.json` and `vocab.bpe`.

    `encoder.json` numbers the 256 bytes in the order of their letters, then what the merges make,
    then other tokens, which is how GPT-2's own came to be: RoBERTa's vocabulary gives that file
    back.

    Args:
        vocabulary: token to id.
        merges: pairs of tokens, the first merged first.
        specials: what the vocabulary calls the tokens of the ids 0 to 3.
        mask: what it calls `<mask>`.
        rows: those of the model's embedding.

    Raises:
        InputError: the ids do not leave `<s>`, `<pad>`, `</s>` and `<unk>` those that fairseq gives
            them, or there are more of them than rows.
    """
    for index, (token, usual) in enumerate(zip(specials, FRONT_TOKENS, strict=True)):
        if vocabulary[token] != index:
            raise InputError(
                f"fairseq gives {usual} the id {index}; in this tokenizer it is {vocabulary[token]}"
            )
    by_id = {index: token for token, index in vocabulary.items()}
    if max(by_id) >= rows:
        raise InputError(f"the tokenizer's largest id is {max(by_id)}, the model has {rows} rows")
    built = [*sorted(byte_alphabet()), *("".join(pair) for pair in merges)]
    others = [by_id[index] for index in sorted(by_id) if not _FILLER.fullmatch(by_id[index])]
    named = dict.fromkeys(token for token in (*built, *others) if token not in {*specials, mask})
    encoder = {token: index for index, token in enumerate(named)}
    symbols = [_symbol(by_id.get(index), index, encoder, mask) for index in range(4, rows)]
    return {
        "dict.txt": dictionary_text(_without_last_mask(symbols)),
        "encoder.json": json.dumps(encoder),
        "vocab.bpe": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges),
    }


def piece_dictionary(tokens: Sequence[str | None]) -> str:
    """The content of the `dict.txt` beside a `sentencepiece.bpe.model`, which names its pieces.

    Args:
        tokens: of each row of the model's embedding; None for those without.
    """
    found = [token or f"madeupword{index:04}" for index, token in enumerate(tokens)]
    return dictionary_text(_without_last_mask(found[len(FRONT_TOKENS) :]))


def check_pieces(path: Path, tokens: Sequence[str | None]) -> None:
    """Raises an InputError if a dictionary gives tokens of a sentencepiece model other ids.

    Args:
        path: of the `dict.txt`.
        tokens: those of the model by id.
    """
    for number, symbol in enumerate(read_symbols(path), 1):
        index = len(FRONT_TOKENS) + number - 1
        token = tokens[index] if index < len(tokens) else None
        if token is not None and symbol != token:
            raise InputError(
                f"{path}: line {number} gives the id {index} to {symbol:.40}; in the sentencepiece "
                f"model it is {token:.40}; lines are missing, or they are not of one model"
            )


def _without_last_mask(symbols: list[str]) -> list[str]:
    """Every task adds `<mask>` behind the last by itself."""
    return symbols[:-1] if symbols[-1:] == [MASK_TOKEN] else symbols


def _symbol(token: str | None, index: int, encoder: Mapping[str, int], mask: str) -> str:
    if token is None:
        return f"madeupword{index:04}"
    if token == mask:
        return MASK_TOKEN
    return str(encoder[token]) if token in encoder else token
