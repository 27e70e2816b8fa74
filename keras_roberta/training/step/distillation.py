"""A loss transform by which a task learns what another one answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.training.layers_to_keep import layers_to_keep
from keras_roberta.training.step.batch import BatchLoss, LossFunction


class Distillation:
    """Draws a task's outputs to those of a teacher (Hinton et al., 2015).

    The loss becomes

        label_weight * loss + logit_weight * mean (student - teacher)^2 of the outputs
                            + hidden_weight * mean (student - teacher)^2 of the hidden states

    The squared difference of logits is the limit of Hinton's loss at high temperatures (section
    2.1), has no temperature to choose, and trains students at least as well (Kim et al., 2021,
    "Comparing Kullback-Leibler Divergence and Mean Squared Error Loss in Knowledge Distillation").
    It is the same for logits, numbers and vectors, and so for every fine-tuned task. Tokens of
    padding do not count. Differences of unit vectors are small: for an embedder make `logit_weight`
    a hundred.

    Args:
        teacher: a task of the same kind, with outputs of the same shape. It is not trained.
        label_weight: of the task's own loss. 0 learns from the teacher alone; `fit` then still
            wants labels, whatever they say.
        logit_weight: of the outputs.
        hidden_weight: of the output of each layer beside that of the teacher's layer which it
            stands for, see `layers_to_keep`. It runs both encoders a second time.

    Raises:
        InputError: a weight is negative or all are 0; in the first step, where outputs or hidden
            states cannot be compared.
    """

    def __init__(
        self,
        teacher: keras.Model,
        *,
        label_weight: float = 0.5,
        logit_weight: float = 1.0,
        hidden_weight: float = 0.0,
    ):
        weights = {
            "label_weight": label_weight,
            "logit_weight": logit_weight,
            "hidden_weight": hidden_weight,
        }
        for name, weight in weights.items():
            if not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
                raise OptionError(name, f": expected a number that is not negative; got {weight!r}")
        if not logit_weight and not hidden_weight:
            raise OptionError(
                ("logit_weight", "hidden_weight"), "are both 0: nothing is learnt of the teacher"
            )
        self.teacher = teacher
        self.label_weight, self.logit_weight = label_weight, logit_weight
        self.hidden_weight = hidden_weight
        self.variables = teacher.variables

    def __call__(self, loss_fn: LossFunction) -> LossFunction:
        def with_teacher(model, batch) -> BatchLoss:
            result = loss_fn(model, batch)
            loss = self.label_weight * result.loss
            taught = []
            if self.logit_weight:
                taught.append(self.logit_weight * self._of_outputs(model, batch, result.outputs))
            if self.hidden_weight:
                taught.append(self.hidden_weight * self._of_hidden_states(model, batch))
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            return result._replace(loss=loss + tf.add_n(taught) / replicas)

        return with_teacher

    def _of_outputs(self, model, batch, outputs):
        wanted = self.teacher(batch.x, training=False)
        if isinstance(outputs, Mapping):
            raise InputError(
                "Distillation: takes tasks with one output, and not those of several objectives"
            )
        if outputs.shape[-1] != wanted.shape[-1] or len(outputs.shape) != len(wanted.shape):
            raise InputError(
                f"Distillation: the student's outputs are {outputs.shape}, the teacher's "
                f"{wanted.shape}; a student answers the same questions"
            )
        return _mean_square(outputs, wanted, _counted(model, batch))

    def _of_hidden_states(self, model, batch):
        student, teacher = model.backbone, self.teacher.backbone
        if student.config.hidden_dim != teacher.config.hidden_dim:
            raise InputError(
                f"hidden_weight: the student's hidden states have {student.config.hidden_dim} "
                f"numbers, the teacher's {teacher.config.hidden_dim}; give hidden_weight=0"
            )
        inputs = _inputs(model, batch.x)
        rows = {  # of several rows an example, each by itself
            name: tf.reshape(inputs[name], [-1, tf.shape(inputs[name])[-1]])
            for name in student.input
            if name in inputs
        }
        ours, theirs = student.hidden_states(rows)[1:], teacher.hidden_states(rows)[1:]
        squares = [
            _mean_square(state, theirs[layer], rows["padding_mask"])
            for state, layer in zip(ours, layers_to_keep(len(ours), len(theirs)), strict=True)
        ]
        return tf.add_n(squares) / len(squares)


def _inputs(model: Any, x: Any) -> Mapping[str, Any]:
    """The inputs of a task by name, with the mask that its token ids stand for."""
    inputs = x if isinstance(x, Mapping) else {"token_ids": x}
    if "padding_mask" in inputs:
        return inputs
    is_token = tf.not_equal(inputs["token_ids"], model.pad_token_id)
    return {**inputs, "padding_mask": tf.cast(is_token, "int32")}


def _counted(model: Any, batch: Any):
    """What counts of the outputs: the tokens that are no padding, or the masks of a row that are
    there; None for all."""
    inputs = _inputs(model, batch.x)
    if getattr(model, "outputs_per_token", False):
        return inputs["padding_mask"]
    return batch.sample_weight if "mask_positions" in inputs else None


def _mean_square(ours, theirs, counted):
    """Mean of the squared differences, float32, over the places that count.

    Args:
        ours, theirs: (rows, ..., size).
        counted: numbers of the first axes; or None for all.
    """
    squares = tf.square(tf.cast(ours, "float32") - tf.stop_gradient(tf.cast(theirs, "float32")))
    if counted is None:
        return tf.reduce_mean(squares)
    weights = tf.cast(counted, "float32")
    of_places = tf.reduce_mean(tf.reshape(squares, [*_shape(weights), -1]), axis=-1)
    return tf.math.divide_no_nan(tf.reduce_sum(of_places * weights), tf.reduce_sum(weights))


def _shape(tensor):
    return tf.unstack(tf.shape(tensor))
