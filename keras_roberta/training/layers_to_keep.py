"""Which layers of a larger model a smaller one begins with."""


def layers_to_keep(num_layers: int, of_layers: int, sharing_groups: int = 1) -> list[int]:
    """Which layers a student begins with: evenly spaced, the first and the last among them.

    Where layers share weights in groups, each layer of the student is one of the same group, if the
    student has layers for all groups. With fewer, no two of its layers share.

    >>> layers_to_keep(3, 6), layers_to_keep(6, 12), layers_to_keep(1, 6)
    ([0, 2, 5], [0, 2, 4, 7, 9, 11], [5])
    >>> layers_to_keep(6, 12, sharing_groups=4)  # of three layers each; the student's of 2, 1, 2, 1
    [0, 2, 4, 7, 8, 11]
    """
    if num_layers == 1:
        return [of_layers - 1]
    kept = [round(n * (of_layers - 1) / (num_layers - 1)) for n in range(num_layers)]
    if num_layers < sharing_groups:
        return kept
    for n, layer in enumerate(kept):
        group = n * sharing_groups // num_layers
        first, behind = (-(-g * of_layers // sharing_groups) for g in (group, group + 1))
        kept[n] = min(max(layer, first), behind - 1)
    return kept
