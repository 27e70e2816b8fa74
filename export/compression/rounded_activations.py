"""A task trained with activations that are rounded by fixed ranges, which adapt on the way."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.checkpoints.activation_ranges import ActivationRanges
from keras_roberta.export.compression.watched_products import WatchedProducts
from keras_roberta.export.recipes import Entry
from keras_roberta.export.static_ranges import MOST_NOISE, Range
from keras_roberta.training.step.batch import BatchLoss, LossFunction

# Of what was seen before, in the moving averages.
MOMENTUM = 0.99
_LEAST_SIZE = 1e-9  # of a token, whose logarithm is taken

logger = logging.getLogger("keras_roberta")


class RoundedActivations:
    """A loss transform that rounds what goes into the products of an encoder's blocks and what
    comes out, and keeps the ranges for it.

    Ranges are moving averages of the least and the largest number of a batch, without padding
    (Jacob et al., 2018, "Quantization and Training of Neural Networks", section 3.1). Nothing is
    rounded until `decide` is called, which leaves out products with outliers for good. Gradients
    pass through the rounding where numbers are within their range. Each replica has averages of its
    own, until `share` gives all those of the first.

    All calls of the task round while the products are `placed`; training steps also see.

    Args:
        task: the task, whose products are watched.
        entry: of the recipe, with the bits of activations.
        start: ranges to go on with, or None. To be made in the scope of the strategy.

    Attributes:
        variables, states: see `make_gradient_function`.
    """

    def __init__(self, task: keras.Model, entry: Entry, start: ActivationRanges | None = None):
        self._task = task
        config = entry["op_config"]["activation_tensor_config"]
        self._bits, self._symmetric = config["num_bits"], config["symmetric"]
        self._products = WatchedProducts(task.backbone.encoder, self._seen_and_rounded)
        self._local = threading.local()  # replicas run in threads
        # Of each place a row for the inputs, then one for each result.
        self._rows, number = {}, 0
        for place in self._products.places:
            self._rows[place] = {
                "inputs": slice(number, number + 1),
                "result": slice(number + 1, number + 1 + len(place.layers)),
            }
            number += 1 + len(place.layers)
        # Least, largest and typical size of a token.
        self._seen = _variable(np.zeros((number, 3), "float32"))
        self._is_fixed = _variable(np.zeros(number, "float32"))
        self._steps = _variable(np.zeros((), "float32"))
        self.is_decided = False
        if start is not None:
            self.load(start)
        self.variables, self.states = [self._is_fixed], [self._seen, self._steps]

    # === In a step ===

    def __call__(self, loss_fn: LossFunction) -> LossFunction:
        def with_rounded(model, batch) -> BatchLoss:
            self._local.seen = {}
            try:
                result = loss_fn(model, batch)
                self._average(self._local.seen)
            finally:
                self._local.seen = None
            return result

        return with_rounded

    def _seen_and_rounded(self, place, side, x, mask):
        rows = self._rows[place][side]
        parts = rows.stop - rows.start
        as_float = tf.cast(x, tf.float32)
        seen = getattr(self._local, "seen", None)
        if seen is not None:
            seen.setdefault((place, side), []).append(_ranges(as_float, mask, parts))
        ends = tf.convert_to_tensor(self._seen.value)[rows]
        is_fixed = tf.convert_to_tensor(self._is_fixed.value)[rows]
        repeats = x.shape[-1] // parts
        low, high, is_fixed = (
            tf.repeat(values, repeats) for values in (ends[:, 0], ends[:, 1], is_fixed)
        )
        rounded = _rounded(as_float, low, high, self._bits, self._symmetric)
        return tf.cast(tf.where(is_fixed > 0, rounded, as_float), x.dtype)

    def _average(self, seen):
        found = []
        for place, sides in self._rows.items():
            for side in sides:
                calls = tf.stack(seen[place, side])  # of a model that is called more than once
                found.append(
                    tf.stack(
                        [
                            tf.reduce_min(calls[..., 0], axis=0),
                            tf.reduce_max(calls[..., 1], axis=0),
                            tf.reduce_mean(calls[..., 2], axis=0),
                        ],
                        axis=-1,
                    )
                )
        found = tf.stop_gradient(tf.concat(found, axis=0))
        old, steps = (tf.convert_to_tensor(v.value) for v in (self._seen, self._steps))
        found = tf.where(tf.math.is_finite(found), found, old)
        weight = tf.maximum(1 / (steps + 1), 1 - MOMENTUM)
        self._seen.assign(old + weight * (found - old))
        self._steps.assign(steps + 1)

    # === Between steps ===

    @contextlib.contextmanager
    def placed(self) -> Iterator[None]:
        """A context in which the task's calls round activations."""
        if self._products.placed:
            yield
            return
        self.put_in()
        try:
            yield
        finally:
            self.take_out()

    def put_in(self) -> None:
        """From now on the task's calls round activations."""
        if not self._products.placed:
            self._products.put_in()
            self._forget_functions()

    def take_out(self) -> None:
        """The task's calls round no activations."""
        if self._products.placed:
            self._products.take_out()
            self._forget_functions()

    def _forget_functions(self):
        """Those that Keras has traced with what was there before; `fit` makes its own anew."""
        self._task.test_function = self._task.predict_function = None

    def decide(self) -> None:
        """Rounds from now on, but for products with outliers: those in which a range that holds all
        numbers leaves a typical token a few steps. It does so once, and after the first step."""
        if self.is_decided or not np.array(self._steps):
            return
        self.is_decided = True
        seen = np.array(self._seen)
        is_fixed, spared = np.zeros(len(seen), "float32"), []
        for place, sides in self._rows.items():
            rows = [row for side in sides.values() for row in seen[side]]
            if max(Range(*row).noise(self._bits) for row in rows) > MOST_NOISE:
                spared += place.layers
                continue
            for side in sides.values():
                is_fixed[side] = 1
        if spared:
            logger.info("outliers: %s scale activations as they come", ", ".join(spared))
        self._is_fixed.assign(is_fixed)

    def share(self) -> None:
        """Gives all replicas the averages of the first."""
        for state in self.states:
            state.assign(np.array(state))

    def learned(self, quantization: str, fingerprint: int) -> ActivationRanges:
        """The ranges as they are, for the weights of a fingerprint."""
        seen, is_fixed = np.array(self._seen), np.array(self._is_fixed)
        products = {}
        for place, sides in self._rows.items():
            for layer, of_result in zip(place.layers, seen[sides["result"]], strict=True):
                ends = {"inputs": seen[sides["inputs"]][0], "result": of_result}
                ends = {side: (float(row[0]), float(row[1])) for side, row in ends.items()}
                products[layer] = ends if is_fixed[sides["result"]].all() else None
        return ActivationRanges(quantization, fingerprint, int(np.array(self._steps)), products)

    def load(self, ranges: ActivationRanges) -> None:
        """Takes ranges that were learned, and goes on with them."""
        seen = np.array(self._seen)
        is_fixed = np.zeros(len(seen), "float32")
        for place, sides in self._rows.items():
            found = [ranges.products.get(layer) for layer in place.layers]
            if None in found:
                continue
            rows = [found[0]["inputs"], *(ends["result"] for ends in found)]
            for side in sides.values():
                is_fixed[side] = 1
            seen[sides["inputs"].start : sides["result"].stop, :2] = rows
        self._seen.assign(seen)
        self._is_fixed.assign(is_fixed)
        self._steps.assign(float(ranges.steps))
        self.is_decided = True


def _variable(values):
    """One that no model counts among its weights, in float32 whatever is computed in."""
    return keras.Variable(values, trainable=False, dtype="float32", autocast=False)


def _ranges(x, mask, parts):
    """Of tokens without padding: float32 (parts, 3), the least, the largest, the typical size.

    Args:
        x: float32 (batch, tokens, parts * width)
        mask: bool (batch, tokens), or None for all.
    """
    x = tf.stop_gradient(x)
    shape = tf.shape(x)
    x = tf.reshape(x, (shape[0], shape[1], parts, x.shape[-1] // parts))
    mask = tf.ones(shape[:2], tf.bool) if mask is None else mask
    kept = tf.where(mask[:, :, None, None], x, 0.0)  # each range holds 0
    # The mean of logarithms, which tokens with outliers hardly move.
    sizes = tf.math.log(tf.sqrt(tf.reduce_mean(tf.square(kept), axis=-1)) + _LEAST_SIZE)
    weights = tf.cast(mask, tf.float32)[:, :, None]
    total = tf.reduce_sum(sizes * weights, axis=(0, 1))
    typical = tf.exp(tf.math.divide_no_nan(total, tf.reduce_sum(weights)))
    low, high = tf.reduce_min(kept, axis=(0, 1, 3)), tf.reduce_max(kept, axis=(0, 1, 3))
    return tf.stack([tf.minimum(low, 0.0), tf.maximum(high, 0.0), typical], axis=-1)


def _rounded(x, low, high, bits, symmetric):
    """What ai-edge-quantizer's scale and zero point make of numbers, as floats.

    Args:
        x: float32 (..., width)
        low, high: float32 (width,), around 0.
        bits, symmetric: of the whole numbers; symmetric ones have no zero point, and one less.
    """
    if symmetric:
        high = tf.maximum(-low, high)
        low = -high
    most = 2.0**bits - (2 if symmetric else 1)
    step = (high - low) / most
    step = tf.where(step > 0, step, 1.0)
    below = tf.round(-low / step)  # how many steps there are below 0
    whole = tf.clip_by_value(tf.round(x / step), -below, most - below)
    ends = -below * step, (most - below) * step
    return _straight_through(x, tf.stop_gradient(whole * step), *ends)


@tf.custom_gradient
def _straight_through(x, value, low, high):
    """`value`, whose gradient goes to `x` where that is within its range."""

    def gradient(upstream):
        within = tf.logical_and(x >= low, x <= high)
        return tf.where(within, upstream, 0.0), None, None, None

    return tf.identity(value), gradient
