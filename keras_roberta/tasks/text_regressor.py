"""A number for a text or a pair of texts."""

import dataclasses

import keras

from keras_roberta.tasks.text_classifier import RobertaTextClassifier


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTextRegressor(RobertaTextClassifier):
    """RoBERTa with a head of one output on `<s>`, trained on real numbers."""

    hugging_face = dataclasses.replace(
        RobertaTextClassifier.hugging_face, problem_type="regression"
    )
