"""Pre-trains a small encoder from shards, as a plain Keras script that can be killed and run again.

    keras-roberta prepare --corpus text/ --tokenizer tok/ --out shards/
    python examples/pretrain.py shards/ out/ [STEPS]

`keras-roberta pretrain` does the same with logs, evaluation by language and a model card.
"""

import pathlib
import sys

import keras

import keras_roberta as kr
from keras_roberta.data.pretraining import (
    BatchOptions,
    evaluation_batches,
    open_shards,
    pretraining_batches,
)
from keras_roberta.training import keep_freed_memory
from keras_roberta.training.optimizer.pretraining import pretraining_optimizer
from keras_roberta.training.runs.run_states import RunStates
from keras_roberta.training.runs.save_state import SaveState


def main(shards, out, steps=2000):
    # A step takes the memory that earlier ones have freed, instead of asking the system for new
    # pages. It holds for the whole process, so the script decides.
    keep_freed_memory()
    shards, out, steps = open_shards(shards), pathlib.Path(out), int(steps)
    options = BatchOptions(("mlm", "sop"), batch_size=32, sequence_length=128)
    config = kr.RobertaConfig.named(
        "tiny", vocabulary_size=shards.tokenizer.vocabulary_size, max_sequence_length=128
    )
    model = kr.RobertaPretrainer(
        kr.RobertaBackbone(config),
        objectives=options.objectives,
        loss_weights={"mlm": 1.0, "sop": 0.5},
        preprocessor=kr.RobertaPretrainer.preprocessor_cls(shards.tokenizer, sequence_length=128),
    )
    model.compile(pretraining_optimizer(5e-4, total_steps=steps, warmup=0.1))
    model.optimizer.build(model.trainable_variables)

    states = RunStates(out / "states")
    before = states.restore(model)
    done = before["step"] if before else 0
    if done < steps:
        out.mkdir(parents=True, exist_ok=True)
        model.fit(
            pretraining_batches(shards, options, start_step=done),
            steps_per_epoch=steps - done,
            validation_data=evaluation_batches(shards, options, max_batches=10),
            callbacks=[
                SaveState(states, every=200, step=done),
                keras.callbacks.CSVLogger(out / "history.csv", append=True),
            ],
        )
    model.save_to_preset(out / "preset")
    # Transformers has a place for the language model head, and none for the sentence order's.
    model.save_to_hugging_face(out / "hugging-face", drop_heads=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
