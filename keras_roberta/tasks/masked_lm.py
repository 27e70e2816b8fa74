"""Masked language modelling: pre-training, and filling in `<mask>`."""

import keras
import keras_hub
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face import HuggingFaceHead
from keras_roberta.checkpoints.hugging_face_names import masked_lm_weights
from keras_roberta.data.examples.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.layers import MaskedLMHead
from keras_roberta.layers.cross_entropy import VocabularyCrossEntropy
from keras_roberta.models.roberta_backbone import (
    RobertaBackbone,
    check_sequence_length,
    layer_weights,
)
from keras_roberta.tasks.task import RobertaTask


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaMaskedLM(RobertaTask, keras_hub.models.MaskedLM):
    """RoBERTa with its language model head, the projection tied to the token embedding.

    `fit` takes raw strings without labels and masks them anew at every step. `predict` takes
    strings with `<mask>` in them.

    Args:
        backbone: a `RobertaBackbone`.
        preprocessor: a `RobertaMaskedLMPreprocessor`, or None to take token ids only.

    Call arguments:
        inputs: dict of `token_ids`, `padding_mask`, int (batch, length), and `mask_positions`, int
            (batch, predictions).

    Returns:
        float32 logits (batch, predictions, vocabulary_size)
    """

    backbone_cls = RobertaBackbone
    preprocessor_cls = RobertaMaskedLMPreprocessor

    def __init__(self, backbone, preprocessor=None, **kwargs):
        check_sequence_length(preprocessor, backbone)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head = MaskedLMHead(
            backbone.config,
            backbone.token_embedding,
            dtype=backbone.dtype_policy,
            name="masked_lm_head",
        )

        # === Functional model ===
        mask_positions = keras.Input((None,), dtype="int32", name="mask_positions")
        inputs = {**backbone.input, "mask_positions": mask_positions}
        logits = self.head(backbone.output_at(mask_positions))
        super().__init__(inputs=inputs, outputs=logits, **kwargs)

    def compile(self, optimizer="auto", loss="auto", *, weighted_metrics="auto", **kwargs):
        """`keras.Model.compile`; cross-entropy over the masked positions by default.

        Args:
            optimizer: see `RobertaTask.compile`.
            loss: "auto" for the mean over masked positions, however few a row has.
            weighted_metrics: "auto" for the accuracy at masked positions.
        """
        if loss == "auto":
            # Keras would divide by all columns, the unused ones included.
            loss = VocabularyCrossEntropy(reduction="mean_with_sample_weight")
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        super().compile(optimizer=optimizer, loss=loss, weighted_metrics=weighted_metrics, **kwargs)

    def prepare_batches(self, dataset, predicting=False):
        if isinstance(dataset.element_spec, tuple):
            dataset = dataset.map(lambda features, *_: features)  # the targets are made here
        prepare = self.preprocessor.mask
        if predicting:
            # One width for all batches, since Keras stacks their outputs.
            width = dataset.map(self.preprocessor.count_masks).reduce(1, tf.maximum)

            def prepare(features):
                return self.preprocessor.find_masks(features, width)

        return dataset.map(prepare, num_parallel_calls=2).prefetch(4)

    def head_weights_by_name(self):
        return {
            **layer_weights("dense", self.head.dense),
            **layer_weights("layer_norm", self.head.norm),
            "bias": self.head.output_bias,
        }

    hugging_face = HuggingFaceHead(
        "RobertaForMaskedLM", masked_lm_weights, ("lm_head.",), tied=("lm_head.decoder.weight",)
    )

    @staticmethod
    def settings_from_other_task(registered_name, settings):
        if registered_name == "keras_roberta>RobertaPretrainer" and "mlm" in settings["objectives"]:
            return {"preprocessor": settings["preprocessor"]}
        return None
