"""Notes in a `.tflite` what was measured of it."""

import json
import pathlib

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.export.metadata import NAME, read_metadata
from keras_roberta.export.packed_model import packed
from keras_roberta.export.shared_scales import share_scales
from keras_roberta.files.atomic_write import atomic_file


def note_scores(path, data, rows, scores):
    """Adds to the metadata of a file on what data it has which scores.

    Args:
        path: a `.tflite` file of this package; it is replaced.
        data: what the data are called.
        rows: how many texts.
        scores: by name, as the schema gives them.

    Raises:
        InputError: the file is not such a model.
    """
    path = pathlib.Path(path).expanduser()
    read_metadata(path)  # or an error that says what is wrong with it
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    number = next(entry.buffer for entry in model.metadata if entry.name == NAME.encode())
    values = json.loads(bytes(model.buffers[number].data))
    values["measured"] = {"data": data, "rows": rows, "scores": dict(scores)}
    model.buffers[number].data = np.frombuffer(json.dumps(values).encode(), np.uint8)
    share_scales(model)
    with atomic_file(path) as temporary:
        temporary.write_bytes(packed(model))
