"""Default settings for fine-tuning, in Python and on the command line."""

LEARNING_RATE = 5e-5  # KerasHub's and Transformers' default
EPOCHS = 1  # `keras.Model.fit`'s
BATCH_SIZE = 32
# RoBERTa's for GLUE (Liu et al., 2019, table 10).
WEIGHT_DECAY = 0.1
WARMUP = 0.06
