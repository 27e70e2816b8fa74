"""Saves a run every so many steps, and when it is told to stop."""

import signal
import threading

import keras


class SaveState(keras.callbacks.Callback):
    """Saves the state of the run during `fit`, and ends it on SIGTERM or Ctrl-C.

    The first such signal lets the step in progress finish, saves and stops; a second Ctrl-C stops
    at once. Given to `evaluate` as well, it ends that after the batch in progress.

    ```python
    states = RunStates("run/states")
    values = states.restore(model)  # after compile
    step = values["step"] if values else 0
    data = pretraining_batches(shards, options, start_step=step)
    model.fit(data, steps_per_epoch=total - step, callbacks=[SaveState(states, step=step)])
    ```

    Args:
        states: `RunStates`, or None to save nothing, as workers do that are not the chief.
        every: steps from one state to the next.
        step: steps done before this call of `fit`.
        values: function giving more to save, as JSON, or None.
        agree: function of the signal that this process was sent, or None, giving the one that all
            processes go by; called by `look`, so after every step and batch of an evaluation.

    Attributes:
        step: steps done.
        signal: the number of the signal that ended the run, or None.
    """

    def __init__(self, states, *, every=1000, step=0, values=None, agree=None):
        super().__init__()
        self.states, self.every, self.step = states, every, step
        self.values = values or dict
        self.agree = agree or (lambda received: received)
        self.signal = None
        self._received = None
        self._saved = step
        self._handlers = {}

    def listen(self):
        """Takes the signals, until `close`; `fit` does it by itself."""
        if threading.current_thread() is not threading.main_thread():
            return  # Python delivers signals to the main thread alone
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.signal(number, self._receive)
            self._handlers.setdefault(number, handler)

    def _receive(self, number, frame):
        if self._received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number

    def look(self):
        """The signal by which the run ends, as all processes agree now, or None."""
        self.signal = self.agree(self._received)
        return self.signal

    def on_train_begin(self, logs=None):
        self.listen()

    def on_test_batch_end(self, batch, logs=None):
        if self.look() is not None:
            self.model.stop_evaluating = True

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.every == 0:
            self.save()
        if self.look() is not None:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.save()
        self.close()

    def save(self):
        """Saves the state now, unless it has been."""
        if self.states is not None and self.step > self._saved:
            self.states.save(self.model, self.step, **self.values())
            self._saved = self.step

    def close(self):
        """Gives the signals back; Keras does not call `on_train_end` after an exception."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
