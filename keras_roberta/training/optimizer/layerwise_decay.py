"""Lower learning rates for lower layers."""

from keras_roberta.training.checked_number import checked_positive


def layerwise_decay(num_layers: int, decay: float) -> dict[str, float]:
    """Factors of the learning rate by layer, as `learning_rate_multipliers` of an optimizer.

    The head has the whole rate, the last block `decay` of it, each block below that `decay` of the
    one above, and the embeddings the least (Howard and Ruder, 2018, section 3.2, "discriminative
    fine-tuning", with 1 / 2.6; Clark et al., 2020, "ELECTRA", table 7, with 0.8 and 0.9).

    Layers that share weights have the rate of the first of them.

    Args:
        num_layers: of the encoder.
        decay: in (0, 1).

    Returns:
        factors by regular expressions of paths of weights

    Raises:
        InputError: decay is out of bounds.

    >>> layerwise_decay(2, 0.5)
    {'(^|/)block_0/': 0.25, '(^|/)block_1/': 0.5, '(^|/)embeddings/': 0.125}
    """
    decay = checked_positive("decay", decay, below=1)
    factors = {f"(^|/)block_{i}/": decay ** (num_layers - i) for i in range(num_layers)}
    return {**factors, "(^|/)embeddings/": decay ** (num_layers + 1)}
