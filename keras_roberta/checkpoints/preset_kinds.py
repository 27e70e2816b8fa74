"""What the fields of a preset's JSON files have to be."""

from __future__ import annotations

from typing import Any

from keras_roberta.files.json_kinds import (
    OBJECT,
    TEXT,
    TRUTH,
    Either,
    Kind,
    ListOf,
    MapOf,
    Maybe,
    Number,
    Record,
    Whole,
)

_POLICIES = (
    *("DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy"),
    *("QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy"),
    *("Int4DTypePolicy", "GPTQDTypePolicy", "AWQDTypePolicy"),
)


class _Policy(Kind):
    """Keras's dtype policy, by name or as Keras writes it, with no other object in it."""

    expected = "a dtype policy of Keras"

    def problem(self, value, place=""):
        if value is None or isinstance(value, str):
            return ""
        return "" if self._is_policy(value) else self._unlike(value, place)

    def _is_policy(self, value: Any) -> bool:
        """Keras would make whatever class a dict names."""
        return (
            isinstance(value, dict)
            and value.get("class_name") in _POLICIES
            and value.get("module", "keras") in ("keras", "keras.dtype_policies")
            and not value.get("registered_name")
            and isinstance(value.get("config"), dict)
            and all(map(self._is_part, value["config"].values()))
        )

    def _is_part(self, value: Any) -> bool:
        if isinstance(value, dict):
            if "class_name" in value:
                return self._is_policy(value)
            return all(map(self._is_part, value.values()))
        return not isinstance(value, list)


_OF_LAYER = {"name": Maybe(TEXT), "trainable": TRUTH, "dtype": _Policy()}
_PREPROCESSOR = Record(
    {},
    {
        **_OF_LAYER,
        "sequence_length": Maybe(Whole(3)),
        "labels": Maybe(ListOf(TEXT)),
        "prefix": TEXT,
        "corpus_prefix": Maybe(TEXT),
    },
)
# `RobertaConfig` checks its own fields.
BACKBONE = Record({"config": OBJECT}, {**_OF_LAYER, "optional_inputs": ListOf(TEXT, at_most=16)})
CONFIG = Record({"registered_name": TEXT})
# What stands before `>` in the registered names of KerasHub's classes, now and before 2024.
KERAS_HUB = ("keras_hub", "keras_nlp")
# The settings of any task. One that somebody adds may have others besides.
TASK = Record(
    {
        "registered_name": TEXT,
        "config": Record(
            {},
            {
                "name": Maybe(TEXT),
                "backbone": Maybe(Record({"config": Record({}, {"dtype": _Policy()})})),
                "preprocessor": Maybe(Record({"config": _PREPROCESSOR})),
                "num_classes": Maybe(Whole(1, 1 << 24)),
                "hidden_dim": Maybe(Whole(1, 1 << 24)),
                "dropout": Maybe(Number(0, 1)),
                "activation": Maybe(TEXT),
                "thresholds": Maybe(Either((Number(0, 1.01), ListOf(Number(0, 1.01))))),
                "objectives": ListOf(TEXT, at_most=16),
                "loss_weights": Maybe(MapOf(Number())),
                "num_choices": Maybe(Whole(1, 1 << 16)),
                "token_labels": Maybe(ListOf(TEXT)),
                "pooling": TEXT,
                "normalize": TRUTH,
                "score_range": Maybe(ListOf(Number(), at_least=2, at_most=2)),
            },
        ),
    }
)
# `model.weights.json`: Keras's list of the files that a large model's weights are in.
SHARDS = Record({"weight_map": MapOf(Either((TEXT, ListOf(TEXT, at_most=10_000))))})
