"""Weights in and out of files that others write. Reads without running any code from them."""
