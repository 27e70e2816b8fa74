"""The floating-point operations that the products of a masked language model's step need."""


def step_flops(config, batch_size, length, predictions):
    """6 for each weight of a product and each token, 2 of them forward and 4 backward; the same
    for scores and weighted values of attention. What follows the keys and values of the last
    block is needed at masked positions alone.

    Args:
        config: `RobertaConfig`
        batch_size, length: rows, and tokens a row.
        predictions: masked positions a row.

    Returns:
        int
    """
    keys_and_values = 2 * config.hidden_dim**2
    rest = keys_and_values + 2 * config.hidden_dim * (config.intermediate_dim + length)
    head = config.hidden_dim**2 + config.hidden_dim * config.vocabulary_size
    row = length * (config.num_layers * keys_and_values + (config.num_layers - 1) * rest)
    row += predictions * (rest + head)
    return 6 * batch_size * row
