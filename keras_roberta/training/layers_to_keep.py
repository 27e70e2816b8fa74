"""Which layers of a larger model a smaller one begins with."""


def layers_to_keep(num_layers: int, of_layers: int) -> list[int]:
    """Which layers a student begins with: evenly spaced, the first and the last among them.

    >>> layers_to_keep(3, 6), layers_to_keep(6, 12), layers_to_keep(1, 6)
    ([0, 2, 5], [0, 2, 4, 7, 9, 11], [5])
    """
    if num_layers == 1:
        return [of_layers - 1]
    return [round(n * (of_layers - 1) / (num_layers - 1)) for n in range(num_layers)]
