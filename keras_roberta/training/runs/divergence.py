"""Ends a run that has gone astray, before it wastes the time left."""

import math

from keras_roberta.errors import InputError


class StopDivergence:
    """A report of `Windows` that raises where the loss does not come back.

    A window is bad when more than half of its steps were skipped for a loss or gradient that is
    not finite, when its loss lies more than `tolerance` above the best so far, or is not a number
    although nothing was skipped. Single bad windows are left alone: spikes of the loss are common
    and mend themselves.

    Args:
        every: steps of a window.
        patience: bad windows in a row that end the run.
        tolerance: in units of the loss.

    Raises:
        InputError: when called for the last of them; says what to change.
    """

    def __init__(self, every, *, patience=5, tolerance=1.0):
        self.every, self.patience, self.tolerance = every, patience, tolerance
        self._best, self._bad, self._skipped = math.inf, 0, None

    def __call__(self, step, means):
        loss, skipped = means["loss"], means["skipped_steps"]
        newly = skipped - (skipped if self._skipped is None else self._skipped)
        self._skipped = skipped
        is_bad = (
            newly > self.every / 2
            or loss > self._best + self.tolerance
            or (math.isnan(loss) and not newly)
        )
        self._bad = self._bad + 1 if is_bad else 0
        if loss < self._best:
            self._best = loss
        if self._bad >= self.patience:
            raise InputError(
                f"the run diverges: at step {step} the loss is {loss:.2f} after "
                f"{self._best:.2f} at best, {skipped} steps were skipped; start anew with a lower "
                f"learning rate (now {means['learning_rate']:.1e}) or a longer warm-up, or clip "
                "gradients"
            )
