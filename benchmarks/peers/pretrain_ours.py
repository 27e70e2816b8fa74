"""Pre-trains by masked language modelling with this library.

    python benchmarks/peers/pretrain_ours.py --shards DIR --tokens 2000000

Prints one JSON line: the held-out loss by tokens and seconds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from pretraining import (
    BATCH_SIZE,
    LENGTH,
    OPTIMIZER,
    SHAPE,
    Curve,
    heldout,
    make_budget,
    make_schedule,
    parse_options,
    print_result,
)

import keras_roberta as kr
from keras_roberta.data.pretraining import BatchOptions, pretraining_batches
from keras_roberta.data.shards import open_shards
from keras_roberta.training.pretraining_optimizer import pretraining_optimizer


def main():
    options = parse_options(__doc__)
    keras.utils.set_random_seed(options.seed)
    shards = open_shards(options.shards)
    tokenizer = shards.tokenizer
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        max_sequence_length=LENGTH,
        seed=options.seed,
        **SHAPE,
    )
    preprocessor = kr.RobertaPretrainer.preprocessor_cls(tokenizer, LENGTH)
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), ("mlm",), preprocessor=preprocessor)
    schedule = make_schedule(options)
    model.compile(pretraining_optimizer(schedule, **OPTIMIZER))
    batches = BatchOptions(("mlm",), batch_size=BATCH_SIZE, sequence_length=LENGTH)
    evaluation = heldout(shards)
    curve = Curve(make_budget(options), schedule, evaluation)
    data = pretraining_batches(shards, batches, seed=options.seed)
    model.fit(data, verbose=0, shuffle=False, callbacks=[curve])
    if options.preset:
        model.save_to_preset(options.preset)
    print_result("keras_roberta", options, curve)


if __name__ == "__main__":
    main()
