"""Gradients of a batch that does not fit the device at once: gradient accumulation."""

import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.step.batch import Batch, GradientTransform


def accumulated(parts: int) -> GradientTransform:
    """A gradient transform: the mean over parts of a batch, with one part in memory at a time.

    For a loss that is a mean over the rows of a batch, or over its sample weights
    (`reduction="mean_with_sample_weight"`), the result is the gradient of the whole batch: each
    part counts by its rows, or by its sample weights. Of a loss with `reduction="sum"` it is
    the plain mean over the parts.

    Args:
        parts: how many; a batch of fewer rows is cut into single rows. Rows stay in order: part 0
            has the first ones. Where rows do not divide, parts differ by one row.
    """

    def transform(gradient_fn):
        def of_whole(model, batch):
            if _divides(batch, parts):
                part_of, count = _equal_parts(batch, parts), parts
            else:
                count = tf.minimum(parts, batch.rows)
                part_of = _unequal_parts(batch, count)
            weight = _part_weight(model, batch, part_of, equal=isinstance(count, int))

            def gradients_of_part(i):
                return [
                    None if g is None else scale(tf.convert_to_tensor(g), i)
                    for g in gradient_fn(model, part_of(i))
                ]

            def scale(gradient, i):
                return gradient if weight is None else gradient * tf.cast(weight(i), gradient.dtype)

            sums = _sum_over_parts(gradients_of_part, count)
            if weight is not None:
                return sums
            return [None if g is None else g / tf.cast(count, g.dtype) for g in sums]

        return of_whole

    return transform


def _divides(batch, parts):
    """Whether every tensor of the batch is known to have a multiple of `parts` rows."""
    sizes = [tensor.shape[0] for tensor in tf.nest.flatten(batch) if tensor is not None]
    return all(size is not None and size % parts == 0 for size in sizes)


def _equal_parts(batch, parts):
    """A function of a part's number, giving tensors of shapes that are known."""
    cut = tf.nest.map_structure(
        lambda t: None if t is None else tf.reshape(t, [parts, -1, *_sizes(t)[1:]]), batch
    )
    return lambda i: tf.nest.map_structure(lambda t: None if t is None else t[i], cut)


def _sizes(tensor):
    """The sizes of a tensor's axes; -1 or a scalar tensor where they are not known."""
    dynamic = tf.shape(tensor)
    return [dynamic[i] if size is None else size for i, size in enumerate(tensor.shape)]


def _unequal_parts(batch, count):
    def part_of(i):
        def rows(tensor):
            if tensor is None:
                return None
            size = tf.shape(tensor)[0]
            return tensor[size * i // count : size * (i + 1) // count]

        return tf.nest.map_structure(rows, batch)

    return part_of


def _part_weight(model, batch, part_of, equal):
    """A function of a part's number, giving its share of the loss; None where all are equal."""
    by_samples = _reductions(model) == {"mean_with_sample_weight"}
    weights = [w for w in tf.nest.flatten(batch.sample_weight) if w is not None]
    by_samples = by_samples and bool(weights)
    if by_samples and len(weights) > 1:
        raise InputError(
            "gradient_accumulation_steps: means over the sample weights of several outputs do not "
            'add up over parts; give the losses reduction="sum_over_batch_size"'
        )
    if _reductions(model) == {"sum"} or (equal and not by_samples):
        return None

    def total(part: Batch):
        if not by_samples:
            return tf.cast(part.rows, tf.float32)
        (weight,) = [w for w in tf.nest.flatten(part.sample_weight) if w is not None]
        return tf.cast(tf.reduce_sum(weight), tf.float32)

    whole = total(batch)
    return lambda i: tf.math.divide_no_nan(total(part_of(i)), whole)


def _reductions(model):
    """How the model's losses are reduced."""
    return {getattr(loss, "reduction", None) for loss in tf.nest.flatten(model.loss)}


def _sum_over_parts(gradients_of_part, count):
    first = gradients_of_part(0)
    given = [i for i, gradient in enumerate(first) if gradient is not None]

    def add(i, sums):
        more = gradients_of_part(i)
        return i + 1, [total + more[k] for total, k in zip(sums, given, strict=True)]

    start = 1, [first[k] for k in given]
    _, sums = tf.while_loop(lambda i, _: i < count, add, start, maximum_iterations=count)
    sums = dict(zip(given, sums, strict=True))
    return [sums.get(i) for i in range(len(first))]
