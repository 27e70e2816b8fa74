"""How long each signature of a `.tflite` file takes."""

from __future__ import annotations

import functools

import numpy as np

from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.signature_names import ENCODE, TOKENIZE
from keras_roberta.reports.latency import latencies
from keras_roberta.tokenizers import byte_buffer


def signature_times(runner, repeats: int = 20) -> dict[str, float]:
    """Median milliseconds of the tokenizer and of the model at each length, by signature.

    Args:
        runner: a `TFLiteRunner`.
        repeats: timed calls of each, which take turns.
    """
    calls = {}
    metadata = runner.metadata
    for number, length in enumerate(runner.lengths):
        if runner.takes_text:
            size = metadata["num_bytes"][number]
            text = b" a" * (length // 2)  # one token each of nearly every vocabulary
            utf8 = {"utf8": byte_buffer.fill([text], size)}
            if metadata["pairs"]:
                utf8["utf8_pair"] = byte_buffer.fill([text], size)
            calls[f"{TOKENIZE}_{length}"] = utf8
        row = np.full(length, metadata["end_token_id"], "int32")
        row[0] = metadata["start_token_id"]
        calls[f"{ENCODE}_{length}"] = as_features([row], metadata["pad_token_id"], length)
    times = latencies(
        {name: functools.partial(runner.run, name, **inputs) for name, inputs in calls.items()},
        repeats,
    )
    return {name: float(np.median(values)) for name, values in times.items()}
