"""Masked language modelling: pre-training, and filling in `<mask>`."""

from collections.abc import Mapping

import keras
import keras_hub
import numpy as np
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face import HuggingFaceHead
from keras_roberta.checkpoints.hugging_face_names import OUTPUT_PROJECTION, masked_lm_weights
from keras_roberta.data.examples.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.data.examples.text_forms import holds_strings, texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.layers import MaskedLMHead
from keras_roberta.layers.cross_entropy import VocabularyCrossEntropy
from keras_roberta.layers.output_distributions import Categorical
from keras_roberta.models.named_weights import layer_weights
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.options import OptionError
from keras_roberta.schemas import MaskedTokens
from keras_roberta.schemas.masked_tokens import NOTHING
from keras_roberta.tasks.fill_mask import candidate_ids, fill_mask
from keras_roberta.tasks.mask_candidates import mask_candidates
from keras_roberta.tasks.masked_lm_exported_head import MaskedLMExportedHead
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.tasks.single_batches import refuse_stream
from keras_roberta.tasks.task import RobertaTask

_ROWS_AT_ONCE = 32  # of logits (masks, vocabulary_size) in memory


def masked_lm_head_weights(head):
    """The variables of a `MaskedLMHead` by name, without the embedding where it shares that."""
    named = {
        **layer_weights("dense", head.dense),
        **layer_weights("layer_norm", head.norm),
        "bias": head.output_bias,
    }
    if head.output_projection is not None:
        named["output_projection"] = head.output_projection
    return named


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaMaskedLM(RobertaTask, keras_hub.models.MaskedLM):
    """RoBERTa with its language model head, the projection tied to the token embedding.

    `fit` takes raw strings without labels and masks them anew at every step. `predict` takes
    strings with `<mask>` in them; where a text has fewer than the others its further logits are
    NaN. Candidates are tokens of the tokenizer, however many rows the embedding has.

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
    schema_cls = MaskedTokens
    output_distribution = Categorical()
    # Candidates for each mask, and how many masks of a text are answered (None: all). The defaults
    # are those of a file of fixed sizes.
    export_options = {"top_k": 5, "max_masks": 8}

    def __init__(self, backbone, preprocessor=None, **kwargs):
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

    @property
    def schema(self):
        return self._schema()

    def _schema(self, top_k=5, max_masks=None):
        tokenizer = self._tokenizer()
        mask = tokenizer.mask_token_id
        return MaskedTokens(mask, top_k, max_masks, tokenizer.id_to_token(mask))

    def _tokenizer(self):
        tokenizer = getattr(self.preprocessor, "tokenizer", None)
        if tokenizer is None:
            raise InputError("the task has no preprocessor to tell what <mask> is; give it one")
        return tokenizer

    def _has_token(self):
        """Which rows of the embedding a token has: bool (vocabulary_size,)."""
        rows = np.arange(self.backbone.config.vocabulary_size)
        return np.isin(rows, list(self._tokenizer().vocabulary.values()))

    def default_loss(self):
        """The mean over masked positions, however few a row has."""
        # Keras would divide by all columns, the unused ones included.
        return VocabularyCrossEntropy(reduction="mean_with_sample_weight")

    def compile(self, optimizer="auto", loss="auto", *, weighted_metrics="auto", **kwargs):
        """As `RobertaTask.compile`.

        Args:
            weighted_metrics: "auto" for the accuracy at masked positions.
        """
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        super().compile(optimizer, loss, weighted_metrics=weighted_metrics, **kwargs)

    def check_targets(self, y):
        return np.asarray(y)  # `prepare_batches` leaves them out

    def prepare_batches(self, dataset, predicting=False):
        if isinstance(dataset.element_spec, tuple):
            dataset = dataset.map(lambda features, *_: features)  # the targets are made here
        preprocessor = self._preprocessor_for("hide tokens of it")
        prepare = preprocessor.mask
        if predicting:
            # One width for all batches, since Keras stacks their outputs.
            width = dataset.map(preprocessor.count_masks).reduce(1, tf.maximum)

            def prepare(features):
                return preprocessor.find_masks(features, width)

        return dataset.map(prepare, num_parallel_calls=2).prefetch(4)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        """Raw strings as features with the places of their `<mask>`; see `RobertaTask`."""
        if self.preprocessor is None or not self.needs_tokenizing(x):
            return super().preprocess_samples(x, y, sample_weight)
        return (self.preprocessor.find_masks(self._features(x)),)

    def predict(self, x, batch_size=None, **kwargs):
        """Logits of each `<mask>`, (rows, most masks, vocabulary_size); NaN where a text has fewer.

        Args:
            x: see `RobertaTask.predict`. Of token ids without `mask_positions` the preprocessor
                finds them.

        Raises:
            InputError: a text has no `<mask>`, or it was cut away; or there are no `mask_positions`
                and no preprocessor.
        """
        return self._answered(x, super().predict(self._with_masks(x), batch_size, **kwargs))

    def predict_on_batch(self, x):
        """As `keras.Model.predict_on_batch`; for strings see `predict`."""
        return self._answered(x, super().predict_on_batch(self._with_masks(x)))

    def _with_masks(self, x):
        """Token ids with the places of `<mask>` in them; anything else as it is."""
        x = self._checked_features(x)
        if self.preprocessor is None and hasattr(x, "shape") and not holds_strings(x):
            x = {"token_ids": x}
        features = getattr(x, "element_spec", x)
        features = features[0] if isinstance(features, tuple) and features else features
        if not isinstance(features, Mapping) or "token_ids" not in features:
            return x
        if "mask_positions" in features:
            return x
        preprocessor = self._preprocessor_for("find <mask>; or give mask_positions")
        if features is not x:  # a dataset
            return self.prepare_batches(x, predicting=True)
        found = preprocessor.find_masks({"token_ids": np.asarray(x["token_ids"])})
        return {**x, "mask_positions": np.asarray(found["mask_positions"])}

    def _preprocessor_for(self, purpose):
        if self.preprocessor is None:
            raise InputError(f"the task has no preprocessor; make it with one to {purpose}")
        return self.preprocessor

    def predict_step(self, *args):
        # `<s>` stands at 0, so that no mask does: there is nothing to answer.
        x, _, _ = keras.utils.unpack_x_y_sample_weight(args[-1])
        there = x["mask_positions"][..., None] > 0  # (batch, masks, 1)
        outputs = super().predict_step(*args)
        if isinstance(outputs, tuple):  # with JAX's state
            return keras.ops.where(there, outputs[0], np.nan), *outputs[1:]
        return keras.ops.where(there, outputs, np.nan)

    def _answered(self, x, logits):
        if not (isinstance(x, dict) and "token_ids" in x) and self.preprocessor is not None:
            num_masks = (~np.isnan(logits[..., 0])).sum(axis=1)
            asked = x if isinstance(x, (str, list, np.ndarray)) else None
            self.schema.check_answered(asked, {"num_masks": num_masks})
        return logits

    def train_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """As `keras.Model.train_on_batch`; raw strings are masked here."""
        return super().train_on_batch(*self._masked(x, y, sample_weight), **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """As `keras.Model.test_on_batch`; raw strings are masked here."""
        return super().test_on_batch(*self._masked(x, y, sample_weight), **kwargs)

    def _masked(self, x, y, sample_weight):
        refuse_stream("fit or evaluate", x)
        if self._takes_as_texts(x):
            return self.preprocessor.mask(self._features(x))
        if y is None and isinstance(x, Mapping):
            return self._preprocessor_for("hide tokens of it").mask(self._completed(x))
        return x, y, sample_weight

    def _completed(self, features):
        """Token ids and padding mask as arrays, the mask made where there is none."""
        features = {n: np.asarray(value) for n, value in self._checked_features(features).items()}
        if "padding_mask" not in features:
            features["padding_mask"] = (features["token_ids"] != self.pad_token_id).astype("int32")
        return features

    def _features(self, x):
        """Texts as one batch of `token_ids` and `padding_mask`."""
        examples = self._checked_examples(x)
        return examples.batch(np.arange(examples.num_units))

    # === Answers ===

    def named_outputs(self, x, batch_size=None, *, top_k=5, targets=None, candidates=None):
        """The likeliest tokens for each `<mask>`; see `MaskedLMExportedHead`.

        Args:
            x: texts, or features with `token_ids` and `padding_mask`.
            batch_size: texts at once; 32 by default.
            top_k: candidates for each mask.
            targets: the only candidates, texts of one token such as `" film"`; all tokens by
                default. Scores are those among all tokens.
            candidates: the same as words, see `fill_mask`.

        Raises:
            InputError: a target or a candidate is not one token, or both are given.
        """
        if targets is not None and candidates is not None:
            raise InputError("targets and candidates: give one of the two")
        check_numbers(batch_size=batch_size)
        has_token = self._has_token()
        _check_count("top_k", top_k, int(has_token.sum()))
        among = None if targets is None else self._target_ids(targets)
        features = x
        if not (isinstance(x, dict) and "token_ids" in x):
            texts, pairs = texts_and_pairs(x)
            if pairs is not None:
                raise InputError("a masked language model takes single texts, not pairs")
            if not len(texts):
                raise InputError("there are no texts")
            features = self.preprocessor(list(texts))
        features = self._completed(features)
        tokenizer, token_ids = self.preprocessor.tokenizer, features["token_ids"]
        is_mask = (token_ids == tokenizer.mask_token_id) & (features["padding_mask"] > 0)
        num_masks = is_mask.sum(axis=1).astype("int32")  # (rows,)
        if candidates is not None:
            among = candidate_ids(tokenizer, candidates, is_mask)
        found = []
        size = batch_size or _ROWS_AT_ONCE
        for start in range(0, len(token_ids), size):
            part = {k: v[start : start + size] for k, v in features.items()}
            width = max(int(num_masks.max(initial=0)), 1)
            part = {k: np.asarray(v) for k, v in self.preprocessor.find_masks(part, width).items()}
            logits = keras.ops.convert_to_numpy(self.predict_on_batch(part))
            of_part = among if among is None or among.ndim == 1 else among[start : start + size]
            found.append(mask_candidates(logits, has_token, top_k, of_part))
        there = np.arange(found[0]["token_ids"].shape[1]) < num_masks[:, None]  # (rows, masks)
        outputs = {
            name: np.where(
                there[..., None], np.concatenate([part[name] for part in found]), NOTHING[name]
            )
            for name in found[0]
        }
        filled = token_ids.copy()
        rows, places = np.nonzero(is_mask)
        number = (np.cumsum(is_mask, axis=1) - 1)[rows, places]
        filled[rows, places] = outputs["token_ids"][rows, number, 0]
        filled = tokenizer.decode_batch(
            [row[kept > 0] for row, kept in zip(filled, features["padding_mask"], strict=True)]
        )
        outputs |= {"filled": np.array(filled, object), "num_masks": num_masks}
        return self.schema.spell(self._schema(top_k).finish(outputs), tokenizer)

    def fill_mask(self, x, top_k=5, candidates=None):
        """The likeliest words for each `<mask>`, each with the text that it makes.

        Args:
            x: a text with `<mask>` in it, or a list of them.
            top_k: how many for each mask, the likeliest first.
            candidates: the only words to choose from; all tokens by default. A word is taken with
                the space in front of it that it has in a text, but for a mask that begins one.

        Returns:
            For a text with one mask a list of dicts: `token_id`; `token`, its text, with the space
            in front of a word; `score`, its probability among all tokens; `filled`, the text with
            it in place of the mask. With several masks a list of such lists, in whose texts the
            other masks stay. For a list of texts a list of these.

        Raises:
            InputError: a text has no mask, or a candidate is not one token.
        """
        return fill_mask(self, x, top_k, candidates)

    def _target_ids(self, targets):
        """Each once, int64 (targets,)."""
        targets = [targets] if isinstance(targets, str) else list(targets)
        if not targets:
            raise InputError("targets: give one or more texts, or leave it out for all tokens")
        rows = self.preprocessor.tokenizer.encode_batch(targets, add_special_tokens=False)
        for text, row in zip(targets, rows, strict=True):
            if len(row) != 1:
                raise InputError(
                    f"targets: {text!r} has {len(row)} tokens; give texts of one token each, words "
                    "with the space in front of them"
                )
        return np.array(list(dict.fromkeys(row[0] for row in rows)))

    def exported_head(self, top_k=5, max_masks=None):
        schema, has_token = self._schema(top_k, max_masks), self._has_token()
        _check_count("top_k", top_k, int(has_token.sum()))
        if max_masks is not None:
            _check_count("max_masks", max_masks, self.backbone.config.max_sequence_length)
        return MaskedLMExportedHead(schema, has_token)

    # === Checkpoints ===

    def head_weights_by_name(self):
        return masked_lm_head_weights(self.head)

    hugging_face = HuggingFaceHead(
        "RobertaForMaskedLM", masked_lm_weights, ("lm_head.",), tied=OUTPUT_PROJECTION
    )

    @staticmethod
    def settings_from_other_task(registered_name, settings):
        if registered_name == "keras_roberta>RobertaPretrainer" and "mlm" in settings["objectives"]:
            return {"preprocessor": settings["preprocessor"]}
        return None

    @staticmethod
    def heads_left_out_of(registered_name, settings):
        return [name for name in settings.get("objectives", ()) if name != "mlm"]


def _check_count(name, value, most):
    if type(value) is not int or not 1 <= value <= most:
        raise OptionError(name, f": expected a whole number in 1..{most}; got {value!r}")
