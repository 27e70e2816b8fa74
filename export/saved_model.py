"""A task as a SavedModel, for TF Serving or any program that has TensorFlow."""

import json
import pathlib
import shutil

import tensorflow as tf

from keras_roberta.atomic_write import atomic_directory
from keras_roberta.errors import InputError
from keras_roberta.export import metadata
from keras_roberta.export.edge_graph import EdgeGraph
from keras_roberta.export.runtime import SavedModelRunner
from keras_roberta.export.verify import verify


def to_saved_model(task, directory, overwrite=False):
    """Writes a task as a SavedModel of plain TensorFlow operations: nobody needs Keras to run it.

    The signature `serving_default` takes `token_ids` and `padding_mask`, int32 (batch, length) of
    any two sizes, and gives the outputs of `EdgeGraph`. The assets `labels.txt` (a label a line)
    and `keras_roberta.json` (see `read_metadata`) lie beside it. Before the directory appears the
    model is loaded and compared with the task.

    Args:
        task: a `RobertaTextClassifier`.
        directory: where to write; for TF Serving a version, such as `models/sentiment/1`.
        overwrite: replace the directory if there is one.

    Returns:
        `directory`

    Raises:
        InputError: the directory exists, or the task is not supported.
        ExportMismatch: the model computes something else than the task. Nothing is written.
    """
    directory = pathlib.Path(directory)
    if directory.exists() and not overwrite:
        raise InputError(
            f"{directory}: exists; choose a new version directory or give overwrite=True"
        )
    if directory.is_dir() and any(directory.iterdir()):
        if not (directory / "saved_model.pb").is_file():
            raise InputError(f"{directory}: is something else than a SavedModel; remove it first")
    module = ServingModule(task)
    with atomic_directory(directory) as temporary:
        module.save(temporary, metadata.describe(task, "none", sequence_lengths=None))
        verify(task, SavedModelRunner(temporary), "none")
        if directory.is_dir():
            shutil.rmtree(directory)  # only now, when its successor is known to be right
        elif directory.exists():
            directory.unlink()
    return directory


class ServingModule(tf.Module):
    """The graph with its signature and its assets."""

    def __init__(self, task):
        super().__init__(name="serving")
        self.graph = EdgeGraph(task)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32, "token_ids"),
            tf.TensorSpec((None, None), tf.int32, "padding_mask"),
        ]
    )
    def serve(self, token_ids, padding_mask):
        # A client may put padding anywhere, so positions count the tokens.
        positions = tf.maximum(tf.cumsum(padding_mask, axis=1) - 1, 0)
        return self.graph(token_ids, padding_mask, positions)

    def save(self, directory, values):
        """Writes the SavedModel.

        Args:
            directory: a path; it may exist.
            values: the metadata, from `metadata.describe`.
        """
        assets = {
            "labels.txt": "".join(f"{label}\n" for label in values["labels"]),
            f"{metadata.NAME}.json": json.dumps(values, indent=2),
        }
        source = directory / "source"
        source.mkdir()
        for name, content in assets.items():
            (source / name).write_text(content, encoding="utf-8")
        self.assets = [tf.saved_model.Asset(str(source / name)) for name in assets]
        tf.saved_model.save(self, str(directory), signatures={"serving_default": self.serve})
        shutil.rmtree(source)  # saving copied them to `assets`
