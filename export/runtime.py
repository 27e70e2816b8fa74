"""Runs what was exported: texts or token ids in, arrays out, whichever the format."""

from __future__ import annotations

import abc
import os
import pathlib
import threading

import numpy as np

from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.data.examples.token_rows import check_rows
from keras_roberta.errors import InputError
from keras_roberta.export.check_signatures import unlike_signatures
from keras_roberta.export.interpreter import open_interpreter
from keras_roberta.export.metadata import read_metadata
from keras_roberta.export.padded_rows import as_features, cut, reordered, stacked
from keras_roberta.export.signature_names import ENCODE, TEXT, TOKENIZE
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.options import OptionError
from keras_roberta.schemas import schema_from_dict
from keras_roberta.tokenizers import Tokenizer, byte_buffer
from keras_roberta.unknown_arguments import named_arguments

# A text goes first to the signature that holds it at this many bytes a token, as English has, and
# on to a longer one where it turns out to have more tokens.
LIKELY_BYTES_PER_TOKEN = 4


@named_arguments
def load(
    path: str | os.PathLike, tokenizer: Tokenizer | None = None, threads: int | None = None
) -> Runner:
    """Opens an exported model. A `.tflite` needs no TensorFlow.

    A runner may be used from several threads. A `.tflite` answers one call at a time, the others
    wait: an interpreter for each thread would pack the weights for each anew, and `threads` speeds
    up each call without. A SavedModel answers all at once.

    A pickled runner holds the path and opens the file again. In a process that was forked a
    `.tflite` is opened again when it is first used; TensorFlow, and so a SavedModel, does not work
    in one.

    Args:
        path: a `.tflite` file, or the directory of a SavedModel, written by this package.
        tokenizer: the model's tokenizer. Only a model that was exported with `inputs="tokens"`
            needs it, to take texts; the others have theirs inside.
        threads: number of threads that one call of a `.tflite` computes with, 1 by default. A
            SavedModel uses TensorFlow's, whose number is set once in a process.

    Returns:
        a `Runner`

    Raises:
        InputError: the file is not such a model, or the tokenizer is not the one of the model.
    """
    path = pathlib.Path(path).expanduser()
    cls = SavedModelRunner if path.is_dir() else TFLiteRunner
    return cls(path, tokenizer, threads)


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

    def predict(self, x):
        """The outputs for each row.

        Args:
            x: texts: a list of strings, a pair of lists, or a dict of `text` and `text_pair`; all
                forms are those of `texts_and_pairs`. Or token ids: a dict of `token_ids` and
                `padding_mask`, int (rows, length), padding anywhere; without a mask the ids that
                are not the padding's count. A row that is too long for the model is cut; the final
                `</s>` stays.

        Returns:
            dict of arrays (rows, ...) by the names of the task's outputs. A classifier has
            `logits`, `probabilities`, `label` and `score`. Outputs for each token are lists, with
            one array for each row.
        """
        if isinstance(x, dict) and "token_ids" in x:
            if not self.takes_token_ids:
                raise InputError(f"{self.path}: takes texts; export it again to give it ids too")
            return self.finish(self._run_if_any(self._rows_of_features(x)))
        texts, text_pairs = texts_and_pairs(x)
        if not self.takes_text:
            return self.finish(self._run_if_any(self._tokenize(texts, text_pairs)))
        return self.finish(self.run_texts(*self._checked(texts, text_pairs)))

    def answers(self, x):
        """The answers for people: a list with a dict of plain values for each row.

        Args:
            x: see `predict`.
        """
        outputs = self.predict(x)
        self.schema.check_answered(x, outputs)
        return self.schema.answers(outputs)

    def finish(self, outputs):
        """The task's own outputs, without ids and counts, of those of `run_rows` or `run_texts`."""
        if "num_tokens" in outputs:
            outputs = cut(outputs, self.schema.ragged_outputs, outputs["num_tokens"])
        outputs = self.schema.finish(outputs)
        return outputs if self.tokenizer is None else self.schema.spell(outputs, self.tokenizer)

    def _checked(self, texts, text_pairs):
        """Checks both columns and returns them; None for no second column."""
        if not texts:
            raise InputError("there is nothing to predict: no rows")
        if self.metadata["pairs"] != (text_pairs is not None):
            wanted = "pairs of texts" if self.metadata["pairs"] else "single texts"
            raise InputError(f"{self.path}: was exported for {wanted}")
        return texts, text_pairs

    def _run_if_any(self, rows):
        if not rows:
            raise InputError("there is nothing to predict: no rows")
        vocabulary_size = self.metadata["vocabulary_size"]
        if vocabulary_size is not None:
            check_rows(Ragged.of(rows), vocabulary_size)
        counts = list(map(len, rows))
        return cut(self.run_rows(rows), self.schema.ragged_outputs, counts)

    def _tokenize(self, texts, text_pairs):
        """Token ids of each row, a list of int32 arrays, none longer than `max_length`."""
        if self.tokenizer is None:
            raise InputError(f"{self.path}: takes token ids; give load a tokenizer for texts")
        ids = self.tokenizer.encode_batch(texts, text_pairs, max_length=self.max_length)
        return [np.array(row, "int32") for row in ids]

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


class TFLiteRunner(Runner):
    """A `.tflite` file in `ai-edge-litert`'s interpreter: it needs no TensorFlow, and for a file
    that takes text no tokenizer."""

    def _open(self):
        try:
            interpreter = open_interpreter(self.path, self.threads or 1)
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{self.path}: TFLite cannot open it ({error})") from None
        names = interpreter.get_signature_list()
        # Files of versions before have but one kind of signature.
        self.takes_token_ids = f"{ENCODE}_{self.max_length}" in names
        signatures = {name: interpreter.get_signature_runner(name) for name in names}
        shapes = {
            name: {
                side: tuple(found["shape"]) for side, found in runner.get_input_details().items()
            }
            for name, runner in signatures.items()
        }
        if problem := unlike_signatures(self.metadata, shapes):
            raise InputError(
                f"{self.path}: its metadata is not of its graph ({problem}); export it again"
            )
        return _Interpreter(signatures)

    def run_rows(self, rows):
        outputs = []
        for row in rows:
            # The shortest signature that holds the row.
            length = next(length for length in self.lengths if length >= len(row))
            features = as_features([row], self.metadata["pad_token_id"], length)
            outputs.append(self.run(f"{ENCODE}_{length}", **features))
        return stacked(outputs, self._ragged)

    def run_texts(self, texts, text_pairs=None):
        sides = {"utf8": texts} if text_pairs is None else {"utf8": texts, "utf8_pair": text_pairs}
        outputs = [
            self._run_text(dict(zip(sides, row, strict=True)))
            for row in zip(*sides.values(), strict=True)
        ]
        return stacked(outputs, self._ragged)

    def _run_text(self, sides):
        size = sum(len(byte_buffer.encode(text)) for text in sides.values())
        kind = TOKENIZE if self.takes_token_ids else TEXT
        for length, num_bytes in zip(self.lengths, self.metadata["num_bytes"], strict=True):
            if size > LIKELY_BYTES_PER_TOKEN * length and length < self.max_length:
                continue
            utf8 = {name: byte_buffer.fill([text], num_bytes) for name, text in sides.items()}
            row = self.run(f"{kind}_{length}", **utf8)
            if row["num_tokens"][0] <= length:
                break
        if kind == TEXT:
            return row
        length = next(n for n in self.lengths if n >= min(row["num_tokens"][0], length))
        features = {name: row[name][:, :length] for name in ("token_ids", "padding_mask")}
        outputs = self.run(f"{ENCODE}_{length}", **features)
        ids = {self.metadata["ids_output"]: features["token_ids"]}
        return outputs | ids | {"num_tokens": row["num_tokens"]}


class _Interpreter:
    """Signatures of an interpreter, of which one may run at a time."""

    def __init__(self, signatures):
        self.process = os.getpid()
        self._lock = threading.Lock()
        self._signatures = signatures

    def run(self, signature, inputs):
        with self._lock:
            return self._signatures[signature](**inputs)


class SavedModelRunner(Runner):
    """A SavedModel in this process's TensorFlow."""

    batch_size = 32

    def __init__(self, path, tokenizer=None, threads=None):
        if threads is not None:
            raise OptionError(
                "threads",
                ": a SavedModel runs on TensorFlow's; set "
                "tf.config.threading.set_intra_op_parallelism_threads at the start of the program",
            )
        super().__init__(path, tokenizer)

    def _open(self):
        return _SavedModel(self.path)

    def _reopened(self):
        raise InputError(
            f"{self.path}: was opened before this process was forked, which TensorFlow does not "
            "survive; load it in each process, and start them by multiprocessing's 'spawn'"
        )

    def run_rows(self, rows):
        return self._run_batches(
            "tokens",
            list(map(len, rows)),
            lambda batch: as_features([rows[i] for i in batch], self.metadata["pad_token_id"]),
        )

    def run_texts(self, texts, text_pairs=None):
        sides = {"text": texts} if text_pairs is None else {"text": texts, "text_pair": text_pairs}
        sides = {name: [byte_buffer.encode(t) for t in side] for name, side in sides.items()}
        return self._run_batches(
            "serving_default",
            [sum(map(len, row)) for row in zip(*sides.values(), strict=True)],
            lambda batch: {name: [side[i] for i in batch] for name, side in sides.items()},
        )

    def _run_batches(self, signature, sizes, make_inputs):
        # Rows of like size share a batch, so that short ones are not padded to long ones.
        order = np.argsort(sizes, kind="stable")
        batches = []
        for start in range(0, len(sizes), self.batch_size):
            inputs = make_inputs(order[start : start + self.batch_size])
            batches.append(self.run(signature, **inputs))
        return reordered(stacked(batches, self._ragged), np.argsort(order))


class _SavedModel:
    """A SavedModel in TensorFlow, which runs as many calls at a time as come."""

    def __init__(self, path):
        import tensorflow as tf

        self.process = os.getpid()
        try:
            self._model = tf.saved_model.load(str(path))  # held: a signature refers to it weakly
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise InputError(f"{path}: TensorFlow cannot open it ({reason_of(error)})") from error
        except (tf.errors.OpError, AttributeError, AssertionError, IndexError) as error:
            raise InputError(f"{path}: TensorFlow cannot open it ({reason_of(error)})") from error
        self._constant = tf.constant

    def run(self, signature, inputs):
        inputs = {name: self._constant(value) for name, value in inputs.items()}
        outputs = self._model.signatures[signature](**inputs)
        return {name: value.numpy() for name, value in outputs.items()}
