"""Inputs that a model is called without are made from its token ids."""

import keras
from keras import ops

from keras_roberta.errors import InputError

_ONE_A_TOKEN = ("padding_mask", "token_type_ids", "segment_ids")


class TokenInputs:
    """Mixed into a functional model with a `pad_token_id`, before it in the bases.

    It may then be called, trained and evaluated on token ids alone, or on a dict that lacks some of
    its inputs.
    """

    def __call__(self, inputs, *args, **kwargs):
        inputs = completed(inputs, self.input, pad_token_id=self.pad_token_id)
        return super().__call__(inputs, *args, **kwargs)


def completed(inputs, expected, *, pad_token_id: int):
    """The inputs of a model, all there.

    Args:
        inputs: int (batch, length), token ids; or a dict of inputs with `token_ids`. Where several
            rows make an example, (batch, rows, length).
        expected: dict of the model's inputs by name.
        pad_token_id: tokens with this id are padding, where there is no `padding_mask`.

    Returns:
        dict with those that were missing: `padding_mask` by the padding's id, every position as
        `mask_positions`, zeros for others.

    Raises:
        InputError: there are no token ids, or another input has not one value for each of them.
    """
    if not isinstance(inputs, dict):
        inputs = {"token_ids": inputs}
    missing = [name for name in expected if inputs.get(name) is None]
    _check_shapes(inputs)
    if not missing:
        return inputs
    if "token_ids" in missing:
        raise InputError(
            f"token_ids are missing: the model takes {', '.join(expected)}; got "
            f"{', '.join(inputs) or 'nothing'}"
        )
    given = [name for name in expected if name not in missing]
    inputs = {name: _as_tensor(inputs[name]) for name in given}
    token_ids = inputs["token_ids"]
    if len(token_ids.shape) != len(expected["token_ids"].shape):
        shape = (
            "(batch, length)"
            if len(expected["token_ids"].shape) == 2
            else ("(batch, rows, length)")
        )
        raise InputError(f"token_ids must be of the shape {shape}; got {tuple(token_ids.shape)}")
    zeros = ops.zeros_like(token_ids)
    made = {"padding_mask": ops.cast(token_ids != pad_token_id, "int32")}
    if "mask_positions" in missing:
        made["mask_positions"] = zeros + ops.arange(ops.shape(token_ids)[1], dtype="int32")
    return {**inputs, **{name: made.get(name, zeros) for name in missing}}


def _check_shapes(inputs):
    """Of inputs that have one value a token; axes that are not known yet count as equal."""
    shape = getattr(inputs.get("token_ids"), "shape", None)
    for name in _ONE_A_TOKEN:
        other = getattr(inputs.get(name), "shape", None)
        if shape is None or other is None:
            continue
        pairs = zip(shape, other, strict=False)
        if len(shape) != len(other) or any(a != b for a, b in pairs if None not in (a, b)):
            raise InputError(
                f"{name} has the shape {tuple(other)}, and token_ids {tuple(shape)}; give one "
                "value for each token"
            )


def _as_tensor(x):
    return x if isinstance(x, keras.KerasTensor) else ops.convert_to_tensor(x, "int32")
