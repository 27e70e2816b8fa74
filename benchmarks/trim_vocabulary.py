"""Vocabularies trimmed on real data: sizes, tokens that change, accuracy, likeness of vectors.

    python benchmarks/trim_vocabulary.py --sentiment PRESET --sst2 DIR [--counts 1,5,20]
    python benchmarks/trim_vocabulary.py --xlmr DIR --sentences DIR [--languages en,es,de]

The first trims a classifier to the tokens of SST-2's training sentences, and asks it and its int8
and int4 files for the labels of the dev sentences. The second trims XLM-R's layout to every other
sentence of some languages, and to the lines of further texts (`--texts`), and compares the vectors
of these and of the other sentences, by Keras and by an int4 file that takes token ids, with those
of the full model; DIR of `--xlmr` is what `make_checkpoint.py` of the data folder writes.
"""

import argparse
import csv
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.corpus.changed_tokens import changed_tokens
from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.jobs.options.trim_vocabulary import TrimVocabularyOptions
from keras_roberta.jobs.trim_vocabulary import trim_vocabulary
from keras_roberta.reports.size_on_disk import bytes_on_disk

BY_LINE = CorpusOptions(documents="line")


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    (column,) = rows[0].keys() - {"label"}
    return [row[column].strip() for row in rows], np.array([int(row["label"]) for row in rows])


def trimmed(preset, texts, directory, **options):
    """The task of a preset after `compress trim`, and what that reports."""
    corpus = directory / "corpus.txt"
    corpus.write_text("\n".join(texts) + "\n", encoding="utf-8")
    options = TrimVocabularyOptions(corpus=BY_LINE, **options)
    report = trim_vocabulary(preset, corpus, directory / "small", options, overwrite=True)
    return kr.open_task(directory / "small"), report


def changed(full, small, texts):
    """Of the tokens of some texts, in two tasks."""
    tokenizers = full.preprocessor.tokenizer, small.preprocessor.tokenizer
    old_ids = np.array([tokenizers[0].token_to_id(tokenizers[1].id_to_token(i))
                        for i in range(tokenizers[1].vocabulary_size)])  # fmt: skip
    before, after, count = changed_tokens(*tokenizers, old_ids, texts)
    return f"{count / before:.2%} of {before:,} tokens change, {after / before:.4f} times as long"


def sizes(report):
    return "; ".join(
        f"{name} {values['before']:,.4g} to {values['after']:,.4g}"
        if name == "megabytes"
        else f"{name} {values['before']:,} to {values['after']:,}"
        for name in ("tokens", "parameters", "megabytes")
        for values in [report[name]]
    )


def exported(task, directory, quantization, inputs="text"):
    """The runner of a file, and its size."""
    path = directory / "m.tflite"
    export.to_tflite(task, path, quantization, inputs, overwrite=True)
    return export.load(path, tokenizer=task.preprocessor.tokenizer), bytes_on_disk(path) / 1e6


def sentiment(preset, sst2, counts, keep, directory):
    train, _ = read_table(pathlib.Path(sst2) / "train.tsv")
    dev, labels = read_table(pathlib.Path(sst2) / "dev.tsv")

    def accuracies(task):
        logits = task.predict(dev, batch_size=32, verbose=0)
        yield f"accuracy {np.mean(logits.argmax(axis=-1) == labels):.4f} of {len(labels)}"
        for scheme in ("int8", "int4"):
            runner, megabytes = exported(task, directory, scheme)
            found = runner.predict(dev)["label"]
            yield f"{scheme} file {megabytes:.1f} MB, accuracy {np.mean(found == labels):.4f}"

    full = kr.open_task(preset)
    print(f"full: {'; '.join(accuracies(full))}", flush=True)
    for min_count in counts:
        small, report = trimmed(preset, train, directory, min_count=min_count)
        if keep:
            small.save_to_preset(pathlib.Path(keep) / f"trimmed-{min_count}")
        print(
            f"min_count {min_count}: {sizes(report)}; dev: {changed(full, small, dev)}; "
            f"{'; '.join(accuracies(small))}",
            flush=True,
        )


def vectors(task, texts):
    found = task.predict(texts, batch_size=64, verbose=0)
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


def languages(xlmr, sentences, names, corpus, directory):
    full = kr.RobertaTextEmbedder.from_preset(
        xlmr, pooling="mean", prefix="query: ", sequence_length=128
    )
    full.save_to_preset(directory / "full")
    seen, unseen = [], {}
    for name in names:
        lines = (pathlib.Path(sentences) / f"{name}.txt").read_text("utf-8").splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        seen += lines[::2]
        unseen[name] = lines[1::2]
    expected = {name: vectors(full, texts) for name, texts in (("seen", seen), *unseen.items())}
    for characters in ("used",) if corpus else ("all", "used"):
        small, report = trimmed(directory / "full", seen + corpus, directory, characters=characters)
        print(f"{','.join(names)}, characters {characters}: {sizes(report)}", flush=True)
        runner, megabytes = exported(small, directory, "int4", "tokens")
        print(f"  int4 file: {megabytes:.1f} MB", flush=True)
        for name, texts in (("seen", seen), *unseen.items()):
            for what, found in (
                ("Keras", vectors(small, texts)),
                ("int4 file", runner.predict(texts)["vector"]),
            ):
                cosines = np.sum(expected[name] * found, axis=-1)
                print(
                    f"  {name}, {len(texts)} sentences, {what}: cosine mean {cosines.mean():.4f}, "
                    f"5th percentile {np.quantile(cosines, 0.05):.4f}, least {cosines.min():.4f}; "
                    f"{changed(full, small, texts)}",
                    flush=True,
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sentiment", help="a classifier of SST-2's sentences")
    parser.add_argument("--sst2", help="directory with train.tsv and dev.tsv")
    parser.add_argument("--keep", help="directory for the trimmed classifiers")
    parser.add_argument("--counts", default="1,5,20", help="values of --min-count, with commas")
    parser.add_argument("--xlmr", help="a checkpoint of an encoder")
    parser.add_argument("--sentences", help="directory with a file of sentences a language")
    parser.add_argument("--languages", default="en,es,de")
    parser.add_argument("--texts", nargs="+", default=[], help="files of further text for --xlmr")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        if options.sentiment:
            counts = [int(count) for count in options.counts.split(",")]
            sentiment(options.sentiment, options.sst2, counts, options.keep, directory)
        if options.xlmr:
            names = options.languages.split(",")
            lines = [
                line.strip()
                for path in options.texts
                for line in pathlib.Path(path).read_text("utf-8").splitlines()
            ]
            corpus = [line for line in lines if line]
            languages(options.xlmr, options.sentences, names, corpus, directory)


if __name__ == "__main__":
    main()
