"""Ends a run whose loss diverges, before it wastes the rest of its time."""

import math
from collections.abc import Mapping
from typing import Any

from keras_roberta.errors import InputError


class StopDivergence:
    """A report for `Windows` that raises an InputError if the loss rises and stays high.

    A window of steps is bad in one of these cases:

    - more than half of its steps were skipped, since their loss or gradient was not finite;
    - its loss is more than `tolerance` above the lowest loss so far;
    - its loss is not a number although no step was skipped.

    A few bad windows do no harm: spikes of the loss are common, and the loss comes down again.

    Args:
        every: steps in a window.
        patience: the number of successive bad windows that ends the run.
        tolerance: how far the loss may rise, in units of the loss.
    """

    def __init__(self, every: int, *, patience: int = 5, tolerance: float = 1.0):
        self.every, self.patience, self.tolerance = every, patience, tolerance
        self._best, self._bad, self._skipped = math.inf, 0, None

    def state(self) -> dict[str, Any]:
        """What it remembers, as JSON has it."""
        best = None if math.isinf(self._best) else self._best
        return {"best": best, "bad": self._bad, "skipped": self._skipped}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes what another one remembered."""
        self._best = math.inf if state["best"] is None else state["best"]
        self._bad, self._skipped = state["bad"], state["skipped"]

    def __call__(self, step: int, means: Mapping[str, Any]) -> None:
        """Looks at one window.

        Args:
            step: the last step of the window.
            means: `loss`, `skipped_steps` and `learning_rate`, from `Windows`.

        Raises:
            InputError: it is the last of `patience` bad windows. The message says what to change.
        """
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
