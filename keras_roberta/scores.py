"""How good a model's outputs are."""

import numpy as np


def scores(logits, targets):
    """How good outputs are.

    Args:
        logits: (rows, classes); one class is a regression.
        targets: class numbers, or floats.

    Returns:
        dict of `accuracy` and `macro_f1`; or of `mse` and `pearson` (None where either side is
        constant).
    """
    logits, targets = np.asarray(logits), np.asarray(targets)
    if logits.shape[-1] == 1:
        outputs = logits[:, 0].astype("float64")
        varied = np.ptp(outputs) > 0 and np.ptp(targets) > 0
        return {
            "mse": float(np.mean((outputs - targets) ** 2)),
            "pearson": float(np.corrcoef(outputs, targets)[0, 1]) if varied else None,
        }
    from sklearn.metrics import f1_score

    predicted = logits.argmax(axis=-1)
    return {
        "accuracy": float(np.mean(predicted == targets)),
        "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0)),
    }
