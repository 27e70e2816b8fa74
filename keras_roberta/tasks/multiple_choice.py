"""Multiple choice: which of the options of a question is the answer."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face_names import (
    HuggingFaceHead,
    multiple_choice_weights,
)
from keras_roberta.data.examples.choices import answer_numbers, read_choices, with_answers
from keras_roberta.data.examples.examples import checked_weights
from keras_roberta.data.examples.multiple_choice_preprocessor import (
    RobertaMultipleChoicePreprocessor,
)
from keras_roberta.errors import InputError
from keras_roberta.layers import OptionScores, PooledHead, RowsOfExamples
from keras_roberta.layers.gather import FIRST
from keras_roberta.layers.output_distributions import Categorical
from keras_roberta.layers.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_roberta.models.named_weights import layer_weights
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.schemas import MultipleChoice
from keras_roberta.schemas.multiple_choice import NO_OPTION
from keras_roberta.tasks.exported_head import ExportedHead
from keras_roberta.tasks.task import RobertaTask


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaMultipleChoice(RobertaTask, keras_hub.models.Task):
    """RoBERTa that gives each option of a question a score; the best one is the answer.

    The score is that of Transformers' `RobertaForMultipleChoice`: a pooler (dense, tanh) on `<s>`
    of the question with the option, dropout, dense. Questions may have different numbers of
    options.

    Args:
        backbone: a `RobertaBackbone`.
        preprocessor: a `RobertaMultipleChoicePreprocessor`, or None to take token ids only.
        dropout: rate in the head; the backbone's by default.

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, int (batch, options, length). An option
            without a token is not there.

    Returns:
        float32 logits (batch, options), -1e9 where an option is not there

    Example:
    ```python
    task = kr.RobertaMultipleChoice.from_preset("roberta-base/")
    task.fit([("Where do fish live?", ["in water", "in trees"])], [0])
    task.answers([("Where do birds nest?", ["in trees", "in fire", "at sea"])])
    ```
    """

    backbone_cls = RobertaBackbone
    preprocessor_cls = RobertaMultipleChoicePreprocessor
    schema_cls = MultipleChoice
    output_distribution = Categorical()

    def __init__(self, backbone, preprocessor=None, dropout=None, **kwargs):
        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head = PooledHead(
            backbone.config, 1, dropout=dropout, dtype=backbone.dtype_policy, name="choice_head"
        )

        # === Functional model ===
        inputs = {
            name: keras.Input((None, None), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        rows = {name: RowsOfExamples()(x) for name, x in inputs.items()}  # (rows, length)
        scores = self.head(backbone.output_at(FIRST, rows))  # (rows, 1)
        logits = OptionScores(float(NO_OPTION), name="option_scores")(
            scores, inputs["padding_mask"]
        )
        super().__init__(inputs=inputs, outputs=logits, **kwargs)

        # === Config ===
        self.dropout = dropout

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout}

    @property
    def schema(self):
        return MultipleChoice()

    def default_loss(self, label_smoothing=0.0):
        """The cross-entropy of the options.

        Args:
            label_smoothing: the share of each answer that is spread evenly over the options that
                the question has; see `SmoothedCrossEntropy`.
        """
        if label_smoothing:
            return SmoothedCrossEntropy(label_smoothing)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    # === Data ===

    def labels_apart(self, x):
        return with_answers(x)

    def without_labels(self, x):
        return with_answers(x)[0]

    def make_examples(self, x, y=None, sample_weight=None):
        if y is None and sample_weight is not None:
            raise InputError("sample_weight: weighs labels, but there are none; give y too")
        choices = read_choices(x)
        return self.preprocessor.examples_of(
            choices,
            targets=None if y is None else answer_numbers(y, choices),
            sample_weight=None if sample_weight is None else checked_weights(sample_weight),
        )

    def predict(self, x, batch_size=None, **kwargs):
        """Logits of each option, (questions, most options); -1e9 where a question has fewer.

        Args:
            x: see `RobertaTask.predict`.
        """
        rows = super().predict(x, batch_size, **kwargs)
        if not isinstance(rows, list):
            return rows
        logits = np.full((len(rows), max(map(len, rows))), NO_OPTION, "float32")
        for row, scores in zip(logits, rows, strict=True):
            row[: len(scores)] = scores
        return logits

    # === Exported ===

    def exported_head(self):
        return OptionHead(self.schema)

    # === Checkpoints ===

    def head_weights_by_name(self):
        return layer_weights("pooler", self.head.dense) | layer_weights("out", self.head.logits)

    hugging_face = HuggingFaceHead(
        "RobertaForMultipleChoice",
        multiple_choice_weights,
        ("classifier.weight", "classifier.bias"),
        with_pooler=True,
    )

    def hugging_face_settings(self):
        return {}

    @staticmethod
    def settings_from_hugging_face(head, config):
        if len(head["out/bias"]) != 1:
            raise InputError(
                f"classifier.weight has {len(head['out/bias'])} outputs; multiple choice has one"
            )
        return {}


class OptionHead(ExportedHead):
    """`logits` float32 (batch, 1): the score of the option that a row asks about."""

    def __call__(self, encoder, token_ids, padding_mask):
        hidden = encoder.encode(token_ids, padding_mask)  # (batch, hidden_dim)
        pooled = tf.tanh(encoder.dense(hidden, "head/pooler"))
        return {"logits": encoder.dense(pooled, "head/out")}

    def of_options(self, outputs, choices):
        """`logits`, -1e9 where an option is not there, and `probabilities`, float32
        (batch, options); `label` int32, `score` float32 and `text`, the option, each (batch)."""
        scores = tf.reshape(outputs["logits"], tf.shape(choices))
        logits = tf.where(choices != "", scores, NO_OPTION)
        probabilities = tf.nn.softmax(logits)
        label = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "label": label,
            "score": tf.reduce_max(probabilities, axis=-1),
            "text": tf.gather(choices, label, batch_dims=1),
        }
