"""A task out of a preset: encoder, tokenizer and, where the preset has it, the task's head."""

import contextlib
import inspect
import logging

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.matching_tokenizer import check_tokenizer
from keras_roberta.checkpoints.preset_mixin import PresetMixin
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.models.first_values import check_values
from keras_roberta.models.matching_preprocessor import check_preprocessor
from keras_roberta.models.roberta_backbone import OF_BACKBONE, RobertaBackbone
from keras_roberta.tasks.number_arguments import check_numbers
from keras_roberta.unknown_arguments import refuse_unknown

logger = logging.getLogger("keras_roberta")

_OF_KERAS = ("name", "trainable", "compile")  # every task's


class TaskFromPreset(PresetMixin):
    """Mixed into a KerasHub task, before it in the bases. It needs `preprocessor_cls`."""

    def __new__(cls, *args, **kwargs):
        # Before the constructor misses what is misspelt; Keras would pass over it.
        refuse_unknown(cls.__name__, kwargs, {*_constructor_arguments(cls), *_OF_KERAS})
        check_numbers(**kwargs)
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        check_preprocessor(self.preprocessor, self.backbone)
        super().__init__(*args, **kwargs)

    @classmethod
    def from_preset(cls, preset, load_weights=True, *, load_head=True, **kwargs):
        """Builds the task from a preset.

        Args:
            preset: a directory (ours, or a checkpoint of Hugging Face, fairseq or KerasHub as
                downloaded), or "hf://organisation/name".
            load_weights: False for a random start with the preset's shape and tokenizer.
            load_head: False starts a new head where the preset has one.
            **kwargs: constructor arguments of the task, of its preprocessor (`sequence_length`,
                `labels`), and of `RobertaBackbone.from_preset`: `dtype`, `max_sequence_length`,
                `extend_positions`, `attention`, `remat`, `num_layers`, `encoder_dropout`,
                `attention_dropout`, `activation_dropout`, `layer_drop`. `num_classes` asks for a
                new head, as do `labels` of another number; a `sequence_length` beyond the model's
                positions is cut to them.

        Raises:
            InputError: names the file, tensor, field or argument that is wrong.
        """
        cls._check_arguments(kwargs)
        source = open_checkpoint(preset)
        # A head of another size cannot be the saved one; KerasHub's rule is that giving
        # `num_classes` at all means a new head.
        saved = None
        if load_head and "num_classes" not in kwargs:
            saved = source.task_settings(cls)
            labels = kwargs.get("labels")
            if saved and labels and len(labels) != saved.get("num_classes", len(labels)):
                saved = None  # the names ask for a head of another size
        settings = saved or {}
        of_saved_backbone = settings.pop("backbone", {})
        backbone = kwargs.pop("backbone", None)
        if backbone is None:
            if kwargs.get("max_sequence_length"):
                kwargs.setdefault("sequence_length", kwargs["max_sequence_length"])
            given = {name: kwargs.pop(name) for name in OF_BACKBONE if name in kwargs}
            given = {name: value for name, value in given.items() if value is not None}
            of_backbone = of_saved_backbone | given
            backbone = RobertaBackbone.from_preset(preset, load_weights, **of_backbone)
        preprocessing = settings.pop("preprocessor", None) or {}
        preprocessing |= {
            name: kwargs.pop(name) for name in cls.preprocessor_cls.settings if name in kwargs
        }
        if "preprocessor" not in kwargs:
            longest = backbone.config.max_sequence_length  # there is no position beyond
            preprocessing["sequence_length"] = min(
                preprocessing.get("sequence_length") or longest, longest
            )
            tokenizer = source.tokenizer()
            check_tokenizer(tokenizer, source.config, source.directory)
            with _settings_of(source, cls.preprocessor_cls):
                preprocessor = cls.preprocessor_cls(tokenizer=tokenizer, **preprocessing)
            settings["preprocessor"] = preprocessor
        arguments = settings | kwargs
        cls.check_head(source, arguments, found=saved is not None, load_head=load_head)
        with _settings_of(source, cls):
            task = cls(backbone=backbone, **arguments)
        if load_weights and saved is not None:
            source.load_head(task)
        elif load_weights and load_head and task.has_task_weights():
            missing = ", ".join(task.head_names())
            logger.warning(
                "%s: the head starts random (%s); train it before use", source.directory, missing
            )
        return task

    def check_values(self):
        check_values(self)

    @classmethod
    def _check_arguments(cls, kwargs):
        """Refuses what `from_preset` would pass over."""
        own = _constructor_arguments(cls)
        of_preprocessor = cls.preprocessor_cls.settings
        known = {*own, *of_preprocessor, *OF_BACKBONE, *_OF_KERAS}
        refuse_unknown(f"{cls.__name__}.from_preset", kwargs, known)
        check_numbers(**kwargs)
        if kwargs.get("preprocessor") is not None:
            twice = next((name for name in of_preprocessor if name in kwargs), None)
            if twice:
                raise InputError(
                    f"{twice}: is the preprocessor's; give it to the "
                    f"{cls.preprocessor_cls.__name__} that you made, or leave preprocessor out"
                )
        if kwargs.get("backbone") is not None:
            twice = next((name for name in OF_BACKBONE if kwargs.get(name) is not None), None)
            if twice:
                raise InputError(
                    f"{twice}: is the backbone's; give it to the RobertaBackbone that you made, or "
                    "leave backbone out"
                )

    def head_names(self):
        """What a warning names when the head starts random."""
        return list(self.head_weights_by_name())

    @staticmethod
    def settings_from_other_task(registered_name, settings):
        """Constructor arguments for this task from the saved config of another task that contains
        the same head; None if it does not."""
        return None

    @staticmethod
    def heads_left_out_of(registered_name, settings):
        """The heads of that other task that this one has no place for, by name."""
        return []

    @classmethod
    def check_head(cls, source, arguments, *, found, load_head):
        """Called before building; raises where the task cannot be built.

        Args:
            source: the opened checkpoint.
            arguments: of the constructor, besides the backbone.
            found: whether the checkpoint has the head and it is taken.
            load_head: whether it was asked for.
        """

    def save_task_weights(self, filepath):
        with self._without_optimizer():
            super().save_task_weights(filepath)

    def load_task_weights(self, filepath):
        with self._without_optimizer():
            super().load_task_weights(filepath)

    @contextlib.contextmanager
    def _without_optimizer(self):
        """Keras would put the moments into the file, twice the size of the model."""
        optimizer = getattr(self, "optimizer", None)  # there is none before `compile`
        self.optimizer = None
        try:
            yield
        finally:
            self.optimizer = optimizer


@contextlib.contextmanager
def _settings_of(source, cls):
    """Says where the arguments of a class come from, as far as it is not built for what is wrong.

    Files can name any arguments, and tasks that somebody adds need not check theirs.
    """
    try:
        yield
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
        raise InputError(
            f"{source.directory}: its settings, with the arguments given, make no {cls.__name__} "
            f"({reason_of(error):.300})"
        ) from error


def _constructor_arguments(cls):
    """The names that a task's constructor takes; of one with `**kwargs` those of its bases too,
    but for Keras's."""
    names = set()
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] in ("keras", "keras_hub"):
            break
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names - {"self"}
