"""What the tasks that judge a whole text share: RoBERTa's head on `<s>`."""

import dataclasses

import keras
import keras_hub
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face_labels import (
    classifier_dropout,
    label_entries,
    label_names,
)
from keras_roberta.checkpoints.hugging_face_names import HuggingFaceHead, classifier_weights
from keras_roberta.errors import InputError
from keras_roberta.layers import ClassificationHead
from keras_roberta.layers.gather import FIRST
from keras_roberta.models.named_weights import layer_weights
from keras_roberta.schemas import Schema
from keras_roberta.tasks.exported_head import ExportedHead
from keras_roberta.tasks.output_activation import activation_name, logits_of
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.tokenizers import byte_buffer


class RobertaSequenceTask(RobertaTask, keras_hub.models.TextClassifier):
    """Dropout, dense, tanh, dropout, dense on `<s>` (`RobertaClassificationHead`).

    The last block is computed for `<s>` alone. Subclasses say what the outputs mean: their schema,
    loss and metrics.

    Args:
        backbone: a `RobertaBackbone`.
        num_outputs: columns of the logits.
        preprocessor: a `RobertaPreprocessor`, or None to take token ids only.
        dropout: rate in the head; the backbone's by default.
        hidden_dim: width of the first dense layer; the backbone's by default.
        activation: on the logits, see `output_activation`. Answers and exports do not depend on it.
    """

    def __init__(
        self,
        backbone,
        num_outputs,
        preprocessor=None,
        dropout=None,
        *,
        hidden_dim=None,
        activation=None,
        **kwargs,
    ):
        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head = ClassificationHead(
            backbone.config,
            num_outputs,
            dropout=dropout,
            hidden_dim=hidden_dim,
            dtype=backbone.dtype_policy,
            name="classification_head",
        )

        # === Functional model ===
        self.activation = activation_name(activation)  # read by `compile`
        outputs = self.head(backbone.output_at(FIRST))  # (batch, num_outputs)
        if self.activation is not None:
            outputs = keras.activations.get(self.activation)(outputs)
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)

        # === Config ===
        self.dropout = dropout
        self.hidden_dim = hidden_dim

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout, "hidden_dim": self.hidden_dim}

    @property
    def outputs_are_logits(self):
        return self.activation not in ("softmax", "sigmoid")

    def as_logits(self, outputs):
        return logits_of(outputs, self.activation)

    # === Checkpoints ===

    @classmethod
    def check_head(cls, source, arguments, *, found, load_head):
        fields = {field.name for field in dataclasses.fields(cls.schema_cls or Schema)}
        labels = getattr(arguments.get("preprocessor"), "labels", None)
        if found or "num_classes" not in fields or arguments.get("num_classes") or labels:
            return
        if not load_head:
            raise InputError(f"{source.directory}: a new head: give num_classes or labels")
        other = f" (but {source.head_name})" if source.head_name else ""
        raise InputError(
            f"{source.directory}: holds no classification head{other}; give num_classes or labels "
            "to start one"
        )

    def head_weights_by_name(self):
        return layer_weights("dense", self.head.dense) | layer_weights("out", self.head.logits)

    def hugging_face_settings(self):
        labels = getattr(self.preprocessor, "labels", None)
        entries = label_entries(labels, self.head.num_classes)
        return {**entries, "classifier_dropout": self.dropout}

    @staticmethod
    def settings_from_hugging_face(head, config):
        return {
            "num_classes": len(head["out/bias"]),
            "dropout": classifier_dropout(config),
            "preprocessor": {"labels": label_names(config)},
        }


class SequenceHead(ExportedHead):
    """The logits of a `RobertaSequenceTask` on the inference graph; subclasses say what of them."""

    def logits(self, encoder, token_ids, padding_mask):
        """float32 (batch, num_outputs)"""
        hidden = encoder.encode(token_ids, padding_mask)  # (batch, hidden_dim)
        return encoder.dense(tf.tanh(encoder.dense(hidden, "head/dense")), "head/out")


def name_strings(schema):
    """The names of a schema's labels as strings of a graph: (num_classes,)."""
    return tf.constant([byte_buffer.encode(name) for name in schema.label_names])


def sequence_head(problem_type):
    """Transformers' head for a whole text, of one of its problem types."""
    return HuggingFaceHead(
        "RobertaForSequenceClassification",
        classifier_weights,
        ("classifier.dense.", "classifier.out_proj."),
        problem_type,
    )
