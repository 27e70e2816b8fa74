"""Pre-trains by masked language modelling with this library.

    python benchmarks/peers/pretrain_ours.py --shards DIR --tokens 2000000

Prints one JSON line: the held-out loss by tokens and seconds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pretraining as recipe

import keras_roberta as kr
from keras_roberta.data.pretraining.batches import pretraining_batches
from keras_roberta.data.pretraining.cooccurrence import token_vectors
from keras_roberta.jobs.pretrain.options import INITIAL_EMBEDDINGS
from keras_roberta.training import keep_freed_memory
from keras_roberta.training.optimizer.pretraining import pretraining_optimizer


def main():
    parser = recipe.make_parser(__doc__)
    parser.add_argument("--initializer", default="normal")
    parser.add_argument("--initializer-range", type=float, default=0.02)
    parser.add_argument("--initial-embeddings", choices=INITIAL_EMBEDDINGS, default="random")
    options, shards = recipe.start(parser)
    keep_freed_memory()  # as `keras-roberta pretrain` does
    tokenizer = shards.tokenizer
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        max_sequence_length=options.length,
        dropout=options.dropout,
        attention_dropout=options.dropout,
        initializer=options.initializer,
        initializer_range=options.initializer_range,
        seed=options.seed,
        **recipe.shape(options),
    )
    preprocessor = kr.RobertaPretrainer.preprocessor_cls(tokenizer, options.length)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), ("mlm",), preprocessor=preprocessor)
    schedule = recipe.make_schedule(options)
    model.compile(pretraining_optimizer(schedule, **recipe.OPTIMIZER))
    curve = recipe.Curve(options, schedule, recipe.heldout(options, shards))
    if options.initial_embeddings == "cooccurrence":  # on the clock
        table = model.backbone.token_embedding.embeddings
        table.assign(token_vectors(shards.documents(), *table.shape, seed=options.seed))
    batches = recipe.make_batch_options(options, mask_rate=options.mask_rate)
    data = pretraining_batches(shards, batches, seed=options.seed)
    model.fit(data, verbose=0, shuffle=False, callbacks=[curve])
    if options.preset:
        model.save_to_preset(options.preset)
    name = f"keras_roberta, {options.initial_embeddings} embeddings"
    recipe.print_result(name, options, curve)


if __name__ == "__main__":
    main()
