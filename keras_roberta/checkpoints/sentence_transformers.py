"""The files that Sentence Transformers lays beside a checkpoint of Transformers.

`modules.json` lists what is done one after the other: the encoder, a pooling with a config of its
own, and perhaps a normalisation. `config_sentence_transformers.json` has prefixes, there called
prompts, and `sentence_bert_config.json` the longest row. After what `SentenceTransformer.save` of
the versions 2 to 5 writes.
"""

from __future__ import annotations

import pathlib
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import LARGEST, JsonError, parse_json, read_json_object
from keras_roberta.files.json_kinds import TEXT, ListOf, MapOf, Maybe, Record, Whole, short
from keras_roberta.files.regular_file import is_file_name, read_regular

NAME = "sentence-transformers"
_MODULES = "modules.json"
_PROMPTS = "config_sentence_transformers.json"
_LENGTH = "sentence_bert_config.json"
_POOLING, _NORMALIZE = "1_Pooling", "2_Normalize"
# What a checkpoint without these files would leave behind, to be read as its own.
FILES = (_MODULES, _PROMPTS, _LENGTH, f"{_POOLING}/*", f"{_NORMALIZE}/*")

_LIST = ListOf(Record({"type": TEXT}, {"path": TEXT}), at_most=100)
_PROMPTS_KIND = Record(
    {}, {"prompts": Maybe(MapOf(Maybe(TEXT))), "default_prompt_name": Maybe(TEXT)}
)
_LENGTH_KIND = Record({}, {"max_seq_length": Maybe(Whole(1, 1 << 22))})
_MODES = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}
_OF_QUERIES, _OF_CORPUS = "query", ("document", "passage", "corpus")


def has_modules(directory: pathlib.Path) -> bool:
    """Whether a directory says how vectors of texts are made."""
    return (directory / _MODULES).exists()


def read_modules(directory: pathlib.Path) -> dict[str, Any]:
    """How a directory says that vectors of texts are made.

    Returns:
        dict of `pooling` ("cls" or "mean"), `normalize`, and under "preprocessor" those of
        `sequence_length`, `prefix` and `corpus_prefix` that are there: constructor arguments of an
        embedder.

    Raises:
        InputError: a file is mangled, or vectors are made in another way.
    """
    path = directory / _MODULES
    try:
        modules = parse_json(read_regular(path, at_most=LARGEST))
    except JsonError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if problem := _LIST.problem(modules):
        raise InputError(f"{path}: {problem}")
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise InputError(
            f"{path}: lists {', '.join(kinds)}; only Transformer, Pooling and Normalize, in this "
            "order, are known; remove the file to read the encoder alone"
        )
    folder = modules[1].get("path", "")
    if modules[0].get("path", "") or not is_file_name(folder):
        raise InputError(f"{path}: the encoder has to lie beside it, and the pooling in a folder")
    return {
        "pooling": _read_pooling(directory / folder / "config.json"),
        "normalize": "Normalize" in kinds,
        "preprocessor": {**_read_length(directory), **_read_prompts(directory)},
    }


def _read_pooling(path):
    values = read_json_object(path, hint="modules.json names it")
    if values.get("include_prompt") is False:
        raise InputError(f"{path}: include_prompt is false, which is not supported")
    on = [name for name, value in values.items() if name.startswith("pooling_mode_") and value]
    if isinstance(values.get("pooling_mode"), str):
        on = [_MODES.get(values["pooling_mode"], values["pooling_mode"])]
    for pooling, name in _MODES.items():
        if on == [name]:
            return pooling
    raise InputError(
        f"{path}: pools by {', '.join(map(str, on)) or 'nothing'}; supported are "
        f"{' and '.join(_MODES.values())}, one of them"
    )


def _read_length(directory):
    path = directory / _LENGTH
    if not path.exists():
        return {}
    values = read_json_object(path, _LENGTH_KIND, hint="")
    if values.get("do_lower_case"):
        raise InputError(f"{path}: do_lower_case is true, which is not supported")
    length = values.get("max_seq_length")
    return {} if length is None else {"sequence_length": length}


def _read_prompts(directory):
    """The prompts of queries and of documents. Where none has such a name, both get the default
    one, or none."""
    path = directory / _PROMPTS
    if not path.exists():
        return {}
    values = read_json_object(path, _PROMPTS_KIND, hint="")
    prompts = {name: text or "" for name, text in (values.get("prompts") or {}).items()}
    usual = values.get("default_prompt_name")
    if usual is not None and usual not in prompts:
        raise InputError(f"{path}: default_prompt_name is {short(usual)}, which no prompt has")
    prefix = prompts.get(usual or _OF_QUERIES, "")
    of_corpus = next(
        (prompts[name] for name in _OF_CORPUS if name in prompts), prompts.get(usual, "")
    )
    found = {"prefix": prefix} if prefix else {}
    return found if of_corpus == prefix else {**found, "corpus_prefix": of_corpus}


def modules_of(
    *,
    pooling: str,
    normalize: bool,
    size: int,
    sequence_length: int | None,
    prefix: str,
    corpus_prefix: str | None,
) -> dict[str, Any]:
    """The files for an embedder: their contents as JSON, by their paths.

    Args:
        pooling, normalize: see `read_modules`.
        size: numbers of a vector.
        sequence_length: tokens of the longest row, or None.
        prefix, corpus_prefix: see `RobertaTextEmbedderPreprocessor`.
    """
    modules = [("Transformer", ""), ("Pooling", _POOLING)]
    if normalize:
        modules.append(("Normalize", _NORMALIZE))
    prompts = {
        _OF_QUERIES: prefix,
        _OF_CORPUS[0]: prefix if corpus_prefix is None else corpus_prefix,
    }
    files: dict[str, Any] = {
        _MODULES: [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(modules)
        ],
        f"{_POOLING}/config.json": {
            "word_embedding_dimension": size,
            **{name: pooling == known for known, name in _MODES.items()},
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
            "include_prompt": True,
        },
        _PROMPTS: {
            "prompts": prompts,
            "default_prompt_name": _OF_QUERIES if prefix else None,
            "similarity_fn_name": "cosine",
        },
    }
    if sequence_length is not None:
        files[_LENGTH] = {"max_seq_length": sequence_length, "do_lower_case": False}
    return files
