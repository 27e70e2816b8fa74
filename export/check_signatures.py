"""Compares what a `.tflite` says of itself with the signatures that it has."""

from collections.abc import Iterable, Mapping

from keras_roberta.export.signature_names import ENCODE, TEXT, TOKENIZE


def unlike_signatures(values: Mapping, shapes: Mapping[str, Mapping[str, tuple]]) -> str:
    """What the metadata says that the signatures do not have, in a few words; "" for nothing.

    Args:
        values: see `read_metadata`.
        shapes: of each signature, by its name: the shape of each input, by name.
    """
    lengths = values["sequence_lengths"] or [values["max_sequence_length"]]
    sizes = values["num_bytes"] or [None] * len(lengths)
    for length, num_bytes in zip(lengths, sizes, strict=True):
        names = [f"{kind}_{length}" for kind in _kinds(values, shapes, length)]
        missing = next((name for name in names if name not in shapes), None)
        if missing:
            return f"no signature {missing}"
        for name in names:
            inputs = shapes[name]
            if "token_ids" in inputs and inputs["token_ids"][-1] != length:
                return f"{name} takes {inputs['token_ids'][-1]} tokens"
            for side in ("utf8", "utf8_pair"):
                if side in inputs and inputs[side][-1] != num_bytes:
                    return f"{name} takes {inputs[side][-1]} bytes, not {num_bytes}"
            if "utf8" in inputs and ("utf8_pair" in inputs) != values["pairs"]:
                return f"{name} takes {'pairs' if 'utf8_pair' in inputs else 'single texts'}"
    return ""


def _kinds(values, shapes, length) -> Iterable[str]:
    if values["inputs"] == "tokens":
        return (ENCODE,)
    has_ids = f"{ENCODE}_{values['max_sequence_length']}" in shapes
    return (TOKENIZE, ENCODE) if has_ids else (TEXT,)
