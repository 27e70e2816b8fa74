"""Turns files of text into shards of token ids."""
