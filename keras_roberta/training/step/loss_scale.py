"""Removes the loss scale from gradients, for transforms that need their true size.

In float16 the loss is multiplied by a large power of two before the backward pass, and
`keras.optimizers.LossScaleOptimizer` divides the gradients by it. A transform that clips gradients
or adds noise is applied between `unscaled` and `scaled`. Division by a power of two is exact.
"""

from keras_roberta.training.step.batch import GradientFunction, map_gradients


def unscaled(gradient_fn: GradientFunction) -> GradientFunction:
    """A gradient transform that divides the gradients by the optimizer's loss scale."""

    def gradients(model, batch):
        # Read first: the gradients are computed with this scale.
        scale = model.optimizer.scale_loss(1.0)
        result = gradient_fn(model, batch)
        return result if _is_one(scale) else map_gradients(lambda g: g / scale, result)

    return gradients


def scaled(gradient_fn: GradientFunction) -> GradientFunction:
    """A gradient transform that multiplies the gradients by the optimizer's loss scale."""

    def gradients(model, batch):
        scale = model.optimizer.scale_loss(1.0)
        result = gradient_fn(model, batch)
        return result if _is_one(scale) else map_gradients(lambda g: g * scale, result)

    return gradients


def _is_one(scale):
    return isinstance(scale, float) and scale == 1.0
