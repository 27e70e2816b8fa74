"""How long a SavedModel takes for a request, by the number of texts and their tokens.

The model runs in this process, so the time is that of tokenising and computing; a server adds its
own. With --server URL the same requests go to a running TF Serving's REST too, in turns.

    python benchmarks/serving_latency.py --preset my-sst2-model
    python benchmarks/serving_latency.py --server http://localhost:8501/v1/models/sentiment
"""

import argparse
import json
import pathlib
import tempfile
import urllib.request

import keras
import numpy as np

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.reports.latency import latencies
from keras_roberta.tokenizers.training import train_byte_level_bpe


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help="a fine-tuned preset; base size, random, without")
    parser.add_argument("--server", help="a model's address, such as http://host:8501/v1/models/m")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "1"
        export.to_saved_model(make_task(options.preset), path)
        run(export.load(path), options)


def make_task(preset):
    if preset:
        return kr.RobertaTextClassifier.from_preset(preset)
    keras.utils.set_random_seed(0)
    tokenizer = train_byte_level_bpe(["a gem", "a mess"] * 4, vocabulary_size=300)
    preprocessor = kr.RobertaPreprocessor(tokenizer, labels=("bad", "good"))
    backbone = kr.RobertaBackbone(kr.RobertaConfig.named("base"))
    return kr.RobertaTextClassifier(backbone, preprocessor=preprocessor)


def run(runner, options):
    calls = {}
    for count in options.batch_sizes:
        for tokens in options.tokens:
            texts = [" a" * (tokens - 2)] * count  # " a" is one token of nearly every vocabulary
            calls[count, tokens, "this process"] = lambda texts=texts: runner.run_texts(texts)
            if options.server:
                calls[count, tokens, "server"] = lambda texts=texts: ask(options.server, texts)
    print("| texts | tokens | where | median, ms | 95%, ms | texts/s |\n|---|---|---|---|---|---|")
    for (count, tokens, where), times in latencies(calls, options.repeats).items():
        median, late = np.median(times), np.quantile(times, 0.95)
        speed = 1e3 * count / median
        print(f"| {count} | {tokens} | {where} | {median:.0f} | {late:.0f} | {speed:.0f} |")


def ask(server, texts):
    body = json.dumps({"instances": texts}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{server}:predict", body)) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
