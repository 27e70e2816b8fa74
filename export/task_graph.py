"""A task's whole inference graph: the encoder, and on it the head that the task brings."""

import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.export.edge_graph import EdgeGraph, layer
from keras_roberta.options import OptionError


class TaskGraph(tf.Module):
    """The forward pass of a task, as exported files compute it.

    Args:
        task: any task of the library that has an `exported_head`.
        head_options: what its `exported_head` takes.
        make_encoder: function of the task that gives its `EdgeGraph`.

    Attributes:
        encoder: `EdgeGraph`
        head: `ExportedHead`

    Raises:
        InputError: the task cannot be exported, has not such options, or Keras has quantized it.
    """

    def __init__(self, task, head_options=None, make_encoder=EdgeGraph):
        super().__init__(name="task_graph")
        self.head = make_head(task, head_options or {})
        self.encoder = make_encoder(task)

    def __call__(self, token_ids, padding_mask):
        """The task's outputs by name, each (batch, ...); for the arguments see
        `EdgeGraph.encode`."""
        with layer("head"):
            return self.head(self.encoder, token_ids, padding_mask)


def make_head(task, head_options):
    """The task's `ExportedHead`.

    Raises:
        InputError: see `TaskGraph`.
    """
    if not hasattr(task, "exported_head"):
        raise InputError(f"a {type(task).__name__} cannot be exported; export a task")
    known = task.export_options
    for name in head_options:
        if name not in known:
            names = f"; it has {', '.join(known)}" if known else ""
            raise OptionError(name, f": a {type(task).__name__} has no such option{names}")
    return task.exported_head(**head_options)
