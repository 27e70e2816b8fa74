"""The matrix products of an encoder's blocks, and a function on what goes in and comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

_FUSED = "attention/query_key_value"
_PARTS = ("attention/query", "attention/key", "attention/value")


class Place(NamedTuple):
    """A product of a block.

    Attributes:
        block: the block's number.
        name: such as "attention/output".
    """

    block: int
    name: str

    @property
    def layers(self) -> list[str]:
        """What exported graphs call it: several products where results lie side by side here."""
        names = _PARTS if self.name == _FUSED else (self.name,)
        return [f"encoder/block_{self.block}/{name}" for name in names]


class WatchedProducts:
    """Changes what goes into the products of an encoder's blocks, and what comes out.

    Keras looks a layer's `call` up in the layer itself before its class, so a function that is set
    there takes its place for as long as it is there. A subclass of `Dense` would have to be there
    before the weights are, and `quantize` refuses it. Blocks may share a `Dense`: which of them
    runs is known from the block.

    Args:
        encoder: `RobertaEncoder`, without `remat`: that computes blocks in functions whose tensors
            cannot be had outside.
        function: of a `Place`, "inputs" or "result", a tensor (batch, tokens, width) and a mask of
            its tokens, bool (batch, tokens) or None for all; gives the tensor in its place.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        function: Callable[[Place, str, tf.Tensor, tf.Tensor | None], tf.Tensor],
    ):
        self._encoder, self._function = encoder, function
        self._running = threading.local()  # replicas run in threads
        self.placed = False

    @property
    def places(self) -> list[Place]:
        """All products in the order in which they are computed."""
        return [
            Place(number, name)
            for number, block in enumerate(self._encoder.blocks)
            for name in _dense_layers(block)
        ]

    def put_in(self) -> None:
        """From now on, until `take_out`, the function is called."""
        for number, block in enumerate(self._encoder.blocks):
            block.call = self._around_block(number, block.call)
            for name, dense in _dense_layers(block).items():
                if "call" not in vars(dense):  # that of another block has it
                    dense.call = self._around_product(name, dense.call)
        self.placed = True

    def take_out(self) -> None:
        """The layers are as they were."""
        for block in self._encoder.blocks:
            for layer in (block, *_dense_layers(block).values()):
                vars(layer).pop("call", None)
        self.placed = False

    def _around_block(self, number, call):
        def watched(x, bias, positions=None, training=False):
            # No token may see one of padding.
            mask = tf.reduce_max(bias[:, 0], axis=1) > -1.0  # (batch, tokens)
            self._running.block = number, mask, positions is None
            try:
                return call(x, bias, positions=positions, training=training)
            finally:
                self._running.block = None

        return watched

    def _around_product(self, name, call):
        def watched(inputs, training=None):
            block = getattr(self._running, "block", None)
            if block is None:  # by itself, as to show the weights of the attention
                return call(inputs, training=training)
            number, mask, of_all = block
            place = Place(number, name)
            # Behind the attention the last block may go on with a few tokens, which are real ones.
            mask = mask if of_all or name == _FUSED else None
            inputs = self._function(place, "inputs", inputs, mask)
            return self._function(place, "result", call(inputs, training=training), mask)

        return watched


def _dense_layers(block):
    return {
        _FUSED: block.attention.query_key_value,
        "attention/output": block.attention.output_dense,
        "intermediate": block.intermediate_dense,
        "output": block.output_dense,
    }
