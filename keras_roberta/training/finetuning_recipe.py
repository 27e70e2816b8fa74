"""Default settings for fine-tuning, in Python and on the command line, and recipes by name."""

LEARNING_RATE = 5e-5  # KerasHub's and Transformers' default
EPOCHS = 1  # `keras.Model.fit`'s
BATCH_SIZE = 32
# RoBERTa's for GLUE (Liu et al., 2019, table 10).
WEIGHT_DECAY = 0.1
WARMUP = 0.06


def _recipe(batch_size, learning_rate, epochs=10, weight_decay=WEIGHT_DECAY):
    return {
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "weight_decay": weight_decay,
        "warmup": WARMUP,
    }


# What RoBERTa was fine-tuned with: Liu et al., 2019, table 10. The values of each GLUE task are
# those of fairseq's examples/roberta/README.glue.md. It warms up over a quarter of QQP, the paper
# over 6% of everything; this follows the paper.
RECIPES = {
    "cola": _recipe(16, 1e-5),
    "mnli": _recipe(32, 1e-5),
    "mrpc": _recipe(16, 1e-5),
    "qnli": _recipe(32, 1e-5),
    "qqp": _recipe(32, 1e-5),
    "rte": _recipe(16, 2e-5),
    "sst-2": _recipe(32, 1e-5),
    "sts-b": _recipe(16, 2e-5),
    "squad": _recipe(48, 1.5e-5, epochs=2, weight_decay=0.01),
    "race": _recipe(16, 1e-5, epochs=4),
}
