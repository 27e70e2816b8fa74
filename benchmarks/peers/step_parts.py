"""What each part of our step takes by itself, forward and backward."""

import statistics
import time

import tensorflow as tf


def part_seconds(model, batch, repeats=5):
    """Median seconds of the parts of a `RobertaPretrainer`'s step, each run by itself.

    Args:
        model: compiled, and built.
        batch: (features, targets, weights) of arrays.

    Returns:
        dict, name of the part -> seconds
    """
    features, targets, weights = tf.nest.map_structure(tf.constant, batch)
    ids, mask = features["token_ids"], features["padding_mask"]
    embeddings, encoder = model.backbone.embeddings, model.backbone.encoder
    hidden = embeddings(ids, mask)  # (batch, length, hidden_dim)
    upstream = tf.cast(tf.random.normal(tf.shape(hidden)) * 1e-3, hidden.dtype)
    bias = tf.zeros((hidden.shape[0], 1, 1, hidden.shape[1]))
    masked = features["mask_positions"]
    last = encoder.blocks[-1], encoder.blocks[-1].attention

    def loss_of_head():
        logits = {"mlm": model.heads["mlm"](tape_hidden()[:, : masked.shape[1]])}
        return model.compute_loss(features, targets, logits, weights)

    watched = tf.Variable(hidden)

    def tape_hidden():
        return watched.value()

    def through(layers, call):
        variables = [v.value for layer in layers for v in layer.trainable_variables]

        @tf.function
        def run():
            with tf.GradientTape() as tape:
                x = tape_hidden()
                for layer in layers:
                    x = call(layer, x)
                loss = tf.reduce_sum(x * upstream[:, : x.shape[1]]) if x.shape.rank else x
            return tape.gradient(loss, [watched, *variables])

        return run

    def inner(layer, x):
        positions = masked if layer in last else None
        return layer(x, bias, positions=positions, training=True)

    attention = [block.attention for block in encoder.blocks]
    head = model.heads["mlm"]
    gradients = [tf.ones(v.shape) * 1e-3 for v in model.trainable_variables]
    optimizer = model.optimizer

    @tf.function
    def optimize():
        optimizer.apply(gradients, model.trainable_variables)

    runs = {
        "embedding": through([embeddings], lambda layer, x: layer(ids, mask, training=True)),
        "attention": through(attention, inner),
        "blocks": through(encoder.blocks, inner),
        "head and loss": through([head], lambda layer, x: loss_of_head()),
        "optimizer": optimize,
    }
    seconds = {name: median_seconds(run, repeats) for name, run in runs.items()}
    seconds["feed-forward, norms, residuals"] = seconds.pop("blocks") - seconds["attention"]
    return seconds


def median_seconds(run, repeats):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
