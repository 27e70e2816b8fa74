"""Text to ids and back.

`Tokenizer` is what the rest of the library may ask of a tokenizer, whatever its kind;
`open_tokenizer` reads one.
"""

import importlib

# Name -> module. Loaded when first asked for: what needs `byte_buffer` alone, as the exported
# models do on a phone or a server, does not wait for the `tokenizers` library.
_PUBLIC = {
    "HostTokenizer": "host",
    "RobertaTokenizer": "roberta_tokenizer",
    "Tokenizer": "protocol",
    "open_tokenizer": "open",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
