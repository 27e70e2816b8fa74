"""Sentence and sentence-pair classification: one label a text."""

import keras
import tensorflow as tf

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.layers.output_distributions import Categorical
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.schemas import OneLabel
from keras_roberta.tasks.class_losses import (
    class_targets,
    is_cross_entropy,
    takes_class_numbers,
)
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.registry import task_class_of
from keras_roberta.tasks.sequence_task import (
    RobertaSequenceTask,
    SequenceHead,
    name_strings,
    sequence_head,
)
from keras_roberta.tasks.text_regressor import RobertaTextRegressor

_TEMPERATURE = "calibration_temperature"  # in config.json of a Hugging Face checkpoint


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTextClassifier(RobertaSequenceTask):
    """RoBERTa with a classification head on `<s>`.

    `fit`, `evaluate` and `predict` take raw strings: a list or array of them, a pair of lists for
    sentence pairs, or a `tf.data.Dataset` of `(strings, labels)`. Features that are tokenised
    already (`token_ids`, `padding_mask`) pass through.

    `from_preset` opens a checkpoint with the head of another text task as that task: a regression
    as a `RobertaTextRegressor`. So does `num_classes=1`, as in Transformers.

    Args:
        backbone: a `RobertaBackbone`.
        num_classes: number of logits, at least 2; by default that of the preprocessor's labels.
        preprocessor: a `RobertaPreprocessor`, or None to take token ids only.
        dropout: rate in the head; the backbone's by default.
        activation: on the logits, such as "softmax" for probabilities; none by default. `answers`
            and exported files give the same with it and without.
        hidden_dim: width of the head's first layer; the backbone's by default.
        temperature: what logits are divided by where they become probabilities: in `answers` and
            exported files, not in `predict`. `calibrate` finds it.

    Returns:
        float32 logits (batch, num_classes), or what `activation` makes of them

    Example:
    ```python
    task = kr.RobertaTextClassifier.from_preset("roberta-base/", num_classes=2)
    task.fit(["a gem", "a mess"], [1, 0])
    task.predict(["a gob of drivel"])  # logits
    task.answers(["a gob of drivel"])  # [{"label": "0", "score": …}]
    ```
    """

    # Of the tasks for texts this is the one that `keras_hub.models.TextClassifier` opens.
    backbone_cls = RobertaBackbone
    schema_cls = OneLabel
    hugging_face = sequence_head("single_label_classification")

    def __new__(cls, backbone=None, num_classes=None, *args, **kwargs):
        if num_classes == 1 and cls is RobertaTextClassifier:
            return RobertaTextRegressor(backbone, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self,
        backbone,
        num_classes=None,
        preprocessor=None,
        dropout=None,
        activation=None,
        hidden_dim=None,
        temperature=1.0,
        **kwargs,
    ):
        labels = getattr(preprocessor, "labels", None)
        num_classes = len(labels or ()) if num_classes is None else num_classes
        check_numbers(num_classes=num_classes)
        if num_classes < 2:
            raise InputError(
                f"num_classes must be at least 2; got {num_classes}; RobertaTextRegressor has one"
            )
        self.temperature = OneLabel(num_classes, labels, temperature).temperature  # checks all
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

    def get_config(self):
        config = {
            **super().get_config(),
            "num_classes": self.num_classes,
            "activation": self.activation,
        }
        if self.temperature != 1:
            config["temperature"] = self.temperature
        return config

    @property
    def schema(self):
        labels = getattr(self.preprocessor, "labels", None)
        return OneLabel(self.num_classes, labels, self.temperature)

    def default_loss(self, label_smoothing=0.0):
        """The cross-entropy.

        Args:
            label_smoothing: the share of each target that is spread evenly over all classes
                (Szegedy et al., 2016, section 7).
        """
        if label_smoothing:
            return keras.losses.CategoricalCrossentropy(
                from_logits=self.outputs_are_logits, label_smoothing=label_smoothing
            )
        return keras.losses.SparseCategoricalCrossentropy(from_logits=self.outputs_are_logits)

    @property
    def output_distribution(self):
        return Categorical(from_logits=self.outputs_are_logits)

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """As `RobertaTask.compile`.

        Labels are taken as the loss takes them: class numbers, or one probability a class.
        """
        if isinstance(metrics, str) and metrics == "auto" and takes_class_numbers(loss) is False:
            metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")]
        loss = "auto" if is_cross_entropy(loss) else loss
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def check_targets(self, y):
        return class_targets(self.loss, super().check_targets(y), self.num_classes)

    def calibrate(self, x, y=None, batch_size=None):
        """Sets the `temperature` that makes probabilities fit labels (Guo et al., 2017).

        Answers stay the same, their scores change. Give texts that the task has not learnt from.

        Args:
            x, y: texts and labels, as for `evaluate`, in memory.

        Returns:
            dict of `temperature`, `calibration_error` and `calibration_error_before`, the expected
            calibration errors on these texts with it and with a temperature of 1

        Raises:
            InputError: there are no labels, or one does not fit.
        """
        if y is None:
            x, y, _ = self.labels_apart(x)
        if y is None:
            raise InputError("calibrate: give the labels as y, or as (texts, labels)")
        self.temperature = 1.0
        targets = self.schema.targets(y)
        before = self.named_outputs(x, batch_size)
        schema = self.schema.calibrated(before, targets)
        after = schema.outputs(before["logits"])
        self.temperature = schema.temperature
        return {
            "temperature": schema.temperature,
            "calibration_error_before": schema.details(before, targets).reliability.error,
            "calibration_error": schema.details(after, targets).reliability.error,
        }

    def exported_head(self):
        return LabelHead(self.schema)

    # === Checkpoints ===

    def hugging_face_settings(self):
        settings = super().hugging_face_settings()
        if self.temperature != 1:  # Transformers, which has no such thing, passes over it
            settings[_TEMPERATURE] = self.temperature
        return settings

    @staticmethod
    def settings_from_hugging_face(head, config):
        settings = RobertaSequenceTask.settings_from_hugging_face(head, config)
        if config.get(_TEMPERATURE) is not None:
            settings["temperature"] = config[_TEMPERATURE]
        return settings

    @classmethod
    def from_preset(cls, preset, load_weights=True, *, load_head=True, **kwargs):
        if kwargs.get("num_classes") == 1:
            del kwargs["num_classes"]
            return RobertaTextRegressor.from_preset(preset, load_weights, load_head=False, **kwargs)
        if cls is RobertaTextClassifier and "num_classes" not in kwargs and load_head:
            other = cls.text_task_of(preset)
            if other is not None:
                return other.from_preset(preset, load_weights, **kwargs)
        return super().from_preset(preset, load_weights, load_head=load_head, **kwargs)

    @classmethod
    def text_task_of(cls, preset):
        """The other text task whose head a checkpoint has, or None."""
        return task_class_of(
            open_checkpoint(preset),
            lambda task: issubclass(task, RobertaSequenceTask) and task is not cls,
        )


class LabelHead(SequenceHead):
    """`logits` and `probabilities` float32 (batch, num_classes), `label` int32 (batch) and `score`
    float32 (batch), the label's probability."""

    def __call__(self, encoder, token_ids, padding_mask):
        logits = self.logits(encoder, token_ids, padding_mask)
        temperature = self.schema.temperature
        # Without one the graph, and what quantisation makes of it, is as it was.
        probabilities = tf.nn.softmax(logits if temperature == 1 else logits / temperature)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "label": tf.argmax(logits, axis=-1, output_type=tf.int32),
            "score": tf.reduce_max(probabilities, axis=-1),
        }

    def as_names(self, outputs):
        """`label_name` (batch)"""
        return {"label_name": tf.gather(name_strings(self.schema), outputs["label"])}
