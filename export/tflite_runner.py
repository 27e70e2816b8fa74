"""Runs a `.tflite` file."""

from __future__ import annotations

import os
import threading

from keras_roberta.errors import InputError
from keras_roberta.export.check_signatures import unlike_signatures
from keras_roberta.export.interpreter import open_interpreter
from keras_roberta.export.padded_rows import as_features, stacked
from keras_roberta.export.runner import Runner
from keras_roberta.export.signature_names import ENCODE, OF_TOKENIZER, TEXT, TOKENIZE
from keras_roberta.export.whole_texts import tokens_of_text
from keras_roberta.tokenizers import byte_buffer

# A text goes first to the signature of whose buffer it fills so much, as English does that has as
# many tokens, and on to a longer one where it turns out to have more tokens.
LIKELY_SHARE = 1 / 2


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

    def tokenize(self, texts):
        length, num_bytes = self.max_length, self.metadata["num_bytes"][-1]
        around = 4 if self.metadata["pairs"] else 2

        def first_tokens(part):
            utf8 = {"utf8": byte_buffer.fill([part], num_bytes)}
            if self.metadata["pairs"]:
                utf8["utf8_pair"] = byte_buffer.fill([b""], num_bytes)
            row = self.run(f"{TOKENIZE}_{length}", **utf8)
            count = int(row["num_tokens"][0]) - around
            inside = slice(1, 1 + min(count, length - around))
            return row["token_ids"][0, inside], row["offsets"][0, inside], count

        return [tokens_of_text(text, first_tokens, num_bytes) for text in texts]

    def _run_text(self, sides):
        size = sum(len(byte_buffer.encode(text)) for text in sides.values())
        kind = TOKENIZE if self.takes_token_ids else TEXT
        for length, num_bytes in zip(self.lengths, self.metadata["num_bytes"], strict=True):
            if size > LIKELY_SHARE * num_bytes and length < self.max_length:
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
        return outputs | ids | {name: row[name] for name in OF_TOKENIZER if name in row}


class _Interpreter:
    """Signatures of an interpreter, of which one may run at a time."""

    def __init__(self, signatures):
        self.process = os.getpid()
        self._lock = threading.Lock()
        self._signatures = signatures

    def run(self, signature, inputs):
        with self._lock:
            return self._signatures[signature](**inputs)
