"""What sharing weights over layers costs and saves: the held-out loss of masked language modelling.

    python benchmarks/sharing.py --out DIR [--data DIR] [--seconds 300]

A model whose layers share their weights beside one whose layers do not, each pre-trained for so
many seconds on english_text, one after the other on one thread. (Lan et al., 2020, tables 2 and 4,
have such pairs at their sizes.)

    unshared        four layers, 128 wide
    shared          the same shape with one copy of a layer's weights: equal time a step
    one layer       a single layer of that width: as many weights as `shared`
    shared, wide    four shared layers 256 wide, embeddings 128 wide: about as many weights as
                    `unshared`

Prints a Markdown table, and keeps the runs in DIR: one that is there already is not run again.
"""

import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["OMP_NUM_THREADS"] = "1"

ROOT = pathlib.Path(__file__).resolve().parents[1]
# `tiny` is 128 wide, `mini` 256.
CONTESTANTS = {
    "unshared": dict(size="tiny", num_layers=4),
    "shared": dict(size="tiny", num_layers=4, parameter_sharing="all"),
    "one layer": dict(size="tiny", num_layers=1),
    "shared, wide": dict(size="mini", num_layers=4, parameter_sharing="all", embedding_dim=128),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=300, help="for each contestant")
    parser.add_argument("--vocabulary-size", type=int, default=8000)
    parser.add_argument("--length", type=int, default=64, help="tokens a row")
    parser.add_argument("--batch-size", type=int, default=32, help="rows a step")
    parser.add_argument(
        "--learning-rate", type=float, default=2e-3, help="the peak at 128; it goes with 1 / width"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import keras_roberta  # noqa: F401, before TensorFlow, which it turns oneDNN's products on for

    # isort: split
    import keras  # noqa: F401, first: after TensorFlow its layer norm finds no backend.config
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    shards = options.out / "shards"
    if not shards.exists():
        from pretrain_quality import make_shards

        corpus = options.data / "english_text"
        make_shards(corpus, shards, options.vocabulary_size, {}, heldout=0.02)
    rows = [measured(name, options, shards) for name in CONTESTANTS]
    print("| | layers | width | weights of the encoder | steps | held-out loss |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            "| {name} | {layers} | {width} | {weights:,} | {steps:,} | {loss:.3f} |".format(**row)
        )


def measured(name, options, shards):
    path = options.out / f"{name.replace(', ', '-').replace(' ', '-')}.json"
    if path.exists():
        return json.loads(path.read_text())
    from keras_roberta.config import RobertaConfig
    from keras_roberta.jobs.pretrain.options import recipe
    from keras_roberta.jobs.pretrain.run import pretrain

    of_model = CONTESTANTS[name]
    width = RobertaConfig.named(of_model["size"]).hidden_dim
    result = pretrain(
        shards,
        path.with_suffix(""),
        recipe(
            "roberta-base",
            **of_model,
            hours=options.seconds / 3600,
            sequence_length=options.length,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate * 128 / width,
            warmup=0.1,
            dropout=0.0,
            clip_norm=0.5,
            initializer="glorot_uniform",
            seed=options.seed,
            save_every=10**6,
            evaluate_every=10**6,
            log_every=100,
        ),
        overwrite=True,
    )
    config = result.model.backbone.config
    (heldout,) = result.heldout.values()
    row = {
        "name": name,
        "layers": config.num_layers,
        "width": config.hidden_dim,
        "weights": config.encoder_parameters,
        "steps": result.steps,
        "loss": heldout["mlm_loss"],
    }
    path.write_text(json.dumps(row, indent=1) + "\n")
    return row


if __name__ == "__main__":
    main()
