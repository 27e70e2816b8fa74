"""A corpus into shards."""
