"""Kinds of tokenizers: how to tell one by its file, and what its tokens mean."""
