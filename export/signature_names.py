"""Names of signatures, in a TFLite file in front of the length in tokens."""

TEXT = "text"  # from the bytes of a text to the task's outputs
TOKENIZE = "tokenize"  # from the bytes of a text to token ids
ENCODE = "tokens"  # from token ids to the task's outputs
PLACE = "place"  # from places in a row of tokens to places in the text
# Outputs of the tokenizer that a signature for texts passes on as they are.
OF_TOKENIZER = ("num_tokens", "offsets")
