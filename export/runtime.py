"""Runs what was exported: texts or token ids in, arrays out, whichever the format."""

import pathlib

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.export.metadata import read_metadata


def load(path, tokenizer=None, threads=None):
    """Opens an exported model.

    Args:
        path: a `.tflite` file or a SavedModel directory that this package wrote.
        tokenizer: the `RobertaTokenizer` of the model, for `predict` on texts.
        threads: of a `.tflite`, 1 by default. A SavedModel runs on TensorFlow's own, which are
            set once a process.

    Returns:
        `TFLiteRunner` or `SavedModelRunner`

    Raises:
        InputError: the file is not such a model, or the tokenizer is not the one of the model.
    """
    cls = SavedModelRunner if pathlib.Path(path).is_dir() else TFLiteRunner
    return cls(path, tokenizer, threads)


class Runner:
    """An exported model, open.

    Attributes:
        metadata: see `read_metadata`.
        labels: names of the classes in the order of their numbers.
        lengths: ascending lengths that it computes at; a shorter row is padded to one of them.
    """

    def __init__(self, path, tokenizer=None):
        self.path = pathlib.Path(path)
        self.metadata = read_metadata(path)
        self.labels = tuple(self.metadata["labels"])
        self.max_length = self.metadata["max_sequence_length"]
        self.lengths = self.metadata["sequence_lengths"] or [self.max_length]
        self.tokenizer = tokenizer
        expected = self.metadata["tokenizer_fingerprint"]
        if tokenizer is not None and expected not in (None, tokenizer.fingerprint):
            raise InputError(f"{path}: was exported with another tokenizer than the one given")

    def predict(self, x):
        """Outputs of all rows.

        Args:
            x: texts in any form that a `RobertaPreprocessor` takes (strings, pairs of lists, a dict
                of `text` and `text_pair`), or features that are tokenised: a dict of `token_ids`
                and `padding_mask`, int (rows, length). What is longer than the model's longest
                length is cut; the final `</s>` stays.

        Returns:
            dict of arrays (rows, ...): `logits`, `probabilities`, `label`, `score`; of a
            regression `logits` and `value`.
        """
        rows = self.rows(x)
        if not rows:
            raise InputError("there is nothing to predict: no rows")
        return self._run(rows)

    def rows(self, x):
        """Token ids of each row, a list of int32 arrays, none longer than `max_length`."""
        if isinstance(x, dict) and "token_ids" in x:
            return self._rows_of_features(x)
        if self.tokenizer is None:
            raise InputError(f"{self.path}: takes token ids; give load a tokenizer for texts")
        from keras_roberta.data.preprocessor import text_columns  # brings Keras along

        firsts, seconds = text_columns(x)
        ids = self.tokenizer.encode_batch(firsts, seconds, max_length=self.max_length)
        return [np.array(row, "int32") for row in ids]

    def _rows_of_features(self, features):
        token_ids = np.asarray(features["token_ids"], "int32")
        mask = np.asarray(features.get("padding_mask", np.ones_like(token_ids)), bool)
        if token_ids.ndim != 2 or mask.shape != token_ids.shape:
            raise InputError(
                "token_ids and padding_mask: expected two arrays of one shape (rows, length); "
                f"got {token_ids.shape} and {mask.shape}"
            )
        rows = [ids[kept] for ids, kept in zip(token_ids, mask, strict=True)]
        end = np.array([self.metadata["end_token_id"]], "int32")
        return [
            np.concatenate([row[: self.max_length - 1], end]) if len(row) > self.max_length else row
            for row in rows
        ]

    def pad(self, rows, length):
        """Rows of ids as the inputs of the graph: two int32 arrays (rows, length)."""
        token_ids = np.full((len(rows), length), self.metadata["pad_token_id"], "int32")
        padding_mask = np.zeros_like(token_ids)
        for i, row in enumerate(rows):
            token_ids[i, : len(row)] = row
            padding_mask[i, : len(row)] = 1
        return {"token_ids": token_ids, "padding_mask": padding_mask}


class TFLiteRunner(Runner):
    """A `.tflite` file in `ai-edge-litert`'s interpreter; on token ids it needs no TensorFlow."""

    def __init__(self, path, tokenizer=None, threads=None):
        from ai_edge_litert.interpreter import Interpreter

        super().__init__(path, tokenizer)
        try:
            self._interpreter = Interpreter(str(path), num_threads=threads or 1)
        except ValueError as error:
            raise InputError(f"{path}: TFLite cannot open it ({error})") from None
        self._signatures = {
            length: self._interpreter.get_signature_runner(f"tokens_{length}")
            for length in self.lengths
        }

    def _run(self, rows):
        outputs = []
        for row in rows:
            # The shortest signature that holds the row.
            length = next(length for length in self.lengths if length >= len(row))
            outputs.append(self._signatures[length](**self.pad([row], length)))
        return {name: np.concatenate([o[name] for o in outputs]) for name in outputs[0]}


class SavedModelRunner(Runner):
    """A SavedModel in this process's TensorFlow."""

    batch_size = 32

    def __init__(self, path, tokenizer=None, threads=None):
        import tensorflow as tf

        super().__init__(path, tokenizer)
        if threads is not None:
            raise InputError(
                "threads: a SavedModel runs on TensorFlow's; set "
                "tf.config.threading.set_intra_op_parallelism_threads at the start of the program"
            )
        self._model = tf.saved_model.load(str(path))  # held: the signature refers to it weakly
        self._serve = self._model.signatures["serving_default"]
        self._constant = tf.constant

    def _run(self, rows):
        # Rows of like length share a batch, so that short ones are not padded to long ones.
        order = np.argsort([len(row) for row in rows], kind="stable")
        batches = []
        for start in range(0, len(rows), self.batch_size):
            batch = [rows[i] for i in order[start : start + self.batch_size]]
            inputs = self.pad(batch, max(map(len, batch)))
            batches.append(self._serve(**{k: self._constant(v) for k, v in inputs.items()}))
        back = np.argsort(order)
        return {
            name: np.concatenate([batch[name].numpy() for batch in batches])[back]
            for name in batches[0]
        }
