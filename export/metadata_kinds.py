"""What the fields of an exported file's metadata have to be."""

from keras_roberta.files.json_kinds import (
    TEXT,
    TRUTH,
    Either,
    ListOf,
    MapOf,
    Maybe,
    Number,
    Record,
    Simple,
    Whole,
)

_LONGEST = 1 << 22  # tokens
_ID = Whole(0, 2**31)
# Of any schema. One that somebody registers may have other fields.
_SCHEMA = Record(
    {"name": TEXT},
    {
        "num_classes": Whole(1, 1 << 20),
        "labels": Maybe(ListOf(TEXT)),
        "thresholds": Either((Number(), ListOf(Number()))),
        "temperature": Number(0),
        "mask_token_id": _ID,
        "top_k": Whole(1, 1 << 20),
        "max_masks": Maybe(Whole(1, 1 << 20)),
        "mask_token": Maybe(TEXT),
        "prefix": TEXT,
        "corpus_prefix": Maybe(TEXT),
        "score_range": Maybe(ListOf(Number(), at_least=2, at_most=2)),
        "scored": TRUTH,
        "labelled_pieces": TEXT,
        "null_threshold": Maybe(Number()),
        "max_answer_length": Whole(1, 1 << 20),
        "stride": Whole(0, _LONGEST),
    },
)
METADATA = Record(
    {
        "task": TEXT,
        "schema": _SCHEMA,
        "labels": ListOf(TEXT),
        "quantization": TEXT,
        "sequence_lengths": Maybe(ListOf(Whole(1, _LONGEST), at_least=1, at_most=1000)),
        "max_sequence_length": Whole(1, _LONGEST),
        "inputs": Simple('"text" or "tokens"', lambda value: value in ("text", "tokens")),
        "pairs": TRUTH,
        "num_bytes": Maybe(ListOf(Whole(1, 1 << 30))),
        "ids_output": Maybe(TEXT),
        "vocabulary_size": Maybe(Whole(1, 2**31)),
        "start_token_id": _ID,
        "pad_token_id": _ID,
        "end_token_id": _ID,
        "tokenizer_fingerprint": Maybe(TEXT),
        "made_with": Maybe(MapOf(TEXT)),
        "weights_sha256": Maybe(TEXT),
        "license": Maybe(TEXT),
        "measured": Maybe(
            Record({"data": TEXT, "rows": Whole(0), "scores": MapOf(Maybe(Number()))})
        ),
    }
)
FORMAT_2 = Record(
    {"num_classes": Maybe(Whole(1, 1 << 20)), "inputs": TEXT, "num_bytes": Maybe(ListOf(Whole(1)))},
    {"labels": ListOf(TEXT), "mask_token_id": _ID, "top_k": Whole(1), "max_masks": Maybe(Whole(1))},
)


def contradiction(values: dict) -> str:
    """What in metadata of these kinds cannot be together, in a few words; "" where nothing is."""
    lengths, sizes = values["sequence_lengths"], values["num_bytes"]
    if lengths is not None and (
        sorted(set(lengths)) != lengths or lengths[-1] != values["max_sequence_length"]
    ):
        return "sequence_lengths do not ascend to max_sequence_length"
    if sizes is not None and len(sizes) != len(lengths or []):
        return "num_bytes are not one for each of sequence_lengths"
    labels, schema = values["labels"], values["schema"]
    if labels and schema.get("num_classes", len(labels)) != len(labels):
        return f"{len(labels)} labels for {schema['num_classes']} classes"
    return ""
