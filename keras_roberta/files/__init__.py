"""Files and directories: written whole, fetched, read."""
