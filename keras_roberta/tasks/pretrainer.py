"""Several pre-training objectives at once over one encoder."""

import logging

import keras
import keras_hub
from keras import ops

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.data.pretraining.batch_options import OBJECTIVES
from keras_roberta.errors import InputError
from keras_roberta.layers import ClassificationHead, MaskedLMHead, TokenClassificationHead
from keras_roberta.layers.cross_entropy import VocabularyCrossEntropy
from keras_roberta.layers.gather import FIRST, first_token
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.masked_lm import RobertaMaskedLM, masked_lm_head_weights
from keras_roberta.tasks.task import RobertaTask
from keras_roberta.training.optimizer.pretraining import pretraining_optimizer

logger = logging.getLogger("keras_roberta")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaPretrainer(RobertaTask, keras_hub.models.Task):
    """RoBERTa with one head an objective, trained together.

        mlm     the tokens at `mask_positions`          (batch, predictions, vocabulary_size)
        sop     whether two segments were swapped       (batch, 2)
        nsp     whether the second is from elsewhere    (batch, 2)
        choice  which of `num_choices` rows is true     (batch / num_choices, num_choices)
        tokens  the class of every token                (batch, length, len(token_labels))

    "sop" is ALBERT's (section 3.1), "nsp" BERT's (section 3.1). The rows of a choice follow one
    another; classes of tokens are for example their languages.

    The vocabulary is projected onto at masked positions alone. `fit` takes the batches of
    `keras_roberta.data.pretraining`: `(features, targets, sample_weights)`, the last two dicts
    with one entry an objective. A preset of it is one for every task; `RobertaMaskedLM` finds its
    head there too.

    Args:
        backbone: a `RobertaBackbone`.
        objectives: any of the above.
        loss_weights: dict of factors, 1 where one is left out.
        num_choices: rows a question, for "choice".
        token_labels: names of the classes, for "tokens".
        preprocessor: a `RobertaMaskedLMPreprocessor`; a preset takes its tokenizer along.

    Call arguments:
        inputs: dict of `token_ids`, `padding_mask`, int (batch, length), and for "mlm"
            `mask_positions`, int (batch, predictions).

    Returns:
        dict of float32 logits by objective.
    """

    backbone_cls = RobertaBackbone
    preprocessor_cls = RobertaMaskedLMPreprocessor
    weighs_parts = True  # `_shares` does

    def __init__(
        self,
        backbone,
        objectives=("mlm", "sop"),
        loss_weights=None,
        num_choices=None,
        token_labels=None,
        preprocessor=None,
        **kwargs,
    ):
        objectives, loss_weights = tuple(objectives), dict(loss_weights or {})
        _check(objectives, loss_weights, num_choices, token_labels)

        # === Config, which `compile` reads ===
        self.objectives = objectives
        self.loss_weights = loss_weights
        self.num_choices = num_choices
        self.token_labels = tuple(token_labels) if token_labels else None

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        config, dtype = backbone.config, backbone.dtype_policy
        self.heads = {}
        for objective in objectives:
            arguments = dict(
                config=config,
                dtype=dtype,
                name="masked_lm_head" if objective == "mlm" else f"{objective}_head",
            )
            if objective == "mlm":
                head = MaskedLMHead(token_embedding=backbone.token_embedding, **arguments)
            elif objective == "tokens":
                head = TokenClassificationHead(num_classes=len(token_labels), **arguments)
            else:
                num_classes = 1 if objective == "choice" else 2
                head = ClassificationHead(num_classes=num_classes, **arguments)
            self.heads[objective] = head

        # === Functional model ===
        inputs = dict(backbone.input)
        if "mlm" in objectives:
            inputs["mask_positions"] = keras.Input((None,), dtype="int32", name="mask_positions")
        outputs = self._outputs(inputs)
        if "choice" in objectives:
            # (batch, 1), the rows of a question one after the other.
            outputs["choice"] = ops.reshape(outputs["choice"], (-1, num_choices))
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)

    def _outputs(self, inputs):
        """Dict of symbolic logits, the encoder's last block computed for the tokens needed."""
        masked = inputs.get("mask_positions")
        first = first_token(inputs["padding_mask"])  # (batch, 1)
        hidden, of_text = None, None  # of every token, and of `<s>`
        at_masked = ()
        if "tokens" in self.heads:
            hidden = self.backbone.output_at(None)
            of_text = ops.take_along_axis(hidden, first[:, :, None], axis=1)
            at_masked = hidden, masked
        elif masked is None:
            of_text = self.backbone.output_at(FIRST)
        elif len(self.heads) == 1:
            at_masked = (self.backbone.output_at(masked),)
        else:
            of_text = self.backbone.output_at(ops.concatenate([first, masked], axis=1))
            at_masked = (of_text[:, 1:],)
        arguments = {"mlm": at_masked, "tokens": (hidden,)}
        return {
            objective: head(*arguments.get(objective, (of_text,)))
            for objective, head in self.heads.items()
        }

    def get_config(self):
        return {
            **super().get_config(),
            "objectives": list(self.objectives),
            "loss_weights": self.loss_weights,
            "num_choices": self.num_choices,
            "token_labels": self.token_labels and list(self.token_labels),
        }

    # === Training ===

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        loss_weights="auto",
        weighted_metrics="auto",
        **kwargs,
    ):
        """`keras.Model.compile`; cross-entropy of each objective by default.

        The loss of an objective is the mean over its positions in the whole batch, weighted by the
        sample weights; the logs hold it as `mlm_loss` and so on, with `mlm_accuracy` and
        `mlm_perplexity`.

        Args:
            optimizer: "auto" for `pretraining_optimizer()`, whose schedule `fit` spreads over its
                own number of steps; or any Keras optimizer.
            loss: a dict of losses that sum what sample weights scale; "auto" for cross-entropy.
            loss_weights: "auto" for those of the constructor.
            weighted_metrics: "auto" for the accuracies.
            Others: as in `RobertaTask.compile`. `gradient_accumulation_steps` must divide a batch.
        """
        names = list(self.heads)
        if optimizer == "auto":
            optimizer = pretraining_optimizer()
        if loss == "auto":
            # A sum: `_shares` makes it the mean, over more than one part too.
            loss = {
                name: VocabularyCrossEntropy(reduction="sum")
                if name == "mlm"
                else keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
                for name in names
            }
        if loss_weights == "auto":
            loss_weights = {name: float(self.loss_weights.get(name, 1.0)) for name in names}
        if weighted_metrics == "auto":
            # Keras puts the objective's name in front where there are several.
            accuracy = "accuracy" if names[1:] else f"{names[0]}_accuracy"
            weighted_metrics = {
                name: [keras.metrics.SparseCategoricalAccuracy(name=accuracy)] for name in names
            }
        self._loss_scale_alone = (loss_weights or {}).get(names[0], 1.0)
        super().compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )

    def train_step(self, *arguments):
        *state, data = arguments  # on JAX the state comes first
        return super().train_step(*state, self._shares(data, self.gradient_accumulation_steps))

    def test_step(self, *arguments):
        *state, data = arguments
        return super().test_step(*state, self._shares(data, 1))

    def _shares(self, data, parts):
        """A batch whose sample weights sum to `parts` in each objective, over all replicas.

        The loss summed over the batch is then the objective's mean times `parts`, and that of each
        of `parts` parts has the size of a mean.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        shares = {}
        for name, target in y.items():
            weight = None if sample_weight is None else sample_weight.get(name)
            weight = ops.ones_like(target, "float32") if weight is None else weight
            total = self._workers.sum_over_replicas(ops.sum(weight))
            shares[name] = ops.divide_no_nan(weight * parts, total)
        return x, y, shares

    def get_metrics_result(self):
        """Keras's, with the perplexity of "mlm", and the same names where it is alone."""
        results = super().get_metrics_result()
        only = self.objectives[0] if len(self.objectives) == 1 else None
        if only:
            results[f"{only}_loss"] = results["loss"] / self._loss_scale_alone
        if "mlm_loss" in results:
            results["mlm_perplexity"] = ops.exp(results["mlm_loss"])
        return results

    def make_examples(self, x, y=None, sample_weight=None):
        raise InputError(
            "RobertaPretrainer takes batches of keras_roberta.data.pretraining; for raw strings "
            "take RobertaMaskedLM"
        )

    # === Presets ===

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """As `RobertaTask.from_preset`; a preset of some objectives is a start for others too.

        Heads of `objectives` that it was not made with start random, named in a warning, as does
        that of "tokens" for other `token_labels`.
        """
        settings = ("objectives", "loss_weights", "num_choices", "token_labels")
        wanted = {name: kwargs.pop(name) for name in settings if name in kwargs}
        if not wanted or open_checkpoint(preset).task_settings(cls) is None:
            return super().from_preset(preset, load_weights=load_weights, **kwargs, **wanted)
        saved = super().from_preset(preset, load_weights=load_weights, **kwargs)
        found = {name: getattr(saved, name) for name in settings}
        if "objectives" in wanted:
            found["loss_weights"] = None
        # Keras finds weights in a file by the order of layers: first as they were saved.
        task = cls(saved.backbone, preprocessor=saved.preprocessor, **found | wanted)
        new = [objective for objective in task.heads if not task._take_head(objective, saved)]
        if new and load_weights:
            logger.warning("%s: has no head for %s; it starts random", preset, ", ".join(new))
        return task

    def _take_head(self, objective, other):
        """Copies another model's head, if it has the same."""
        if objective not in other.heads:
            return False
        if objective == "tokens" and self.token_labels != other.token_labels:
            return False
        pairs = zip(self.heads[objective].weights, other.heads[objective].weights, strict=True)
        for weight, taken in pairs:
            if weight is not taken:  # the embedding, which "mlm" projects on, is the same one
                weight.assign(taken)
        return True

    def head_names(self):
        return list(self.heads)

    def head_weights_by_name(self):
        """The head that Hugging Face's checkpoints may have too."""
        if "mlm" not in self.heads:
            return {}
        return masked_lm_head_weights(self.heads["mlm"])

    hugging_face = RobertaMaskedLM.hugging_face

    @staticmethod
    def settings_from_hugging_face(head, config):
        return {"objectives": ("mlm",)}

    @staticmethod
    def settings_from_other_task(registered_name, settings):
        if registered_name == "keras_roberta>RobertaMaskedLM":
            return {"objectives": ("mlm",), "preprocessor": settings["preprocessor"]}
        return None


def _check(objectives, loss_weights, num_choices, token_labels):
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown or not objectives or len(set(objectives)) < len(objectives):
        raise InputError(
            f"objectives must be different ones of {', '.join(OBJECTIVES)}; got "
            f"{', '.join(objectives) or 'none'}"
        )
    for name, weight in loss_weights.items():
        if name not in objectives:
            raise InputError(f"loss_weights names {name!r}, which is not among the objectives")
        if not weight > 0:
            raise InputError(f"the loss weight of {name} must be positive; got {weight}")
    if "choice" in objectives and (num_choices is None or num_choices < 2):
        raise InputError(f"the objective choice needs num_choices of at least 2; got {num_choices}")
    if "tokens" in objectives and len(token_labels or ()) < 2:
        raise InputError(
            "the objective tokens needs token_labels, the names of two or more classes"
        )
