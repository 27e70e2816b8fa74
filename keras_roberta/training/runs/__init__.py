"""A long run: its budget, its states, its log."""
