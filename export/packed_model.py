"""A TFLite model as the bytes of a file."""

import flatbuffers

# From the schema's file_identifier; it stands at byte 4.
TFLITE_IDENTIFIER = b"TFL3"
# The schema's force_align of buffers, which flatbuffers' Python does not read: a file that is
# mapped into memory is computed with where it lies.
ALIGNMENT = 16


def packed(model):
    """The content of a `.tflite` file.

    Args:
        model: `schema.ModelT`

    Returns:
        bytes, in which the data of each buffer begins at a multiple of 16.
    """
    builder = _Aligned(1024)
    builder.Finish(model.Pack(builder), file_identifier=TFLITE_IDENTIFIER)
    return bytes(builder.Output())


class _Aligned(flatbuffers.Builder):
    """Aligns vectors of bytes, which weights are."""

    def StartVector(self, elemSize, numElems, alignment):
        if elemSize == 1 and numElems >= ALIGNMENT:
            alignment = ALIGNMENT
        return super().StartVector(elemSize, numElems, alignment)
