"""Classification with any number of labels a text."""

import keras
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.layers.output_distributions import Bernoulli
from keras_roberta.schemas import ManyLabels
from keras_roberta.tasks.class_losses import is_cross_entropy
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.output_activation import activation_name
from keras_roberta.tasks.sequence_task import (
    RobertaSequenceTask,
    SequenceHead,
    name_strings,
    sequence_head,
)


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaMultiLabelClassifier(RobertaSequenceTask):
    """RoBERTa with one independent yes or no for each class, on `<s>`.

    Args:
        backbone: a `RobertaBackbone`.
        num_classes: number of logits, at least 1.
        preprocessor: a `RobertaPreprocessor`, or None to take token ids only.
        dropout: rate in the head; the backbone's by default.
        thresholds: probability from which a label is given, one for all or one a class.
        activation: on the logits, such as "sigmoid" for probabilities; none by default. `answers`
            and exported files give the same with it and without.
        hidden_dim: width of the head's first layer; the backbone's by default.

    Returns:
        float32 logits (batch, num_classes), whose sigmoid is the probability; or what `activation`
        makes of them

    Example:
    ```python
    task = kr.RobertaMultiLabelClassifier.from_preset("roberta-base/", labels=["fun", "sad"])
    task.fit(["a gem", "a mess", "so so"], [["fun"], ["fun", "sad"], []])
    task.answers(["a gob of drivel"])  # [{"labels": […], "scores": […]}]
    ```
    """

    schema_cls = ManyLabels
    hugging_face = sequence_head("multi_label_classification")

    def __init__(
        self,
        backbone,
        num_classes=None,
        preprocessor=None,
        dropout=None,
        thresholds=0.5,
        activation=None,
        hidden_dim=None,
        **kwargs,
    ):
        check_numbers(num_classes=num_classes)
        labels = getattr(preprocessor, "labels", None)
        num_classes = num_classes or len(labels or ())
        if num_classes < 1:
            raise InputError(f"num_classes must be at least 1; got {num_classes}")
        schema = ManyLabels(num_classes, labels, thresholds)
        if activation_name(activation) not in (None, "sigmoid"):
            raise InputError(
                f"activation must be None or sigmoid, since labels do not exclude one another; got "
                f"{activation!r}"
            )
        super().__init__(
            backbone,
            num_classes,
            preprocessor,
            dropout,
            activation=activation,
            hidden_dim=hidden_dim,
            **kwargs,
        )
        self.num_classes = num_classes
        self.thresholds = schema.thresholds

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "thresholds": list(self.thresholds),
            "activation": self.activation,
        }

    @property
    def schema(self):
        labels = getattr(self.preprocessor, "labels", None)
        return ManyLabels(self.num_classes, labels, self.thresholds)

    def default_loss(self):
        return keras.losses.BinaryCrossentropy(from_logits=self.outputs_are_logits)

    @property
    def output_distribution(self):
        return Bernoulli(from_logits=self.outputs_are_logits)

    def default_metrics(self):
        threshold = 0.0 if self.outputs_are_logits else 0.5
        return [MarksAccuracy(name="accuracy", threshold=threshold)]

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """As `RobertaTask.compile`.

        Keras's "accuracy" counts each yes and no, by what the outputs are.
        """
        if isinstance(metrics, (list, tuple)):
            metrics = [self._metric(metric) for metric in metrics]
        loss = "auto" if is_cross_entropy(loss) else loss
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def _metric(self, metric):
        is_accuracy = isinstance(metric, str) and metric in ("acc", "accuracy", "binary_accuracy")
        return self.default_metrics()[0] if is_accuracy else metric

    def exported_head(self):
        return ManyLabelsHead(self.schema)

    # === Checkpoints ===

    def hugging_face_settings(self):
        # Transformers has no such entry and keeps it.
        return {**super().hugging_face_settings(), "thresholds": list(self.thresholds)}

    @staticmethod
    def settings_from_hugging_face(head, config):
        settings = RobertaSequenceTask.settings_from_hugging_face(head, config)
        if config.get("thresholds") is not None:
            settings["thresholds"] = config["thresholds"]
        return settings


@keras.saving.register_keras_serializable(package="keras_roberta")
class MarksAccuracy(keras.metrics.BinaryAccuracy):
    """The share of decisions, text by text and class by class, that are right.

    A target that is a probability is a yes from 0.5 on, as in `ManyLabels.scores`; Keras's own
    metric would count it as wrong whatever is answered.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        is_true = keras.ops.cast(y_true, "float32") >= 0.5
        return super().update_state(keras.ops.cast(is_true, "float32"), y_pred, sample_weight)


class ManyLabelsHead(SequenceHead):
    """`logits` and `probabilities` float32 (batch, num_classes), and `labels` int32 like them, 1
    where a probability reaches the class's threshold."""

    def __call__(self, encoder, token_ids, padding_mask):
        logits = self.logits(encoder, token_ids, padding_mask)
        probabilities = tf.sigmoid(logits)
        given = probabilities >= tf.constant(self.schema.thresholds, tf.float32)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "labels": tf.cast(given, tf.int32),
        }

    def as_names(self, outputs):
        """`label_names` (batch, num_classes), each where it is given, "" elsewhere"""
        return {"label_names": tf.where(outputs["labels"] > 0, name_strings(self.schema), "")}
