"""Sentence and sentence-pair classification, or regression."""

import keras
import keras_hub

from keras_roberta.checkpoints.hugging_face import HuggingFaceHead, label_names
from keras_roberta.checkpoints.hugging_face_names import classifier_weights
from keras_roberta.data.examples.labels import class_numbers
from keras_roberta.errors import InputError
from keras_roberta.layers import ClassificationHead
from keras_roberta.layers.gather import FIRST
from keras_roberta.models.roberta_backbone import (
    RobertaBackbone,
    check_sequence_length,
    layer_weights,
)
from keras_roberta.tasks.task import RobertaTask


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTextClassifier(RobertaTask, keras_hub.models.TextClassifier):
    """RoBERTa with a classification head on `<s>`.

    `fit`, `evaluate` and `predict` take raw strings: a list or array of them, a pair of lists for
    sentence pairs, or a `tf.data.Dataset` of `(strings, labels)`. Features that are tokenised
    already (`token_ids`, `padding_mask`) pass through.

    Args:
        backbone: a `RobertaBackbone`.
        num_classes: number of logits. 1 makes it a regression: mean squared error on float labels.
        preprocessor: a `RobertaPreprocessor`, or None to take token ids only.
        dropout: rate in the head; the backbone's by default.

    Returns:
        float32 logits (batch, num_classes)

    Example:
    ```python
    task = kr.RobertaTextClassifier.from_preset("roberta-base/", num_classes=2)
    task.fit(["a gem", "a mess"], [1, 0])
    task.predict(["a gob of drivel"])
    ```
    """

    backbone_cls = RobertaBackbone

    def __init__(self, backbone, num_classes, preprocessor=None, dropout=None, **kwargs):
        if num_classes < 1:
            raise InputError(f"num_classes must be at least 1; got {num_classes}")
        labels = getattr(preprocessor, "labels", None)
        if labels and len(labels) != num_classes:
            raise InputError(f"num_classes is {num_classes}, but {len(labels)} labels are named")

        check_sequence_length(preprocessor, backbone)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head = ClassificationHead(
            backbone.config,
            num_classes,
            dropout=dropout,
            dtype=backbone.dtype_policy,
            name="classification_head",
        )

        # === Functional model ===
        outputs = self.head(backbone.output_at(FIRST))
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.dropout = dropout

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes, "dropout": self.dropout}

    @property
    def labels(self):
        """Names of the classes, for people to read; the class numbers where none were given."""
        named = getattr(self.preprocessor, "labels", None)
        return tuple(named or map(str, range(self.num_classes)))

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """`keras.Model.compile` with RoBERTa's fine-tuning recipe as the defaults.

        Args:
            optimizer: "auto" for `training.finetuning_optimizer()`, whose schedule `fit` spreads
                over its own number of steps; or any Keras optimizer.
            loss: "auto" for cross-entropy on logits, mean squared error where `num_classes` is 1.
            metrics: "auto" for accuracy, or the mean absolute error.
        """
        regression = self.output_shape[-1] == 1
        if loss == "auto" and regression:
            loss = keras.losses.MeanSquaredError()
        elif loss == "auto":
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if metrics == "auto" and regression:
            metrics = [keras.metrics.MeanAbsoluteError(name="mae")]
        elif metrics == "auto":
            metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def check_targets(self, y):
        """See `RobertaTask`. Named labels become their numbers; numbers must be in range."""
        if self.num_classes == 1:
            return y.astype("float32")
        return class_numbers(y, self.num_classes, getattr(self.preprocessor, "labels", None))

    def head_weights_by_name(self):
        return layer_weights("dense", self.head.dense) | layer_weights("out", self.head.logits)

    hugging_face = HuggingFaceHead(
        "RobertaForSequenceClassification",
        classifier_weights,
        ("classifier.dense.", "classifier.out_proj."),
        "single_label_classification",
    )

    def hugging_face_settings(self):
        labels = self.labels if getattr(self.preprocessor, "labels", None) else None
        names = labels or [f"LABEL_{i}" for i in range(self.num_classes)]
        settings = {
            "id2label": {str(i): name for i, name in enumerate(names)},
            "label2id": {name: i for i, name in enumerate(names)},
        }
        if self.num_classes == 1:
            settings["problem_type"] = "regression"
        return settings

    @staticmethod
    def settings_from_hugging_face(head, config):
        return {
            "num_classes": len(head["out/bias"]),
            "preprocessor": {"labels": label_names(config)},
        }

    @classmethod
    def check_head(cls, found, source, kwargs):
        if not found and "num_classes" not in kwargs:
            other = f" (but {source.head_name})" if source.head_name else ""
            raise InputError(
                f"{source.directory}: holds no classification head{other}; give num_classes to "
                "start one"
            )
