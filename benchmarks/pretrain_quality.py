"""What pre-training is worth: the held-out loss beside KerasHub's, SST-2 after it, ten languages.

    python benchmarks/pretrain_quality.py --data DIR --out DIR [--stages ours …]

DIR holds `english_text/`, `sst2/`, `debian_handbook/` and `lingua_sentences/`. Stages, each a few
minutes on two cores, and each going on from the files of those before:

    prepare            a vocabulary of 8,000 and shards of english_text
    ours               this library pre-trains a model on --tokens
    ours_random        the same, its embeddings random at the start
    keras_hub          KerasHub's RobertaMaskedLM: the same text, tokenizer, shape and recipe
    keras_hub_in_time  the same with the seconds that `ours` took, its schedule spread over them
    compare            the four, as a table and `curves.png`
    finetune           what `ours` saved on some of SST-2, and the same model from scratch
    multilingual       a run over ten languages, with the loss of each

Each writes `<stage>.json`.
"""

import argparse
import csv
import functools
import itertools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"
FINETUNING_RATES = (1e-4, 3e-4, 1e-3, 2e-3)
# Options that are handed on to both contestants.
SHARED = ("tokens", "learning_rate", "layers", "width", "length", "batch_size", "mask_rate")
SHARED += ("dropout", "seed")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--tokens", type=int, default=6_144_000)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--length", type=int, default=64, help="tokens a row")
    parser.add_argument("--batch-size", type=int, default=32, help="rows a step")
    parser.add_argument("--mask-rate", type=float, default=0.4, help="in training")
    parser.add_argument("--dropout", type=float, default=0.0, help="in pre-training")
    parser.add_argument(
        "--initializer", default="glorot_uniform", help="of ours; KerasHub's is normal"
    )
    parser.add_argument(
        "--initial-embeddings",
        default="cooccurrence",
        choices=("random", "cooccurrence"),
        help="of the stage ours",
    )
    parser.add_argument(
        "--initializer-range", type=float, default=0.02, help="of ours; KerasHub's is 0.02"
    )
    parser.add_argument(
        "--sentences",
        type=int,
        nargs="+",
        default=[500, 1000, 4000],
        help="with labels, of SST-2, to fine-tune on",
    )
    parser.add_argument("--epochs", type=int, default=10, help="of fine-tuning")
    parser.add_argument("--finetuning-seeds", type=int, default=3)
    parser.add_argument("--finetuning-dropout", type=float, default=0.2, help="in the encoder")
    parser.add_argument("--minutes", type=float, default=6, help="of the multilingual run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for stage in options.stages:
        result = STAGES[stage](options)
        (options.out / f"{stage}.json").write_text(json.dumps(result, indent=1) + "\n")


def make_shards(corpus, out, vocabulary_size, corpus_options, heldout):
    """A vocabulary and shards of a directory; returns the counts."""
    from keras_roberta.data.corpus.corpora import CorpusOptions
    from keras_roberta.data.corpus.prepare_options import PrepareOptions
    from keras_roberta.jobs.prepare.one_machine import prepare
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    lines = (
        line
        for path in sorted(corpus.rglob("*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    tokenizer = train_byte_level_bpe(lines, vocabulary_size)
    options = PrepareOptions(CorpusOptions(**corpus_options), heldout=heldout)
    return prepare(corpus, tokenizer, out, options, overwrite=True)["counts"]


def prepare(options):
    counts = make_shards(options.data / "english_text", options.out / "shards", 8000, {}, 0.02)
    print(json.dumps(counts))
    return counts


def ours(options):
    more = ["--initial-embeddings", options.initial_embeddings, "--preset", options.out / "preset"]
    return run("pretrain_ours.py", options, [*start(options), *more])


def ours_random(options):
    return run("pretrain_ours.py", options, start(options))


def start(options):
    """Of ours alone: how weights start."""
    return [
        *("--initializer", options.initializer),
        *("--initializer-range", options.initializer_range),
    ]


def keras_hub(options):
    return run("pretrain_keras_hub.py", options)


def keras_hub_in_time(options):
    seconds = read(options, "ours")["points"][-1]["seconds"]
    return run("pretrain_keras_hub.py", options, ["--seconds", seconds])


def run(script, options, more=()):
    """One contestant in a process of its own."""
    command = [sys.executable, PEERS / script, "--shards", options.out / "shards", *more]
    for name in SHARED:
        command += ["--" + name.replace("_", "-"), getattr(options, name)]
    output = subprocess.run(
        list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    result = json.loads(output.strip().splitlines()[-1])
    print(json.dumps(result), flush=True)
    return result


def read(options, stage):
    return json.loads((options.out / f"{stage}.json").read_text())


def compare(options):
    names = ("ours", "ours_random", "keras_hub", "keras_hub_in_time")
    runs = {name: read(options, name) for name in names}
    draw(options.out / "curves.png", runs.values())
    ends = {name: result["points"][-1] for name, result in runs.items()}
    print("| | tokens | seconds | held-out loss |\n|---|---|---|---|")
    for name, end in ends.items():
        print(f"| {name} | {end['tokens']:,} | {end['seconds']:.0f} | {end['loss']:.3f} |")
    mine = ends["ours"]
    result = {
        "equal_tokens_loss_of_keras_hub_above_ours": ends["keras_hub"]["loss"] - mine["loss"],
        "equal_tokens_seconds_of_keras_hub_over_ours": ends["keras_hub"]["seconds"]
        / mine["seconds"],
        "equal_time_loss_of_keras_hub_above_ours": ends["keras_hub_in_time"]["loss"] - mine["loss"],
    }
    print(json.dumps(result))
    return result


def draw(path, runs):
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(9, 3.4), layout="constrained")
    for axes, x in zip(figure.subplots(1, 2, sharey=True), ("tokens", "seconds"), strict=True):
        for result in runs:
            if x == "tokens" and result["budget"] == "seconds":
                continue
            points = result["points"]
            label = f"{result['name']}, schedule over {result['budget']}"
            xs, losses = [p[x] for p in points], [p["loss"] for p in points]
            axes.plot(xs, losses, marker=".", label=label)
        axes.set_xlabel(x)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False)
    figure.suptitle("held-out masked LM loss", fontsize=10)
    figure.savefig(path, dpi=150)


def finetune(options):
    """Mean accuracy over seeds, each with sentences of its own, at the best rate of each start."""
    # Rates and initialisers are chosen by what is reported, for all starts alike.
    train, dev = sst2(options.data / "sst2" / "train.tsv"), sst2(options.data / "sst2" / "dev.tsv")
    random.Random(0).shuffle(train)
    starts = {
        "pre-trained": [None],
        "cooccurrence alone": ["cooccurrence"],
        "from scratch": sorted({"normal", options.initializer}),
    }
    tried = []
    for count, (name, variants) in itertools.product(options.sentences, starts.items()):
        for start, rate in itertools.product(variants, FINETUNING_RATES):
            accuracies = [
                finetuned_accuracy(options, train[seed * count :][:count], dev, rate, start, seed)
                for seed in range(options.finetuning_seeds)
            ]
            result = {
                "sentences": count,
                "start": name,
                "initializer": start,
                "learning_rate": rate,
                "accuracies": accuracies,
                "accuracy": statistics.mean(accuracies),
            }
            tried.append(result)
            print(json.dumps(result), flush=True)
    print("| labelled sentences | " + " | ".join(starts) + " | points |\n|---|---|---|---|---|")
    for count in options.sentences:
        best = [
            max(
                (r for r in tried if (r["sentences"], r["start"]) == (count, name)),
                key=lambda result: result["accuracy"],
            )
            for name in starts
        ]
        cells = [
            f"{r['accuracy']:.1%} ({min(r['accuracies']):.1%} to {max(r['accuracies']):.1%})"
            for r in best
        ]
        gain = 100 * (best[0]["accuracy"] - best[-1]["accuracy"])
        print(f"| {count:,} | " + " | ".join(cells) + f" | {gain:+.1f} |")
    return {"runs": tried, "epochs": options.epochs}


def finetuned_accuracy(options, train, dev, rate, start, seed):
    """On `dev` after fine-tuning on `train`.

    Args:
        train, dev: lists of (sentence, label).
        rate: the peak.
        start: None for what `ours` saved; "cooccurrence" for its shape with new weights and the
            tokens' vectors; else an initialiser of new weights.
        seed: of all that is random.
    """
    import keras
    import numpy as np

    import keras_roberta as kr
    from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer

    keras.utils.set_random_seed(seed)
    preset = options.out / "preset"
    backbone = kr.RobertaBackbone.from_preset(
        preset, load_weights=start is None, encoder_dropout=options.finetuning_dropout
    )
    if start not in (None, "cooccurrence"):
        config = backbone.config.replace(initializer=start, initializer_range=0.02)
        backbone = kr.RobertaBackbone(config)
    elif start == "cooccurrence":
        table = backbone.token_embedding.embeddings
        table.assign(counted_vectors(options.out / "shards", tuple(table.shape)))
    tokenizer = kr.RobertaTokenizer.from_preset(preset)
    preprocessor = kr.RobertaTextClassifier.preprocessor_cls(tokenizer, options.length)
    task = kr.RobertaTextClassifier(backbone, 2, preprocessor=preprocessor, dropout=0.1)
    task.compile(finetuning_optimizer(rate))
    texts, labels = zip(*train, strict=True)
    task.fit(list(texts), np.array(labels), batch_size=32, epochs=options.epochs, verbose=0)
    texts, labels = zip(*dev, strict=True)
    return float((task.predict(list(texts), verbose=0).argmax(-1) == labels).mean())


@functools.cache
def counted_vectors(shards, shape):
    from keras_roberta.data.corpus.shards import open_shards
    from keras_roberta.data.pretraining.cooccurrence import token_vectors

    return token_vectors(open_shards(shards).documents(), *shape)


def sst2(path):
    """List of (sentence, label)."""
    with open(path, encoding="utf-8", newline="") as file:
        # Label and sentence; the two files name the second differently.
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [(text, int(label)) for label, text in rows]


def multilingual(options):
    from keras_roberta.jobs.pretrain.options import recipe
    from keras_roberta.jobs.pretrain.run import pretrain
    from keras_roberta.training import keep_freed_memory

    corpus = options.out / "languages"
    for source in ("debian_handbook", "lingua_sentences"):
        for path in sorted((options.data / source).glob("*.txt")):
            target = corpus / path.stem / f"{source}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            # One sentence a line there: each becomes a document.
            target.write_text(text.replace("\n", "\n\n") if source[0] == "l" else text)
    shards = options.out / "multilingual-shards"
    counts = make_shards(corpus, shards, 16_000, {"languages_from": "folder"}, 0.03)
    chosen = recipe(
        "one-day",
        size="tiny",
        hours=options.minutes / 60,
        batch_size=32,
        sequence_length=options.length,
        mask_rate=options.mask_rate,
        learning_rate=options.learning_rate,
        initializer=options.initializer,
        initial_embeddings=options.initial_embeddings,
        evaluate_every=100,
        log_every=20,
        seed=options.seed,
    )
    keep_freed_memory()  # as `keras-roberta pretrain` does
    result = pretrain(shards, options.out / "multilingual", chosen, overwrite=True)
    if result.signal is not None:
        sys.exit("stopped; run the stage again")
    for language, metrics in result.heldout.items():
        tokens = counts["train"][language]["tokens"]
        print(f"{language}: {tokens:,} tokens, held-out loss {metrics['mlm_loss']:.3f}")
    return {
        "tokens": result.tokens,
        "counts": counts,
        "mlm_loss": {language: m["mlm_loss"] for language, m in result.heldout.items()},
    }


STAGES = {
    stage.__name__: stage
    for stage in (
        *(prepare, ours, ours_random, keras_hub, keras_hub_in_time, compare),
        *(finetune, multilingual),
    )
}


if __name__ == "__main__":
    main()
