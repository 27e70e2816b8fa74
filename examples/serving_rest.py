"""Asks TF Serving over REST; needs Python alone.

Write a model and serve the directory above its version:

    keras-roberta export --preset run/ --format saved-model --out models/sentiment/1
    docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD/models/sentiment:/models/sentiment" \\
        -e MODEL_NAME=sentiment tensorflow/serving
    python examples/serving_rest.py http://localhost:8501 sentiment "a gem"
"""

import json
import sys
import urllib.request


def main(server, model, *texts):
    for text, answer in zip(texts, predict(server, model, texts), strict=True):
        print(f"{answer['label_name']}\t{answer['score']:.4f}\t{text}")


def predict(server, model, texts):
    """One dict a text: `label`, `label_name`, `score`, `probabilities` and `logits`.

    A model of pairs takes `[{"text": ..., "text_pair": ...}, ...]` as its instances.
    """
    body = json.dumps({"instances": list(texts)}).encode()
    request = urllib.request.Request(f"{server}/v1/models/{model}:predict", body)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["predictions"]


if __name__ == "__main__":
    main(*sys.argv[1:])
