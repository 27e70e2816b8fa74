"""What a score is called in a table or a picture."""

_ABBREVIATIONS = {"f1": "F1", "mse": "MSE", "mae": "MAE", "lm": "LM"}


def heading(name: str) -> str:
    """
    >>> heading("macro_f1"), heading("accuracy")
    ('macro F1', 'accuracy')
    """
    return " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_"))


def score_names(rows) -> list[str]:
    """The scores that any of the rows has, in the order in which they come first."""
    return list(dict.fromkeys(name for row in rows for name in row.scores))
