"""What all exported models answer: texts or token ids in, arrays out, whichever the format."""

from __future__ import annotations

import abc
import functools
import os
import pathlib

import numpy as np

from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.data.examples.token_rows import check_rows
from keras_roberta.errors import InputError
from keras_roberta.export.metadata import read_metadata
from keras_roberta.export.options import predict_options
from keras_roberta.export.padded_rows import cut
from keras_roberta.export.rows_of_texts import rows_of_texts, windows_of_texts
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.schemas import schema_from_dict
from keras_roberta.schemas.text_search import search, similarity
from keras_roberta.tokenizers.offsets import tokens_in_bytes
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout
from keras_roberta.unknown_arguments import refuse_unknown


class Runner(abc.ABC):
    """An exported model that is open; see `load`.

    `close` gives its memory back, as does the end of a `with` block or of the last reference to it.

    Attributes:
        metadata: see `read_metadata`.
        schema: what the answers mean.
        labels: names of the classes in the order of their numbers.
        lengths: the lengths in tokens that it computes at, ascending. A shorter row is padded to
            one of them.
        takes_text: whether it has a signature for texts.
        takes_token_ids: whether it has one for token ids.
    """

    def __init__(self, path, tokenizer=None, threads=None):
        self.path = pathlib.Path(path)
        self.metadata = read_metadata(path)
        try:
            self.schema = schema_from_dict(self.metadata["schema"])
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: its metadata is damaged ({reason_of(error)}); export it again"
            ) from None
        self.labels = tuple(self.metadata["labels"])
        self.max_length = self.metadata["max_sequence_length"]
        self.lengths = self.metadata["sequence_lengths"] or [self.max_length]
        self.takes_text = self.metadata["inputs"] == "text"
        self.takes_token_ids = True
        self.threads = threads
        self._ragged = {self.metadata["ids_output"], *self.schema.ragged_outputs}
        self.tokenizer = tokenizer
        expected = self.metadata["tokenizer_fingerprint"]
        if tokenizer is not None and expected not in (None, tokenizer.fingerprint):
            raise InputError(f"{path}: was exported with another tokenizer than the one given")
        self._opened = self._open()

    @abc.abstractmethod
    def _open(self):
        """Opens the file: an object with `process`, the number of this one, and `run`."""

    @abc.abstractmethod
    def run_rows(self, rows):
        """The outputs of rows of token ids.

        Args:
            rows: list of int32 arrays (tokens,), none of them longer than `max_length`.
        """

    @abc.abstractmethod
    def run_texts(self, texts, text_pairs=None):
        """The outputs of texts, among them their ids, a list of arrays, and `num_tokens`."""

    @abc.abstractmethod
    def tokenize(self, texts):
        """The tokens of texts of any length by the tokenizer in the file: for each text its ids,
        none added, int32 (tokens,), and int32 (tokens, 2), where in its UTF-8 they lie. Only of a
        file whose task reads long texts in windows."""

    def _reopened(self):
        """What a process goes on with that was forked after the file was opened."""
        return self._open()

    def close(self):
        """Gives the memory of the model back. Calls that are under way end as they would."""
        self._opened = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __reduce__(self):
        return type(self), (os.path.abspath(self.path), self.tokenizer, self.threads)

    def run(self, signature, **inputs):
        """The outputs of a signature as arrays by name.

        Raises:
            InputError: the runner was closed.
        """
        opened = self._opened
        if opened is None:
            raise InputError(f"{self.path}: this runner was closed; load the file again")
        if opened.process != os.getpid():
            opened = self._opened = self._reopened()
        return opened.run(signature, inputs)

    def predict(self, x, **asked):
        """The outputs for each row.

        Args:
            x: texts: a list of strings, a pair of lists, or a dict of `text` and `text_pair`; all
                forms are those that the task takes in memory. Or token ids: a dict of `token_ids`
                and `padding_mask`, int (rows, length), padding anywhere; without a mask the ids
                that are not the padding's count. A row that is too long for the model is cut; the
                final `</s>` stays. Of tasks whose answers are parts of texts long texts are read
                in windows instead.
            **asked: what the task's `named_outputs` may be asked for besides, by the schema's
                `asked_besides`: of answers to questions, where these are texts, `n_best`, how many
                parts to give; of masks `top_k`, how many tokens, up to those that the file gives.

        Returns:
            dict of arrays (rows, ...) by the names of the task's outputs. A classifier has
            `logits`, `probabilities`, `label` and `score`. Outputs for each token are lists, with
            one array for each row.
        """
        refuse_unknown("predict", asked, self.schema.asked_besides)
        if self.schema.takes_options:
            return predict_options(self.predict_rows, self.schema, x)
        outputs = self.predict_rows(x, **asked)
        is_text = not (isinstance(x, dict) and "token_ids" in x)
        return self.schema.with_texts(outputs, x) if is_text else outputs

    def predict_rows(self, x, **asked):
        """The outputs of rows as the file gives them; see `predict`."""
        schema = self.schema.as_asked(**asked)
        if isinstance(x, dict) and "token_ids" in x:
            schema.check_asked_of_ids(**asked)
            if not self.takes_token_ids:
                raise InputError(f"{self.path}: takes texts; export it again to give it ids too")
            return self.finish(self._run_if_any(self._rows_of_features(x)), schema)
        texts, text_pairs = self.schema.texts_of(x)
        if self.schema.stride is not None:
            outputs = self._run_windows(*self._checked(texts, text_pairs), **asked)
        elif self.takes_text:
            outputs = self.run_texts(*self._checked(texts, text_pairs))
        else:
            if self.tokenizer is None:
                raise self._no_tokenizer()
            rows = rows_of_texts(self.schema, self.tokenizer, texts, text_pairs, self.max_length)
            outputs = self._run_if_any(rows)
        return self.finish(outputs, schema)

    def answers(self, x, **asked):
        """The answers for people: a list with a dict of plain values for each row.

        Args:
            x, **asked: see `predict`.
        """
        outputs = self.predict(x, **asked)
        self.schema.check_answered(x, outputs)
        return self.schema.answers(outputs)

    def similarity(self, a, b):
        """The cosine of each text of `a` with each of `b`, of a file that gives vectors.

        Args:
            a, b: texts, or vectors (texts, size).

        Returns:
            float32 (texts of a, texts of b)

        Raises:
            InputError: the file gives no vectors, or texts of `b` have a prefix of their own.
        """
        return similarity(a, b, *self._embedders())

    def search(self, queries, corpus, top_k=10, *, vectors=None):
        """The texts of a corpus that are nearest to each query, of a file that gives vectors.

        Args:
            queries, corpus: texts, or vectors (texts, size).
            top_k: how many for each query.
            vectors: of the texts of the corpus, as `predict(corpus)["vector"]` gives them, to
                compute them once for many searches.

        Returns:
            see `keras_roberta.schemas.text_search.search`.
        """
        return search(queries, corpus, top_k, *self._embedders(), vectors=vectors)

    def _embedders(self):
        """Functions of texts that give the vectors of queries, and of texts that are searched."""
        of_queries = functools.partial(self.schema.vectors_of, predict=self.predict)
        return of_queries, functools.partial(of_queries, of_corpus=True)

    def finish(self, outputs, schema=None):
        """The task's own outputs, without ids and counts, of those of `run_rows` or `run_texts`.

        Args:
            schema: by which they are read; that of the file by default.
        """
        if "num_tokens" in outputs:
            outputs = cut(outputs, self.schema.ragged_outputs, outputs["num_tokens"])
        outputs = (schema or self.schema).finish(outputs)
        return outputs if self.tokenizer is None else self.schema.spell(outputs, self.tokenizer)

    def _checked(self, texts, text_pairs):
        """Checks both columns and returns them; None for no second column."""
        if not texts:
            raise InputError("there is nothing to predict: no rows")
        if self.takes_text and self.metadata["pairs"] != (text_pairs is not None):
            wanted = "pairs of texts" if self.metadata["pairs"] else "single texts"
            raise InputError(f"{self.path}: was exported for {wanted}")
        return texts, text_pairs

    def _run_windows(self, texts, text_pairs=None, **asked):
        """The outputs of texts, or of pairs whose second text may be long, of any length."""
        windows, offsets = windows_of_texts(
            texts,
            text_pairs,
            tokens_of=self._all_tokens,
            layout=self._special_token_layout,
            max_length=self.max_length,
            stride=self.schema.stride,
        )
        rows = [windows.token_ids.row(i) for i in range(len(windows))]
        offsets = windows.spread(offsets)
        outputs = self._run_if_any(rows)
        outputs = {name: outputs[name] for name in self.schema.ragged_outputs if name in outputs}
        outputs["offsets"] = [offsets.row(i) for i in range(len(windows))]
        return self.schema.join_windows(outputs, windows, **asked)

    def _all_tokens(self, texts):
        """The ids of each text, none added, and where they lie in its UTF-8; see `whole_texts`."""
        if self.takes_text:
            return self.tokenize(texts)
        if self.tokenizer is None:
            raise self._no_tokenizer()
        return tokens_in_bytes(self.tokenizer, texts)

    @property
    def _special_token_layout(self):
        if not self.takes_text:
            return self.tokenizer.special_token_layout
        start, end = (self.metadata[f"{name}_token_id"] for name in ("start", "end"))
        return SpecialTokenLayout.roberta(start, end)

    def _no_tokenizer(self):
        return InputError(f"{self.path}: takes token ids; give load a tokenizer for texts")

    def _run_if_any(self, rows):
        if not rows:
            raise InputError("there is nothing to predict: no rows")
        vocabulary_size = self.metadata["vocabulary_size"]
        if vocabulary_size is not None:
            check_rows(Ragged.of(rows), vocabulary_size)
        counts = list(map(len, rows))
        return cut(self.run_rows(rows), self.schema.ragged_outputs, counts)

    def _rows_of_features(self, features):
        token_ids = np.asarray(features["token_ids"], "int32")
        mask = features.get("padding_mask")
        if mask is None:
            mask = token_ids != self.metadata["pad_token_id"]
        mask = np.asarray(mask, bool)
        if token_ids.ndim != 2 or mask.shape != token_ids.shape:
            raise InputError(
                "token_ids and padding_mask: expected two arrays of one shape (rows, length); "
                f"got {token_ids.shape} and {mask.shape}"
            )
        rows = [ids[kept] for ids, kept in zip(token_ids, mask, strict=True)]
        if not all(map(len, rows)):
            row = min(i for i, ids in enumerate(rows) if not len(ids))
            raise InputError(f"padding_mask: row {row} has no token; give it `<s>` at least")
        end = np.array([self.metadata["end_token_id"]], "int32")
        return [
            np.concatenate([row[: self.max_length - 1], end]) if len(row) > self.max_length else row
            for row in rows
        ]
