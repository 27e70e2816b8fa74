"""A task's head as an exported model computes it: the protocol between tasks and exporters."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keras_roberta.schemas import Schema


class ExportedHead:
    """The last layers of a task on the inference graph.

    A task makes one by `exported_head(**options)`. It computes on an encoder that has

        encode(token_ids, padding_mask, selection=None)
                              float32 (batch * places, hidden_dim) of the places that are read:
                              `<s>`, those of a selection, or with selection="all" every token
        dense(x, name)        x @ weights["<name>/kernel"] + weights["<name>/bias"]
        layer_norm(x, name)
        project_onto_vocabulary(x)    x @ weights["embeddings/token"], transposed
        weights               all of them by name; the head's begin with "head/"

    Attributes:
        schema: what the outputs mean.
        ids_name: what a file that takes text calls the ids that it made of it.
        any_number_of_outputs: whether the number of outputs depends on the text, which XLA cannot
            compile.
        gives_offsets: whether a file that takes text says besides where in it each token lies:
            `offsets`, int32 (batch, length, 2), the first byte in UTF-8 and the one behind the
            last; (0, 0) for special tokens.
        placed: names of the outputs, int32 (batch,), that `as_places` takes.
    """

    ids_name = "token_ids"
    any_number_of_outputs = False
    gives_offsets = False
    placed = ()

    def __init__(self, schema: Schema):
        self.schema = schema

    def __call__(self, encoder, token_ids, padding_mask) -> dict[str, tf.Tensor]:
        """The task's outputs by name, each (batch, ...).

        Args:
            encoder: see above.
            token_ids, padding_mask: int32 (batch, length)
        """
        raise NotImplementedError

    def of_options(self, outputs, choices) -> dict[str, tf.Tensor]:
        """The outputs of questions, for schemas that `takes_options`.

        Args:
            outputs: of calling the head on a row for each option.
            choices: strings (batch, options); empty ones are not there.
        """
        raise NotImplementedError

    def as_names(self, outputs) -> dict[str, tf.Tensor]:
        """Names for numbers among the outputs, as strings, which a SavedModel gives besides.

        The schema's `finish` drops them: it knows the names.

        Args:
            outputs: of calling the head.
        """
        return {}

    def as_places(self, offsets, **placed) -> dict[str, tf.Tensor]:
        """Places in a row of tokens, as places in its text, which a file that takes text gives
        besides. The schema's `finish` drops them.

        Args:
            offsets: see `gives_offsets`.
            placed: the outputs that the attribute names.
        """
        return {}

    def as_quotes(self, outputs, text, text_pair) -> dict[str, tf.Tensor]:
        """Parts of the texts, as strings, which a SavedModel gives besides. The schema's `finish`
        drops them: whoever has the texts can cut them out.

        Args:
            outputs: of calling the head, and of `as_places`.
            text, text_pair: the texts, strings (batch,); the latter None where there is none.
        """
        return {}

    def as_strings(self, outputs, token_ids, tokenizer) -> dict[str, tf.Tensor]:
        """What a SavedModel says besides, as strings.

        Args:
            outputs: of calling the head.
            token_ids: int32 (batch, length), its input.
            tokenizer: the in-graph tokenizer for batches.
        """
        return {}

    def as_bytes(self, outputs, tokenizer) -> dict[str, tf.Tensor]:
        """What a TFLite file says besides, as bytes.

        Args:
            tokenizer: the in-graph tokenizer of static shapes.
        """
        return {}

    def sample_ids(self, ids: Any) -> Any:
        """Random token ids changed so that the check of an export has something to answer.

        Args:
            ids: int array (length,)
        """
        return ids
