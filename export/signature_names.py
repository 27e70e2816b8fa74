"""Names of a TFLite file's signatures, in front of the length in tokens."""

TEXT = "text"  # from the bytes of a text to the task's outputs
TOKENIZE = "tokenize"  # from the bytes of a text to token ids
ENCODE = "tokens"  # from token ids to the task's outputs
