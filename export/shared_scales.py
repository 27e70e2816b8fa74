"""Scales of quantised weights, once in a file for all signatures."""

import numpy as np


def share_scales(model):
    """Lets tensors of equal scales refer to one list of them.

    Signatures share the weights' buffers, but each has tensors of its own, and the scales are a
    part of these: 12 bytes a row, which of a vocabulary's table is half a megabyte a signature.

    Args:
        model: `schema.ModelT`, to be packed once; changed in place.
    """
    known = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            own = tensor.quantization
            if own is None or isinstance(own, _PackedOnce) or own.details is not None:
                continue  # details refer to a tensor of the subgraph
            lists = (own.scale, own.zeroPoint, own.min, own.max)
            key = [None if values is None else np.asarray(values).tobytes() for values in lists]
            key = (*key, own.quantizedDimension)
            tensor.quantization = known.setdefault(key, _PackedOnce(own))


class _PackedOnce:
    """Packs a part of a flatbuffer the first time, and then tells where it is."""

    def __init__(self, part):
        self.part, self.offset = part, None

    def Pack(self, builder):
        if self.offset is None:
            self.offset = self.part.Pack(builder)
        return self.offset
