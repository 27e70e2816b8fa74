"""Tasks whose outputs are as long as the text: exported like any other."""

import dataclasses
from typing import ClassVar

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.export.padded_rows import as_features
from keras_roberta.layers import TokenClassificationHead
from keras_roberta.models.named_weights import layer_weights
from keras_roberta.schemas import Comparison, Schema, register_schema
from keras_roberta.tasks.exported_head import ExportedHead
from keras_roberta.tasks.task import RobertaTask

TEXTS = ["a gem", "the film is a mess from start", ""]


@register_schema
@dataclasses.dataclass(frozen=True)
class Tags(Schema):
    name: ClassVar[str] = "tags-of-a-test"
    ragged_outputs: ClassVar[tuple[str, ...]] = ("logits",)

    def compare(self, found, expected):
        found, expected = (np.concatenate(outputs["logits"]) for outputs in (found, expected))
        same = (found.argmax(-1) == expected.argmax(-1)).mean()
        return Comparison(float(same), float(np.abs(found - expected).max()))


class TagsHead(ExportedHead):
    def __call__(self, encoder, token_ids, padding_mask):
        hidden = encoder.encode(token_ids, padding_mask, selection="all")
        logits = encoder.dense(hidden, "head/out")
        batch, length = (size or tf.shape(token_ids)[i] for i, size in enumerate(token_ids.shape))
        return {"logits": tf.reshape(logits, (batch, length, 3))}


class Tagger(RobertaTask, keras_hub.models.Task):
    backbone_cls = kr.RobertaBackbone
    schema_cls = Tags
    schema = Tags()

    def __init__(self, backbone, preprocessor=None, **kwargs):
        self.backbone, self.preprocessor = backbone, preprocessor
        self.head = TokenClassificationHead(backbone.config, 3, name="head")
        super().__init__(inputs=backbone.input, outputs=self.head(backbone.output), **kwargs)

    def default_loss(self):
        return "mse"

    def head_weights_by_name(self):
        return layer_weights("out", self.head.logits)

    def exported_head(self):
        return TagsHead(self.schema)

    def named_outputs(self, x, batch_size=None):
        return {"logits": np.asarray(self.predict_on_batch(x))}


@pytest.fixture(scope="module")
def task(make_task, tokenizer):
    preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=32)
    return Tagger(make_task(layers=1, vocabulary_size=320).backbone, preprocessor)


@pytest.mark.parametrize("form", ["tflite", "saved model"])
def test_each_token_has_its_output(form, task, tokenizer, tmp_path):
    if form == "saved model":
        path = export.to_saved_model(task, tmp_path / "1")
    else:
        path = export.to_tflite(task, tmp_path / "a.tflite", "none", sequence_lengths=[8, 32])
    rows = [tokenizer(text, max_length=32) for text in TEXTS]
    runner = export.load(path)
    for x in (TEXTS, as_features(rows, 1)):
        for row, logits in zip(rows, runner.predict(x)["logits"], strict=True):
            expected = task(as_features([row], 1))[0]
            np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
