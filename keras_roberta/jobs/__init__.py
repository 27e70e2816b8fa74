"""Whole jobs, from files to files: what the command line runs."""
