"""Saves a run at intervals, and when it gets a signal to stop."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import keras

from keras_roberta.training.runs.run_states import RunStates


class SaveState(keras.callbacks.Callback):
    """Saves the state of the run during `fit`, and ends it on SIGTERM or Ctrl-C.

    After the first signal, the current step is finished, the state is saved and `fit` ends. A
    second Ctrl-C stops the process at once. The callback can also be given to `evaluate`, which
    then ends after its current batch.

    ```python
    states = RunStates("run/states")
    values = states.restore(model)  # after compile
    step = values["step"] if values else 0
    data = pretraining_batches(shards, options, start_step=step)
    model.fit(data, steps_per_epoch=total - step, callbacks=[SaveState(states, step=step)])
    ```

    Args:
        states: where to save. None saves nothing: of several workers, only the chief saves.
        every: number of steps between two states.
        step: steps done before this call of `fit`.
        values: function that returns more values to save, as a dict for JSON, or None. Every
            worker calls it at the same steps.
        agree: function from the signal that this process got, or None, to the signal that all
            processes act on. `look` calls it, so it runs after every step, and after every batch
            of an evaluation. None: each process acts on its own signal.

    Attributes:
        step: steps done.
        signal: number of the signal that ended the run, or None.
    """

    def __init__(
        self,
        states: RunStates | None,
        *,
        every: int = 1000,
        step: int = 0,
        values: Callable[[], dict[str, Any]] | None = None,
        agree: Callable[[int | None], int | None] | None = None,
    ):
        super().__init__()
        self.states, self.every, self.step = states, every, step
        self.values = values or dict
        self.agree = agree or (lambda received: received)
        self.signal = None
        self._received = None
        self._saved = step
        self._handlers = {}

    def listen(self) -> None:
        """Starts to handle the signals, until `close`. `fit` calls it itself."""
        if threading.current_thread() is not threading.main_thread():
            return  # Python delivers signals only to the main thread
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.signal(number, self._receive)
            self._handlers.setdefault(number, handler)

    def _receive(self, number, frame):
        if self._received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number

    def look(self) -> int | None:
        """The signal that ends the run, as agreed by all processes; None to go on."""
        self.signal = self.agree(self._received)
        return self.signal

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.listen()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.look() is not None:
            self.model.stop_evaluating = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1
        if self.step % self.every == 0:
            self.save()
        if self.look() is not None:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.save()
        self.close()

    def save(self) -> None:
        """Saves the state now, unless the state of this step is already saved."""
        if self.step > self._saved:
            values = self.values()  # by every worker: they may tell each other
            if self.states is not None:
                self.states.save(self.model, self.step, **values)
            self._saved = self.step

    def close(self) -> None:
        """Restores the earlier signal handlers.

        Call it after an exception, too: Keras does not call `on_train_end` then.
        """
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
