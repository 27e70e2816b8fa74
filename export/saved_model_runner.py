"""Runs a SavedModel."""

from __future__ import annotations

import os

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.export.padded_rows import as_features, reordered, stacked
from keras_roberta.export.runner import Runner
from keras_roberta.export.signature_names import TOKENIZE
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.options import OptionError
from keras_roberta.tokenizers import byte_buffer


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
        if self.schema.takes_options:
            sides = {"question": texts, "choices": text_pairs}
        sides = {name: [byte_buffer.encode(t) for t in side] for name, side in sides.items()}
        return self._run_batches(
            "serving_default",
            [sum(map(len, row)) for row in zip(*sides.values(), strict=True)],
            lambda batch: {
                # One option a question: those of all questions share batches, by their length.
                name: [[side[i]] if name == "choices" else side[i] for i in batch]
                for name, side in sides.items()
            },
        )

    def tokenize(self, texts):
        texts = [byte_buffer.encode(text) for text in texts]
        found = []
        for start in range(0, len(texts), self.batch_size):
            rows = self.run(TOKENIZE, text=texts[start : start + self.batch_size])
            counts = rows["padding_mask"].sum(axis=1)
            for ids, offsets, count in zip(rows["token_ids"], rows["offsets"], counts, strict=True):
                found.append((ids[1 : count - 1], offsets[1 : count - 1]))  # without `<s>`, `</s>`
        return found

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
