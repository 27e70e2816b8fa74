"""Vectors of texts on real data: likeness of sentences, translations, and a short fine-tuning.

    python benchmarks/embeddings.py --granite DIR --xlmr DIR --sick DIR --xquad DIR [--epochs N]

DIR of `--xlmr` is what `make_checkpoint.py` of the data folder writes. Without training in them:
Spearman's correlation of the cosine with SICK's relatedness on its test pairs, for each encoder,
and how often the nearest of XQuAD's paragraphs in Spanish or German is the translation of the
English one. Then SICK's training pairs are learnt, and its test pairs measured again.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_roberta as kr
from keras_roberta.schemas.vector_search import cosines
from keras_roberta.training import keep_freed_memory
from keras_roberta.training.optimizer import finetuning_optimizer


def read_sick(directory, name, limit):
    """Pairs and their relatedness, from 1 to 5."""
    lines = (pathlib.Path(directory) / name).read_text("utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines if line][:limit]
    _, firsts, seconds, scores, _ = zip(*rows, strict=True)
    return (list(firsts), list(seconds)), np.array(scores, "float32")


def vectors_of_pairs(task, pairs):
    """(pairs, 2, size); a sentence that stands in several pairs is computed once."""
    texts = sorted({text for side in pairs for text in side})
    vectors = dict(zip(texts, task.predict(texts, batch_size=64, verbose=0), strict=True))
    return np.stack([[vectors[text] for text in side] for side in pairs], axis=1)


def likeness(task, sick):
    pairs, scores = sick
    return task.schema.scores({"vector": vectors_of_pairs(task, pairs)}, scores)


def paragraphs(directory, language):
    document = json.loads((pathlib.Path(directory) / f"xquad.{language}.json").read_text("utf-8"))
    return [p["context"] for article in document["data"] for p in article["paragraphs"]]


def translations(task, xquad, limit):
    """Recall at 1 of the translation among all paragraphs, by language."""
    texts = {language: paragraphs(xquad, language)[:limit] for language in ("en", "es", "de")}
    vectors = {language: task.predict(rows, batch_size=16, verbose=0)
               for language, rows in texts.items()}  # fmt: skip
    right = np.arange(len(texts["en"]))
    return {
        f"{a} to {b}": float(np.mean(cosines(vectors[a], vectors[b]).argmax(axis=1) == right))
        for a, b in (("en", "es"), ("en", "de"), ("es", "en"), ("de", "en"))
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("granite", "xlmr", "sick", "xquad"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--epochs", type=int, default=1, help="of the fine-tuning; 0 for none")
    parser.add_argument("--test", type=int, help="the first pairs of the test alone")
    parser.add_argument("--train", type=int, help="the first pairs of the training alone")
    parser.add_argument("--paragraphs", type=int, help="the first paragraphs alone")
    parser.add_argument("--length", type=int, default=256, help="tokens of a paragraph")
    options = parser.parse_args()
    keep_freed_memory()
    keras.utils.set_random_seed(0)
    embedder = kr.RobertaTextEmbedder
    test = read_sick(options.sick, "SICK_test_annotated.txt", options.test)
    # The published model was trained with its prefix in front of both sentences.
    encoders = {
        "granite-30m": dict(preset=options.granite, pooling="cls"),
        "xlmr-small": dict(preset=options.xlmr, pooling="mean", prefix="query: "),
    }
    for name, arguments in encoders.items():
        task = embedder.from_preset(**arguments, sequence_length=options.length)
        scores = likeness(task, test)
        print(f"SICK test, {len(test[1])} pairs, {name} as it is: {scores}", flush=True)
    for direction, recall in translations(task, options.xquad, options.paragraphs).items():
        print(f"XQuAD, {name}, {direction}: recall@1 {recall:.3f}", flush=True)
    if not options.epochs:
        return
    pairs, scores = read_sick(options.sick, "SICK_train.txt", options.train)
    task = embedder.from_preset(options.granite, pooling="cls", score_range=(1, 5))
    task.compile(finetuning_optimizer(5e-5))
    started = time.monotonic()
    task.fit(pairs, scores, batch_size=32, epochs=options.epochs, verbose=0)
    seconds = time.monotonic() - started
    found = likeness(task, test)
    print(
        f"granite-30m after {len(scores)} pairs, {options.epochs} epochs, {seconds:.0f} s: {found}"
    )


if __name__ == "__main__":
    main()
