"""Long training runs: budget, saved states, progress and log."""
