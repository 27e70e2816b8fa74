"""The demo: every part of the library once, on data that is already there."""
