"""Tasks that users write outside the library: labels of tokens, options of a question, windows."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from task_cases import CONFIG, TEXTS

import keras_roberta as kr
from keras_roberta.data.examples.examples import Examples
from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.layers import ClassificationHead, RowsOfExamples, TokenClassificationHead
from keras_roberta.layers.gather import FIRST
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.training.optimizer import finetuning_optimizer


class TokenTagger(RobertaTask, keras_hub.models.Task):
    """A class for each token; labels are one a token, without the special ones."""

    backbone_cls = kr.RobertaBackbone
    outputs_per_token = True

    def __init__(self, backbone, num_classes, preprocessor=None, **kwargs):
        self.backbone, self.preprocessor = backbone, preprocessor
        self.head = TokenClassificationHead(backbone.config, num_classes, name="head")
        super().__init__(inputs=backbone.input, outputs=self.head(backbone.output), **kwargs)

    def make_examples(self, x, y=None, sample_weight=None):
        ids = Ragged(*self.preprocessor.tokenize(x))
        if y is None:
            return Examples(self.preprocessor, ids)
        specials = self.preprocessor.tokenizer.special_token_ids
        real = ~np.isin(ids.values, specials)
        labels = np.zeros(len(ids.values), "int32")
        labels[real] = np.concatenate([np.asarray(row) for row in y])
        return Examples(
            self.preprocessor,
            ids,
            targets=Ragged(labels, ids.lengths),
            sample_weight=Ragged(real.astype("float32"), ids.lengths),
        )

    def default_loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture
def preprocessor(tokenizer):
    return kr.RobertaPreprocessor(tokenizer, sequence_length=24)


def test_a_label_for_each_token(preprocessor, tokenizer):
    """Learns whether a token's id is even: what is padded, sorted and cut must stay in step."""
    task = TokenTagger(kr.RobertaBackbone(CONFIG), 2, preprocessor)
    ids = tokenizer(TEXTS, add_special_tokens=False)
    labels = [[i % 2 for i in row] for row in ids]
    task.compile(finetuning_optimizer(1e-2, weight_decay=0.0))
    task.fit(TEXTS, labels, batch_size=4, epochs=40, verbose=0)
    outputs = task.predict(TEXTS, batch_size=3, verbose=0)
    assert isinstance(outputs, list) and len(outputs) == len(TEXTS)
    for row, expected in zip(outputs, labels, strict=True):
        assert row.shape == (len(expected) + 2, 2)  # the special tokens too
        assert row[1:-1].argmax(-1).tolist() == expected
    stream = tf.data.Dataset.from_tensor_slices(TEXTS).batch(4)
    for row, other in zip(outputs, task.predict(stream, verbose=0), strict=True):
        np.testing.assert_allclose(row, other, atol=1e-4)
    task.train_on_batch(TEXTS[:3], labels[:3])


class ByQuestion(keras.layers.Layer):
    """Scores of options, one after the other, as a row for each question."""

    def call(self, scores, mask):
        there = ops.max(mask, axis=-1) > 0  # (questions, options)
        return ops.where(there, ops.reshape(scores, ops.shape(there)), -1e9)


class Chooser(RobertaTask, keras_hub.models.Task):
    """Which of the options of a question is right; questions may have different numbers."""

    backbone_cls = kr.RobertaBackbone

    def __init__(self, backbone, preprocessor=None, **kwargs):
        self.backbone, self.preprocessor = backbone, preprocessor
        self.head = ClassificationHead(backbone.config, 1, name="head")
        inputs = {
            name: keras.Input((None, None), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        rows = {name: RowsOfExamples()(x) for name, x in inputs.items()}  # (rows, length)
        scores = self.head(backbone.output_at(FIRST, rows))  # (rows, 1)
        outputs = ByQuestion()(scores, inputs["padding_mask"])  # (questions, options)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

    def needs_tokenizing(self, x):
        return isinstance(x, list)

    def labels_apart(self, x):
        return x, None, None

    def without_labels(self, x):
        return x

    def make_examples(self, x, y=None, sample_weight=None):
        firsts = [question for question, options in x for _ in options]
        seconds = [option for _, options in x for option in options]
        return Examples(
            self.preprocessor,
            Ragged(*self.preprocessor.tokenize((firsts, seconds))),
            targets=None if y is None else np.asarray(y, "int32"),
            rows_per_example=[len(options) for _, options in x],
            keep_rows_together=True,
        )

    def default_loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_options_of_a_question(preprocessor):
    task = Chooser(kr.RobertaBackbone(CONFIG), preprocessor)
    questions = [
        ("film", ["a fine film", "a dull film"]),
        ("warm", ["cold", "flat", "warm and lovely"]),
        ("best", ["tedious", "fine , warm and funny", "dull", "cold"]),
        ("what", ["lovely , simply lovely", "flat"]),
    ]
    answers = [0, 2, 1, 0]
    task.compile(finetuning_optimizer(3e-3, weight_decay=0.0))
    task.fit(questions, answers, batch_size=2, epochs=40, verbose=0)
    outputs = task.predict(questions, batch_size=2, verbose=0)
    assert [len(scores) for scores in outputs] == [2, 3, 4, 2]
    assert [int(scores.argmax()) for scores in outputs] == answers


class WindowMean(RobertaTask, keras_hub.models.Task):
    """The mean output over the windows of a long text."""

    backbone_cls = kr.RobertaBackbone

    def __init__(self, backbone, preprocessor=None, **kwargs):
        self.backbone, self.preprocessor = backbone, preprocessor
        self.head = ClassificationHead(backbone.config, 1, name="head")
        super().__init__(
            inputs=backbone.input, outputs=self.head(backbone.output_at(FIRST)), **kwargs
        )

    def make_examples(self, x, y=None, sample_weight=None):
        windows = [[" ".join(part) for part in _windows(str(text).split())] for text in _texts(x)]
        counts = [len(parts) for parts in windows]
        return Examples(
            self.preprocessor,
            Ragged(*self.preprocessor.tokenize([part for parts in windows for part in parts])),
            targets=None if y is None else np.repeat(np.asarray(y, "float32"), counts),
            rows_per_example=counts,
        )

    def join_rows(self, outputs, examples):
        return [np.mean(rows, axis=0) for rows in examples.by_example(list(outputs))]

    def default_loss(self):
        return keras.losses.MeanSquaredError()


def _texts(x):
    return [text.decode() if isinstance(text, bytes) else text for text in x]


def _windows(words):
    return [words[i : i + 2] for i in range(0, len(words), 2)] or [[]]


def test_windows_of_a_long_text(preprocessor):
    task = WindowMean(kr.RobertaBackbone(CONFIG), preprocessor)
    task.fit(TEXTS, np.arange(len(TEXTS)), batch_size=4, verbose=0)
    outputs = task.predict(TEXTS, batch_size=3, verbose=0)
    features = [preprocessor([" ".join(w) for w in _windows(text.split())]) for text in TEXTS]
    expected = [np.mean(task.predict_on_batch(batch), axis=0) for batch in features]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    stream = tf.data.Dataset.from_tensor_slices(TEXTS).batch(3)
    np.testing.assert_allclose(task.predict(stream, verbose=0), expected, atol=1e-5)


def test_an_epoch_of_a_stream_sees_every_window(preprocessor):
    """Though a text gives several rows."""
    task = WindowMean(kr.RobertaBackbone(CONFIG), preprocessor)
    seen = []

    def counted(loss):
        def count(model, batch):
            tf.py_function(lambda ids: seen.append(len(ids)), [batch.x["token_ids"]], [])
            return loss(model, batch)

        return count

    task.compile(loss_transforms=[counted])
    rows = tf.data.Dataset.from_tensor_slices((TEXTS, np.arange(len(TEXTS), dtype="float32")))
    task.fit(rows.batch(3), epochs=1, verbose=0)
    assert sum(seen) == sum(len(_windows(text.split())) for text in TEXTS)
