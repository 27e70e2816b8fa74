"""Extractive question answering: the part of a context that answers a question."""

import functools
from collections.abc import Mapping

import keras
import keras_hub
import numpy as np

from keras_roberta.checkpoints.hugging_face import HuggingFaceHead
from keras_roberta.checkpoints.hugging_face_names import linear_head_weights
from keras_roberta.data.examples.examples import checked_weights
from keras_roberta.data.examples.labelled_forms import with_labels
from keras_roberta.data.examples.named_columns import SAMPLE_WEIGHT, named_columns
from keras_roberta.data.examples.question_forms import questions_and_contexts
from keras_roberta.errors import InputError
from keras_roberta.layers import SpanHead
from keras_roberta.layers.output_distributions import Categorical
from keras_roberta.models.named_weights import layer_weights
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.schemas import AnswerSpan
from keras_roberta.schemas.answer_span import as_objects
from keras_roberta.schemas.best_spans import IMPOSSIBLE, Window
from keras_roberta.tasks.answer_span_exported_head import AnswerSpanHead
from keras_roberta.tasks.data_reading import errors_of
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.question_windows import (
    QuestionExamples,
    question_windows,
    span_targets,
)
from keras_roberta.tasks.span_loss import SpanAccuracy, SpanCrossEntropy
from keras_roberta.tasks.task import RobertaTask


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaQuestionAnswerer(RobertaTask, keras_hub.models.Task):
    """RoBERTa with a head of two outputs on every token: where the answer begins and ends.

    `fit`, `evaluate`, `predict` and `answers` take `(questions, contexts)`, or a table with
    `question` and `context`. A context that is longer than a row is read in windows, each behind
    the question. Labels are dicts of `text` and `answer_start`, lists of them (the first is
    learnt), or (start, end) pairs in characters of the context; `None` or `[]` where the context
    has no answer. A table has them under `answers`, as Hugging Face's datasets and SQuAD do.

    Args:
        backbone: a `RobertaBackbone`.
        preprocessor: a `RobertaPreprocessor`, or None to take token ids only.
        null_threshold: a question has no answer where the probability of that, against the best
            part of the context, is above this, such as 0.5. None: each question has an answer.
        max_answer_length: the most tokens of an answer.
        stride: tokens that a window shares with the one before it; at most half of what a row has
            room for beside the question, so fewer behind a long question.

    Returns:
        float32 logits (batch, length, 2), of the first token of the answer and of the last. Where
        there is no answer, both are the first token of the row, `<s>`.

    Example:
    ```python
    task = kr.RobertaQuestionAnswerer.from_preset("roberta-base/")
    contexts = ["Nuuk is the capital of Greenland."]
    task.fit((["What is the capital?"], contexts), [{"text": "Nuuk", "answer_start": 0}])
    task.answers((["What is the capital?"], contexts))
    # [{"text": "Nuuk", "start": 0, "end": 4, "score": …}]
    ```
    """

    backbone_cls = RobertaBackbone
    schema_cls = AnswerSpan
    output_distribution = Categorical(axis=1)
    hugging_face = HuggingFaceHead(
        "RobertaForQuestionAnswering",
        functools.partial(linear_head_weights, "qa_outputs"),
        ("qa_outputs.",),
    )

    def __init__(
        self,
        backbone,
        preprocessor=None,
        *,
        null_threshold=None,
        max_answer_length=30,
        stride=128,
        **kwargs,
    ):
        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head = SpanHead(backbone.config, dtype=backbone.dtype_policy, name="span_head")

        # === Functional model ===
        logits = self.head(backbone.output, backbone.input["padding_mask"])
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)

        # === Config ===
        self._schema = AnswerSpan(
            null_threshold=null_threshold, max_answer_length=max_answer_length, stride=stride
        )

    def get_config(self):
        return {**super().get_config(), **self._schema.task_settings()}

    @property
    def schema(self):
        return self._schema

    def default_loss(self):
        return SpanCrossEntropy()

    def default_metrics(self):
        return [SpanAccuracy()]

    # === From inputs to examples ===

    def labels_apart(self, x):
        columns = named_columns(x)
        if columns is None:
            return with_labels(x)
        return x, columns.get("answers"), columns.get(SAMPLE_WEIGHT)

    def without_labels(self, x):
        return x

    def make_examples(self, x, y=None, sample_weight=None):
        """Windows of the contexts, each with its question in front."""
        if y is None and sample_weight is not None:
            raise InputError("sample_weight: weighs labels, but there are none; give y too")
        questions, contexts = questions_and_contexts(x)
        windows, offsets = question_windows(
            self.preprocessor.tokenizer,
            questions,
            contexts,
            max_length=self.preprocessor.sequence_length,
            stride=self._schema.stride,
        )
        counts = windows.rows_per_text
        targets = weights = None
        if y is not None:
            targets = span_targets(windows, offsets, contexts, self.check_targets(y))
        if sample_weight is not None:
            weights = checked_weights(sample_weight)
            if len(weights) != len(counts):
                raise InputError(f"{len(counts)} texts, but {len(weights)} labels or weights")
            weights = np.repeat(weights, counts)
        return QuestionExamples(
            self.preprocessor,
            windows.token_ids,
            targets=targets,
            sample_weight=weights,
            rows_per_example=counts,
            windows=windows,
            contexts=contexts,
            offsets=offsets,
        )

    # === What the outputs mean ===

    def join_rows(self, outputs, examples):
        """For each context the logits of its windows, float32 (windows, tokens of the longest, 2),
        -1e4 behind the others."""
        return [_padded(rows) for rows in examples.by_example(outputs)]

    def named_outputs(self, x, batch_size=None, *, n_best=1):
        """See `AnswerSpan.of_windows`; `context` besides.

        Args:
            x: questions and contexts as for `predict`; or features, whose places are numbers of
                tokens.
            n_best: the most parts of each context to give; of features one alone.
        """
        check_numbers(batch_size=batch_size, n_best=n_best)
        if isinstance(x, Mapping) and "token_ids" in x:
            self._schema.check_asked_of_ids(n_best=n_best)
            return self._outputs_of_features(x, batch_size)
        data = self._read(x, None, None, batch_size, labelled=False, as_a_whole=True).batches
        windows, contexts = [], []
        with self._workers.this_process_alone(), errors_of(data):
            for part in [data] if data.examples is not None else data.in_memory():
                rows = self._predict_ragged(part.inference())
                rows = part.restore_order(rows)
                offsets = part.examples.windows.spread(part.examples.offsets)
                found = [Window(row, offsets.row(i)) for i, row in enumerate(rows)]
                windows += part.examples.by_example(found)
                contexts += part.examples.contexts
        outputs = self._schema.of_windows(windows, n_best)
        return outputs | {"context": as_objects(contexts)}

    def _outputs_of_features(self, features, batch_size):
        logits = self.predict(features, batch_size, verbose=0)
        token_ids = np.asarray(features["token_ids"])
        mask = features.get("padding_mask")
        mask = token_ids != self.pad_token_id if mask is None else np.asarray(mask) > 0
        rows = []
        for row, ids, kept in zip(logits, token_ids, mask, strict=True):
            in_context = context_mask(ids[kept], self.backbone.config.end_token_id)
            rows.append(np.column_stack([row[kept], in_context]))
        return self._schema.outputs(rows)

    def exported_head(self):
        return AnswerSpanHead(self._schema, self.backbone.config.end_token_id)

    # === Checkpoints ===

    def head_weights_by_name(self):
        return layer_weights("out", self.head.logits)

    def hugging_face_settings(self):
        # Transformers has no such entries and keeps them.
        return self._schema.task_settings()

    @staticmethod
    def settings_from_hugging_face(head, config):
        if len(head["out/bias"]) != 2:
            raise InputError(
                f"qa_outputs: has {len(head['out/bias'])} outputs; expected 2, for the first and "
                "the last token of an answer"
            )
        return {name: config[name] for name in AnswerSpan().task_settings() if name in config}


def context_mask(token_ids, end_token_id):
    """Which tokens of `<s> question </s></s> context </s>` are of the context: bool (tokens,).

    It is what lies behind the second `</s>`, without the last one.
    """
    is_end = np.asarray(token_ids) == end_token_id
    behind = np.cumsum(is_end) - is_end >= 2
    behind[-1] &= not is_end[-1]
    return behind


def _padded(rows):
    """Arrays (tokens, 2) as one, (rows, tokens of the longest, 2)."""
    padded = np.full((len(rows), max(map(len, rows)), 2), IMPOSSIBLE, "float32")
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded
