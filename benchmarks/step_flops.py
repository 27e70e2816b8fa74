"""The floating-point operations that the products of a masked language model's step need."""


def step_flops(config, batch_size, length, predictions):
    """6 for each weight of a product and each token, 2 of them forward and 4 backward; the same
    for scores and weighted values of attention; the head at masked positions alone.

    Args:
        config: `RobertaConfig`
        batch_size, length: rows, and tokens a row.
        predictions: masked positions a row.

    Returns:
        int
    """
    block = 4 * config.hidden_dim**2 + 2 * config.hidden_dim * config.intermediate_dim
    attention = 2 * length * config.hidden_dim
    head = config.hidden_dim**2 + config.hidden_dim * config.vocabulary_size
    row = length * config.num_layers * (block + attention) + predictions * head
    return 6 * batch_size * row
