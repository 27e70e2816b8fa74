"""A vector for each text, trained so that like texts lie together."""

import functools

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face_names import HuggingFaceHead
from keras_roberta.checkpoints.sentence_transformers import modules_of
from keras_roberta.data.examples.text_embedder_preprocessor import RobertaTextEmbedderPreprocessor
from keras_roberta.data.examples.text_groups import text_groups
from keras_roberta.data.examples.token_rows import check_rows
from keras_roberta.errors import InputError
from keras_roberta.layers.gather import FIRST
from keras_roberta.layers.pooling import POOLINGS, TextPooling
from keras_roberta.layers.similarity_losses import SimilarityLoss
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.options import OptionError
from keras_roberta.schemas import TextVectors
from keras_roberta.schemas.text_search import search, similarity, single_texts
from keras_roberta.tasks.data_reading import no_preprocessor
from keras_roberta.tasks.exported_head import ExportedHead
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.pair_targets import check_pair_targets
from keras_roberta.tasks.task import RobertaTask


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTextEmbedder(RobertaTask, keras_hub.models.TextEmbedder):
    """RoBERTa with a vector for each text: that of `<s>`, or the mean over the tokens.

    `predict` takes texts. `fit` takes pairs of texts: with scores it draws their cosines to the
    scores (`CosineLoss`); without, each first text has to find its second among those of the batch
    (`InBatchNegativesLoss`), and third texts are hard negatives. Larger batches have more
    negatives. Other losses are in `layers.similarity_losses`.

    It has no weights besides the encoder's, so that any encoder can be used as it is.

    Args:
        backbone: a `RobertaBackbone`.
        preprocessor: a `RobertaTextEmbedderPreprocessor`, which has the prefixes; or None to take
            token ids only.
        pooling: "mean" over the tokens, or "cls" for the vector of `<s>`: what the checkpoint was
            trained with. `from_preset` has it from the checkpoint where that tells.
        normalize: whether vectors have the length 1.
        score_range: (least, most) of the scores that pairs are trained with, learnt as 0 and 1;
            None where they are cosines, from -1 to 1.

    Returns:
        float32 (batch, hidden_dim)

    Example:
    ```python
    task = kr.RobertaTextEmbedder.from_preset("granite-30m/", pooling="cls")
    task.fit([("how old is the sun?", "The sun is 4.6 billion years old."), …], batch_size=64)
    task.search(["what is the sun's age?"], corpus, top_k=3)
    ```
    """

    backbone_cls = RobertaBackbone
    preprocessor_cls = RobertaTextEmbedderPreprocessor
    schema_cls = TextVectors
    hugging_face = HuggingFaceHead("RobertaModel", list, ())
    export_options = {"prefix": None}

    def __init__(
        self,
        backbone,
        preprocessor=None,
        pooling="mean",
        normalize=True,
        score_range=None,
        **kwargs,
    ):
        if pooling not in POOLINGS:
            raise OptionError(
                "pooling", f": expected one of {', '.join(POOLINGS)}; got {pooling!r}"
            )
        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.pooler = TextPooling(pooling, bool(normalize), name="text_pooling")

        # === Functional model ===
        self.score_range = TextVectors(score_range=score_range).score_range  # read by `compile`
        hidden = backbone.output_at(FIRST) if pooling == "cls" else backbone.output
        vectors = self.pooler(hidden, backbone.input["padding_mask"])  # (batch, hidden_dim)
        super().__init__(inputs=backbone.input, outputs=vectors, **kwargs)

    def get_config(self):
        return {
            **super().get_config(),
            "pooling": self.pooler.pooling,
            "normalize": self.pooler.normalize,
            "score_range": self.score_range and list(self.score_range),
        }

    @property
    def schema(self):
        return TextVectors(
            getattr(self.preprocessor, "prefix", ""),
            getattr(self.preprocessor, "corpus_prefix", None),
            self.score_range,
        )

    def default_loss(self):
        return SimilarityLoss(score_range=self.score_range)

    # === From inputs to examples ===

    def labels_apart(self, x):
        groups = text_groups(x)
        if groups.texts_a_group < 2:
            raise InputError(
                "an embedder learns from pairs of texts: give a list of (text, text_pair), or a "
                "tuple of two lists"
            )
        y = groups.numbers if groups.scores is None else groups.scores
        return tuple(groups.columns), y, groups.weights

    def make_examples(self, x, y=None, sample_weight=None):
        """See `RobertaTask.make_examples`. Without `y` the rows of a pair need not stay together,
        since no loss compares them then.

        Args:
            x: texts, pairs or groups; see `text_groups`.
            y: scores, numbers as in `TextGroups.numbers`, or the second texts.
        """
        from keras_roberta.data.examples.examples import Examples, checked_weights
        from keras_roberta.data.examples.ragged import Ragged

        groups = text_groups(x, y, sample_weight)
        rows = Ragged(*self.preprocessor.tokenize_columns(groups.columns))
        count = groups.texts_a_group
        rows_per_example = np.full(len(groups.columns[0]), count)
        if y is None:
            return Examples(self.preprocessor, rows, rows_per_example=rows_per_example)
        if count < 2:
            raise InputError("scores are of pairs, but there are single texts; give (texts, texts)")
        scores = groups.numbers if groups.scores is None else groups.scores
        return Examples(
            self.preprocessor,
            rows,
            targets=self.check_targets(scores),
            sample_weight=None if groups.weights is None else checked_weights(groups.weights),
            rows_per_example=rows_per_example,
            keep_rows_together=True,
        )

    def check_targets(self, y):
        """See `RobertaTask.check_targets`; also that the compiled loss learns from these."""
        targets = super().check_targets(y)
        check_pair_targets(self.loss, targets)
        return targets

    def join_rows(self, outputs, examples):
        """Vectors (texts, hidden_dim), or of pairs and larger groups (pairs, 2 or more, …)."""
        count = examples.rows_per_example[0]
        return outputs if count == 1 else outputs.reshape(-1, count, outputs.shape[-1])

    # Texts of a group that stay together may come as features (groups, texts, length); the encoder
    # takes rows. Keras calls the first, its step on JAX the second alone.

    def __call__(self, inputs, *args, **kwargs):
        return super().__call__(_rows(inputs), *args, **kwargs)

    def call(self, inputs, *args, **kwargs):
        return super().call(_rows(inputs), *args, **kwargs)

    # === Answers ===

    def predict(self, x, batch_size=None, **kwargs):
        """The vectors of texts, float32 (texts, hidden_dim); of pairs (pairs, 2, hidden_dim)."""
        vectors = super().predict(x, batch_size, **kwargs)
        return np.stack(vectors) if isinstance(vectors, list) else vectors

    def corpus_vectors(self, texts, batch_size=None):
        """The vectors of texts that are searched: as `predict`, with the `corpus_prefix`.

        Args:
            texts: in memory.
        """
        from keras_roberta.data.examples.batches import example_batches

        check_numbers(batch_size=batch_size)
        if self.preprocessor is None:
            raise no_preprocessor()
        data = example_batches(
            self._examples_of_corpus,
            texts,
            batch_size=batch_size or 32,
            bucket_lengths=self._compiles_each_shape,
        )
        with self._workers.this_process_alone():
            return self._predict_source(data, verbose=0)

    def _examples_of_corpus(self, texts, *_):
        from keras_roberta.data.examples.examples import Examples
        from keras_roberta.data.examples.ragged import Ragged

        columns = [single_texts(texts)]
        rows = Ragged(*self.preprocessor.tokenize_columns(columns, of_corpus=True))
        check_rows(rows, self.backbone.config.vocabulary_size)
        return Examples(self.preprocessor, rows)

    def similarity(self, a, b, batch_size=None):
        """The cosine of each text of `a` with each of `b`.

        Texts of `b` get the `corpus_prefix`, as the second texts of pairs do, whose cosines
        `answers` gives for `(a, b)`.

        Args:
            a, b: texts, or vectors (texts, hidden_dim): of `a` those that `predict` gave, of `b`
                those of `corpus_vectors`, which are the same where there is no `corpus_prefix`.

        Returns:
            float32 (texts of a, texts of b)
        """
        return similarity(_as_array(a), _as_array(b), *self._embedders(batch_size))

    def search(self, queries, corpus, top_k=10, *, vectors=None, batch_size=None):
        """The texts of a corpus that are nearest to each query.

        Args:
            queries: texts, or vectors (queries, hidden_dim).
            corpus: texts, or vectors (texts, hidden_dim).
            top_k: how many for each query.
            vectors: of the texts of the corpus, as `corpus_vectors` gives them, to compute them
                once for many searches.

        Returns:
            for each query a list of dicts, the nearest first, with `index`, the text's number in
            the corpus, `text` (where the corpus has texts) and `score`, the cosine.

        Raises:
            InputError: there is no query or no text, or there are not as many vectors as texts.
        """
        asked = _as_array(queries), _as_array(corpus), top_k
        return search(*asked, *self._embedders(batch_size), vectors=vectors)

    def _embedders(self, batch_size):
        """Functions of texts that give the vectors of queries, and of texts that are searched."""
        return (
            functools.partial(self.predict, batch_size=batch_size, verbose=0),
            functools.partial(self.corpus_vectors, batch_size=batch_size),
        )

    def exported_head(self, prefix=None):
        """The `ExportedHead`.

        Args:
            prefix: in front of each text in the file; None for the preprocessor's.
        """
        schema = self.schema
        if prefix is not None:
            schema = TextVectors(prefix, prefix, self.score_range)
        return VectorHead(schema, self.pooler, self.backbone.config.hidden_dim)

    # === Checkpoints ===

    @classmethod
    def from_preset(cls, preset, load_weights=True, *, load_head=True, **kwargs):
        # There is no head that could start anew: how vectors are made stays as it was.
        return super().from_preset(preset, load_weights, load_head=True, **kwargs)

    def head_weights_by_name(self):
        return {}

    def hugging_face_files(self):
        return modules_of(
            pooling=self.pooler.pooling,
            normalize=self.pooler.normalize,
            size=self.backbone.config.hidden_dim,
            sequence_length=getattr(self.preprocessor, "sequence_length", None),
            prefix=self.schema.prefix,
            corpus_prefix=self.schema.corpus_prefix,
        )

    @staticmethod
    def settings_from_hugging_face(head, config):
        return {name: config[name] for name in ("pooling", "normalize", "preprocessor")}


class VectorHead(ExportedHead):
    """`vector` float32 (batch, hidden_dim)."""

    def __init__(self, schema, pooler, size):
        super().__init__(schema)
        self.pooling, self.normalize, self.size = pooler.pooling, pooler.normalize, size

    def __call__(self, encoder, token_ids, padding_mask):
        if self.pooling == "cls":
            vectors = encoder.encode(token_ids, padding_mask)  # (batch, hidden_dim)
        else:
            hidden = encoder.encode(token_ids, padding_mask, selection="all")
            vectors = self._mean(hidden, padding_mask)
        if self.normalize:
            # The mean of squares times their number: XNNPACK has means.
            squares = tf.reduce_mean(tf.square(vectors), axis=-1, keepdims=True) * self.size
            vectors = vectors * tf.math.rsqrt(tf.maximum(squares, 1e-24))
        return {"vector": vectors}

    def _mean(self, hidden, padding_mask):
        """(batch * length, hidden_dim) to (batch, hidden_dim)."""
        batch, length = (n or tf.shape(padding_mask)[i] for i, n in enumerate(padding_mask.shape))
        weights = tf.reshape(tf.cast(padding_mask, tf.float32), (batch, 1, length))
        hidden = tf.reshape(hidden, (batch, length, self.size))
        # A product with the mask adds up the tokens; XNNPACK has no other sum over an inner axis.
        sums = tf.reshape(tf.matmul(weights, hidden), (batch, self.size))
        counts = tf.reshape(tf.reduce_mean(weights, axis=-1), (batch, 1)) * tf.cast(
            length, tf.float32
        )
        return sums / tf.maximum(counts, 1.0)


def _rows(inputs):
    """Features (groups, texts, length) as (rows, length); others as they are."""
    if not isinstance(inputs, dict) or len(getattr(inputs.get("token_ids"), "shape", ())) != 3:
        return inputs
    return {name: keras.ops.reshape(x, (-1, keras.ops.shape(x)[-1])) for name, x in inputs.items()}


def _as_array(x):
    """A tensor as an array, anything else as it is."""
    is_tensor = not isinstance(x, np.ndarray) and keras.ops.is_tensor(x)
    return keras.ops.convert_to_numpy(x) if is_tensor else x
