"""From files of text to shards of token ids."""
