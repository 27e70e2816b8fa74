"""SentencePiece's Unigram models: their files, their tables, their rules for long texts."""
