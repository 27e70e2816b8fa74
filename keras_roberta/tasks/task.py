"""The declaration of a task: what each says of itself."""

import inspect
from collections.abc import Mapping

import keras
import numpy as np

from keras_roberta.data.examples.labelled_forms import with_labels, without_labels
from keras_roberta.data.examples.preprocessor import RobertaPreprocessor
from keras_roberta.errors import InputError
from keras_roberta.models.resized_vocabulary import copy_weights
from keras_roberta.models.token_inputs import TokenInputs
from keras_roberta.tasks.class_losses import on_logits, warn_of_misread_outputs
from keras_roberta.tasks.fit_on_texts import FitOnTexts
from keras_roberta.tasks.from_preset import TaskFromPreset
from keras_roberta.training.keras_internals import inner_layers, settle_quantized_policies
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.step.composed_train_step import ComposedTrainStep
from keras_roberta.unknown_arguments import argument_names, refuse_unknown


class RobertaTask(ComposedTrainStep, FitOnTexts, TaskFromPreset, TokenInputs):
    """Mixed into a KerasHub task, before it in the bases.

    A task is declared in one file: a subclass with

        __init__                the head, and which tokens the last block is computed for
        schema_cls, schema      what its examples and answers are (`keras_roberta.schemas`)
        make_examples           inputs and labels -> rows of token ids with what belongs to them
        default_loss,
        default_metrics         what `compile` takes without being told; the loss takes
                                label_smoothing if the schema's training_options name it
        exported_head           the head on the graph of exported models
        head_weights_by_name, hugging_face,
        hugging_face_settings, settings_from_hugging_face
                                the head in checkpoints

    and a line in `tasks/registry.py`.

    Attributes:
        export_options: further options of `exported_head`, with their defaults in a file of fixed
            sizes (`.tflite`); a SavedModel takes those of `exported_head`.
        output_distribution: what the outputs say, as one of `layers.output_distributions`; None
            where they are no probabilities. `RDrop` and `ConfidencePenalty` ask it.
    """

    preprocessor_cls = RobertaPreprocessor
    schema_cls = None
    export_options: dict = {}
    outputs_are_logits = True  # not probabilities, which losses read in another way
    output_distribution = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        settle_quantized_policies(self)

    @property
    def pad_token_id(self):
        return self.backbone.config.pad_token_id

    def resize_vocabulary(self, vocabulary_size=None, *, tokenizer=None, rows=None):
        """A task with the same weights and another number of tokens, compiled anew.

        New rows of the token embedding, and of the output matrix and bias where there are any, are
        near the mean of the others; see `models.resized_vocabulary`.

        Args:
            vocabulary_size: rows of the token embedding; by default as many as the tokenizer needs.
            tokenizer: for the new task's preprocessor, such as this one's with tokens added.
            rows: instead of `vocabulary_size`, the old row of each new one. With a tokenizer of
                fewer tokens, both as `Tokenizer.trimmed` gives them.

        Raises:
            InputError: the tokenizer has more tokens, or the model has adapters.
        """
        settings = self.get_config()
        for name in ("backbone", "preprocessor", "name"):
            del settings[name]
        preprocessor = self.preprocessor
        if tokenizer is not None:
            cls = type(preprocessor) if preprocessor is not None else self.preprocessor_cls
            longest = {"sequence_length": self.backbone.config.max_sequence_length}
            known = preprocessor.get_config() if preprocessor is not None else longest
            preprocessor = cls(tokenizer=tokenizer, **known)
        if vocabulary_size is None and rows is None:
            vocabulary_size = _tokenizer_of(preprocessor).vocabulary_size
            known = getattr(self.preprocessor, "tokenizer", None)
            if known is not None and vocabulary_size < known.vocabulary_size:
                raise InputError(
                    "rows: the tokenizer has fewer tokens than the task's; say which old row each "
                    "token has, as Tokenizer.trimmed does"
                )
        backbone = self.backbone.resize_vocabulary(vocabulary_size, rows=rows)
        resized = type(self)(backbone=backbone, preprocessor=preprocessor, **settings)
        copy_weights(self, resized, rows)
        return resized

    # === What the outputs mean ===

    @property
    def schema(self):
        """The `keras_roberta.schemas.Schema` of the task's examples and answers."""
        raise InputError(f"{type(self).__name__} has no answers of its own; fine-tune it first")

    @property
    def labels(self):
        """Names of the classes, for people to read; the class numbers where none were given."""
        return self.schema.label_names

    @property
    def outputs_per_token(self):
        """Whether the outputs are (rows, length, ...), by the schema."""
        return self.schema_cls is not None and bool(self.schema_cls.ragged_outputs)

    def default_loss(self):
        """What `compile` takes for `loss="auto"`."""
        raise NotImplementedError

    def default_metrics(self):
        """What `compile` takes for `metrics="auto"`."""
        return None

    def exported_head(self, **options):
        """The task's `ExportedHead`.

        Raises:
            InputError: the task has no form for phones and servers.
        """
        raise InputError(f"{type(self).__name__} cannot be exported; fine-tune it first")

    def named_outputs(self, x, batch_size=None):
        """What an exported model of the task gives for texts: named numpy arrays (rows, ...).

        Args:
            x: texts or features, as for `predict`.
        """
        outputs = self.predict(x, batch_size=batch_size, verbose=0)
        return self.schema.with_texts(self.schema.outputs(self.as_logits(outputs)), x)

    def as_logits(self, outputs):
        """What `predict` gives as logits, for tasks that may have an activation on them."""
        return outputs

    def answers(self, x, batch_size=None, *, all_scores=False, **options):
        """Readable predictions: one dict of plain values a text.

        Args:
            x: texts, as for `predict`.
            all_scores: give the probability of every label too, by its name, as `all_scores`.
            options: those of the task's `named_outputs`.

        Raises:
            InputError: the task has no labels to give scores of.
        """
        known = inspect.signature(self.named_outputs).parameters
        refuse_unknown("answers", options, [*known, "all_scores"])
        outputs = self.named_outputs(x, batch_size, **options)
        self.schema.check_answered(x, outputs)
        answers = self.schema.answers(outputs)
        if all_scores:
            for answer, scores in zip(answers, self.schema.all_scores(outputs), strict=True):
                answer["all_scores"] = scores
        return answers

    # === Training ===

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """`keras.Model.compile` with the library's defaults.

        Args:
            optimizer: "auto" for `training.optimizer.finetuning_optimizer()`, whose schedule `fit`
                spreads over its own number of steps; or any Keras optimizer.
            loss, metrics: "auto" for the task's own. A loss by Keras's name, or Keras's function,
                reads the outputs as the logits that they are; of a loss object that reads them
                otherwise there is a warning.
            jit_compile, loss_transforms, gradient_transforms, gradient_accumulation_steps: the
                parts of the step; see `ComposedTrainStep.compile`.
        """
        methods = RobertaTask.compile, ComposedTrainStep.compile, keras.Model.compile
        refuse_unknown("compile", kwargs, argument_names(*methods))
        if optimizer == "auto":
            optimizer = finetuning_optimizer()
        if isinstance(loss, str) and loss == "auto":
            loss = self.default_loss()
        if self.outputs_are_logits:
            loss = on_logits(loss)
        warn_of_misread_outputs(loss, self.outputs_are_logits)
        if isinstance(metrics, str) and metrics == "auto":
            metrics = self.default_metrics()
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    # === Saving ===

    def get_config(self):
        """As KerasHub's. The backbone's dtype names the quantised layers of the head, too: the head
        takes its own from there."""
        config = super().get_config()
        quantized = {
            layer.path: layer.dtype_policy
            for layer in inner_layers(self)
            if layer.quantization_mode is not None
        }
        if quantized:
            policies = keras.dtype_policies.DTypePolicyMap(policy_map=quantized)
            config["backbone"]["config"]["dtype"] = keras.dtype_policies.serialize(policies)
        return config

    # === From inputs to examples ===

    @property
    def learns_from_labels(self):
        """Whether `fit` needs labels, by the schema."""
        return self.schema_cls is None or self.schema_cls.has_targets

    def needs_tokenizing(self, x):
        """Whether `x`, in memory, is for `make_examples`; else it is tokenised already."""
        return not (isinstance(x, Mapping) and "token_ids" in x)

    def labels_apart(self, x):
        """Data that brings its labels along as (x, y, sample_weight); None for what it lacks."""
        return with_labels(x)

    def without_labels(self, x):
        """What is asked, without labels that come along."""
        return without_labels(x, getattr(self.preprocessor, "labels", None))

    def make_examples(self, x, y=None, sample_weight=None):
        """Inputs and labels as rows of token ids with what belongs to them.

        Args:
            x: texts, in a form that the preprocessor takes.
            y, sample_weight: one value a text, or None.

        Returns:
            `keras_roberta.data.examples.examples.Examples`

        Raises:
            InputError: a text or label does not fit, or their number, or there are weights alone.
        """
        from keras_roberta.data.examples.examples import Examples, checked_weights
        from keras_roberta.data.examples.ragged import Ragged

        if y is None and sample_weight is not None and self.learns_from_labels:
            raise InputError("sample_weight: weighs labels, but there are none; give y too")
        return Examples(
            self.preprocessor,
            Ragged(*self.preprocessor.tokenize(x)),
            targets=None if y is None else self.check_targets(y),
            sample_weight=None if sample_weight is None else checked_weights(sample_weight),
        )

    def check_targets(self, y):
        """Labels as this task's loss takes them.

        Raises:
            InputError: names the label that does not fit.
        """
        return np.asarray(y) if self.schema_cls is None else self.schema.targets(y)

    def prepare_batches(self, dataset, predicting=False):
        """A last step over batches of features, for tasks that make their own targets."""
        return dataset


def _tokenizer_of(preprocessor):
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if tokenizer is None:
        raise InputError("vocabulary_size: give it, or a tokenizer")
    return tokenizer
