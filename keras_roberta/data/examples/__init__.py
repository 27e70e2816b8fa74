"""Texts and labels, in memory, in tables or as a stream, as batches of token ids."""
