"""Asks TF Serving for an answer that stands in a text of any length; needs Python alone.

`serving_default` cuts a context that is longer than a row of the model. This reads it in windows,
as the Keras task and `keras_roberta.export.load` do, with the signatures `tokenize` and `tokens`:

    keras-roberta export --preset qa/ --format saved-model --out models/qa/1
    docker run --rm -p 8501:8501 -v "$PWD/models/qa:/models/qa" -e MODEL_NAME=qa tensorflow/serving
    python examples/serving_rest_windows.py http://localhost:8501 qa models/qa/1 "Who?" context.txt
"""

import json
import math
import pathlib
import sys
import urllib.request


def main(server, model, directory, question, file):
    def ask(signature, inputs):
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        request = urllib.request.Request(f"{server}/v1/models/{model}:predict", body)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["outputs"]

    file_of_metadata = pathlib.Path(directory) / "assets/keras_roberta.json"
    metadata = json.loads(file_of_metadata.read_text(encoding="utf-8"))
    context = pathlib.Path(file).read_text(encoding="utf-8")
    print(json.dumps(answer(ask, metadata, question, context), ensure_ascii=False))


def answer(ask, metadata, question, context):
    """The best part of a context: `text`, and `no_answer`, the probability that there is none.

    Args:
        ask: function of a signature and its inputs, lists by name, that gives the outputs alike.
        metadata: the SavedModel's.
        question, context: str.
    """
    end_id = metadata["end_token_id"]
    (front, _), (ids, places) = tokens(ask, [question, context])
    before = [metadata["start_token_id"], *front, end_id, end_id]
    size = metadata["max_sequence_length"] - len(before) - 1  # tokens of the context in a row
    if size < 1:
        raise ValueError(f"the question has {len(front)} tokens, which leaves no room; shorten it")
    stride = min(metadata["schema"]["stride"], size // 2)  # those that two rows share
    best, place, nothing = -math.inf, (0, 0), math.inf
    for first in range(0, max(len(ids) - stride, 1), size - stride):
        row = [*before, *ids[first : first + size], end_id]
        outputs = ask("tokens", {"token_ids": [row], "padding_mask": [[1] * len(row)]})
        found = {name: outputs[name][0] for name in ("start", "end", "start_logits", "end_logits")}
        starts, ends = found["start_logits"], found["end_logits"]
        nothing = min(nothing, starts[0] + ends[0])
        if found["end"] == 0:  # the row has nothing of the context
            continue
        start, last = found["start"], found["end"] - 1
        if starts[start] + ends[last] > best:
            best, shift = starts[start] + ends[last], first - len(before)
            place = places[start + shift][0], places[last + shift][1]
    no_answer = 1 / (1 + math.exp(min(best - nothing, 700)))
    return {"text": part(context, *place), "no_answer": no_answer}


def tokens(ask, texts):
    """For each text the ids of all its tokens, none added, and their places in its UTF-8."""
    found = ask("tokenize", {"text": texts})
    columns = (found[name] for name in ("token_ids", "padding_mask", "offsets"))
    for ids, mask, offsets in zip(*columns, strict=True):
        yield ids[1 : sum(mask) - 1], offsets[1 : sum(mask) - 1]  # without `<s>` and `</s>`


def part(text, start, end):
    """The part of a text from byte to byte, with the whole of each character it has a byte of."""
    utf8 = text.encode()
    while start > 0 and utf8[start] & 0xC0 == 0x80:  # a byte that goes on a character
        start -= 1
    while end < len(utf8) and utf8[end] & 0xC0 == 0x80:
        end += 1
    return utf8[start:end].decode().strip()


if __name__ == "__main__":
    main(*sys.argv[1:])
