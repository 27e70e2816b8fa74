"""A pre-training run."""
