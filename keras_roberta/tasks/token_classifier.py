"""A label for each word: named entities, parts of speech."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face_labels import (
    classifier_dropout,
    label_entries,
    label_names,
)
from keras_roberta.checkpoints.hugging_face_names import HuggingFaceHead, linear_head_weights
from keras_roberta.data.examples import word_forms
from keras_roberta.data.examples.examples import checked_weights
from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.data.examples.streams import is_stream
from keras_roberta.data.examples.text_forms import are_numbers
from keras_roberta.data.examples.token_preprocessor import RobertaTokenPreprocessor
from keras_roberta.data.examples.windowed_examples import WindowedExamples
from keras_roberta.data.examples.word_tokens import token_labels
from keras_roberta.data.examples.words import places_in_characters
from keras_roberta.errors import InputError
from keras_roberta.layers import TokenClassificationHead
from keras_roberta.layers.output_distributions import Categorical
from keras_roberta.layers.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_roberta.models.named_weights import layer_weights
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.schemas import Entities
from keras_roberta.schemas.labelled_words import true_spans, words_of_spans
from keras_roberta.tasks.exported_head import ExportedHead
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.sequence_task import name_strings
from keras_roberta.tasks.task import RobertaTask

_OF_PREPROCESSOR = ("labelled_pieces", "stride")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTokenClassifier(RobertaTask, keras_hub.models.Task):
    """RoBERTa with dropout and a dense layer on every token (`RobertaForTokenClassification`).

    `fit` takes lists of words with a tag for each, or texts with labelled spans; see `Entities`.
    Every tag scheme is read; I- without B- begins a span. Texts that are longer than the
    preprocessor's `sequence_length` are read in windows, and each token's answer is that of the
    window which shows most around it.

    Args:
        backbone: a `RobertaBackbone`.
        num_classes: number of logits a token; by default that of the preprocessor's labels.
        preprocessor: a `RobertaTokenPreprocessor` whose `labels` are tags such as "O", "B-PER" and
            "I-PER"; or None to take token ids only.
        dropout: rate in the head; the backbone's by default.

    Returns:
        float32 logits (batch, length, num_classes); `predict` gives for each text an array
        (tokens, num_classes), special tokens included

    Example:
    ```python
    task = kr.RobertaTokenClassifier.from_preset("roberta-base/", labels=["O", "B-LOC", "I-LOC"])
    task.fit([["in", "Nuuk"], ["at", "home"]], [["O", "B-LOC"], ["O", "O"]])
    task.fit(["in Nuuk"], [[{"start": 3, "end": 7, "label": "LOC"}]])
    task.answers(["Nuuk it is"])  # [{"entities": [{"text": "Nuuk", "label": "LOC", …}]}]
    ```
    """

    backbone_cls = RobertaBackbone
    preprocessor_cls = RobertaTokenPreprocessor
    schema_cls = Entities
    output_distribution = Categorical()
    hugging_face = HuggingFaceHead(
        "RobertaForTokenClassification",
        lambda: linear_head_weights("classifier"),
        ("classifier.weight", "classifier.bias"),
    )

    def __init__(self, backbone, num_classes=None, preprocessor=None, dropout=None, **kwargs):
        labels = getattr(preprocessor, "labels", None)
        num_classes = len(labels or ()) if num_classes is None else num_classes
        check_numbers(num_classes=num_classes)
        if num_classes < 2:
            raise InputError(f"num_classes must be at least 2; got {num_classes}; or give labels")
        _schema(num_classes, preprocessor)  # checks the names

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head = TokenClassificationHead(
            backbone.config,
            num_classes,
            dropout=dropout,
            dtype=backbone.dtype_policy,
            name="token_classification_head",
        )

        # === Functional model ===
        super().__init__(inputs=backbone.input, outputs=self.head(backbone.output), **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.dropout = dropout

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes, "dropout": self.dropout}

    @property
    def schema(self):
        return _schema(self.num_classes, self.preprocessor)

    def default_loss(self, label_smoothing=0.0):
        """The mean cross-entropy over the tokens that have a label.

        Args:
            label_smoothing: the share of each label that is spread evenly over all; see
                `SmoothedCrossEntropy`.
        """
        if label_smoothing:
            return SmoothedCrossEntropy(label_smoothing, reduction="mean_with_sample_weight")
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )

    def compile(self, optimizer="auto", loss="auto", *, weighted_metrics="auto", **kwargs):
        """As `RobertaTask.compile`.

        Args:
            weighted_metrics: "auto" for the accuracy of tokens that have a label.
        """
        if isinstance(weighted_metrics, str) and weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        super().compile(optimizer, loss, weighted_metrics=weighted_metrics, **kwargs)

    # === From texts to examples, and back ===

    def labels_apart(self, x):
        return word_forms.labels_apart(x)

    def without_labels(self, x):
        return word_forms.labels_apart(x)[0]

    def make_examples(self, x, y=None, sample_weight=None):
        """Windows of texts, with the number of a tag for each token that has one.

        Args:
            x: texts or lists of words; see `data.examples.word_forms`.
            y: for each a list of tags, or of spans; or None.
            sample_weight: one a text, or None.
        """
        if y is None and sample_weight is not None:
            raise InputError("sample_weight: weighs labels, but there are none; give y too")
        schema = self.schema
        annotations = None if y is None else schema.checked(x, y)
        texts, words = schema.words_of(x)
        if not texts:
            raise InputError("there are no texts")
        windows, offsets = self.preprocessor.windows(texts)
        if annotations is None:
            return WindowedExamples.of(self.preprocessor, windows, offsets)
        labels, has_label = [], []
        for row in zip(texts, words, offsets, annotations, strict=True):
            of_text = _token_labels(schema, *row)
            labels.append(of_text[0])
            has_label.append(of_text[1])
        # A token that lies in two windows is learnt in one of them.
        weights = windows.spread(has_label).values & windows.most_context().values
        weights = weights.astype("float32")
        if sample_weight is not None:
            of_texts = checked_weights(sample_weight)
            if len(of_texts) != len(texts):
                raise InputError(f"{len(texts)} texts, but {len(of_texts)} weights")
            weights *= np.repeat(of_texts[windows.texts], windows.token_ids.lengths)
        return WindowedExamples.of(
            self.preprocessor,
            windows,
            offsets,
            targets=windows.spread(labels),
            sample_weight=Ragged(weights, windows.token_ids.lengths),
        )

    def check_targets(self, y):
        """Beside token ids: numbers of tags, (rows, length)."""
        if not are_numbers(y):
            raise InputError("labels: beside token ids give the number of a tag for each token")
        return np.asarray(y)

    def join_rows(self, outputs, examples):
        return examples.windows.joined(outputs)

    def named_outputs(self, x, batch_size=None):
        """For each text `logits`, `probabilities`, `label` and `score` of each token, and
        `offsets`, `texts` and `words` in characters; see `Entities`.

        Args:
            x: texts or lists of words in memory, or features.
        """
        outputs = self.schema.outputs(self.predict(x, batch_size=batch_size, verbose=0))
        if not self.needs_tokenizing(x):
            return outputs
        if is_stream(x):
            raise InputError("answers are parts of texts: give these in memory, as a list")
        x = self.without_labels(x)
        windows, offsets = self.preprocessor.windows(self.schema.texts_of(x)[0])
        rows = windows.spread(offsets)
        outputs["offsets"] = windows.joined([rows.row(i) for i in range(len(rows))])
        return self.schema.with_texts(outputs, x)

    def exported_head(self):
        return TokenHead(self.schema)

    # === Checkpoints ===

    @classmethod
    def check_head(cls, source, arguments, *, found, load_head):
        labels = getattr(arguments.get("preprocessor"), "labels", None)
        if not (found or arguments.get("num_classes") or labels):
            raise InputError(
                f"{source.directory}: has no head for tokens; give labels=[...] (the tags) to "
                "start one"
            )

    def head_weights_by_name(self):
        return layer_weights("out", self.head.logits)

    def hugging_face_settings(self):
        entries = label_entries(getattr(self.preprocessor, "labels", None), self.num_classes)
        # Transformers has no such entries and keeps them.
        own = {name: getattr(self.schema, name) for name in _OF_PREPROCESSOR}
        return {**entries, "classifier_dropout": self.dropout, **own}

    @staticmethod
    def settings_from_hugging_face(head, config):
        # Models of Transformers mostly have learnt the first pieces alone.
        own = {"labelled_pieces": "first"}
        own |= {name: config[name] for name in _OF_PREPROCESSOR if name in config}
        return {
            "num_classes": len(head["out/bias"]),
            "dropout": classifier_dropout(config),
            "preprocessor": {"labels": label_names(config), **own},
        }


class TokenHead(ExportedHead):
    """`logits` and `probabilities` float32 (batch, length, num_classes), `label` int32 (batch,
    length), the number of each token's tag, and `score` float32 (batch, length), its
    probability."""

    gives_offsets = True

    def __call__(self, encoder, token_ids, padding_mask):
        hidden = encoder.encode(token_ids, padding_mask, selection="all")
        logits = encoder.dense(hidden, "head/out")  # (batch * length, num_classes)
        probabilities = tf.nn.softmax(logits)
        rows = [size or tf.shape(token_ids)[i] for i, size in enumerate(token_ids.shape)]
        classes = [self.schema.num_classes]
        return {
            "logits": tf.reshape(logits, rows + classes),
            "probabilities": tf.reshape(probabilities, rows + classes),
            "label": tf.reshape(tf.argmax(logits, axis=-1, output_type=tf.int32), rows),
            "score": tf.reshape(tf.reduce_max(probabilities, axis=-1), rows),
        }

    def as_names(self, outputs):
        """`label_name` (batch, length)"""
        return {"label_name": tf.gather(name_strings(self.schema), outputs["label"])}


def _schema(num_classes, preprocessor):
    settings = {n: getattr(preprocessor, n) for n in _OF_PREPROCESSOR if hasattr(preprocessor, n)}
    return Entities(num_classes, getattr(preprocessor, "labels", None), **settings)


def _token_labels(schema, text, words, offsets, annotation):
    """Numbers of tags for the tokens of a text, and which tokens have one."""
    scheme, number = schema.scheme, {name: i for i, name in enumerate(schema.label_names)}
    spans, _ = words_of_spans(true_spans(annotation, text, words, scheme), words)
    tags = scheme.tags_of(spans, len(words))
    # Of parts of speech a word may be left without one.
    tagged = [place for place, tag in zip(words, tags, strict=True) if tag in number]
    numbers = np.array([number[tag] for tag in tags if tag in number], np.int64)
    further = None
    if schema.labelled_pieces == "all":
        inside = (scheme.inside(name) for name in schema.label_names)
        further = np.array([number.get(tag, i) for i, tag in enumerate(inside)])
    return token_labels(tagged, places_in_characters(text, offsets), numbers, further)
