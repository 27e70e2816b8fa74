"""Regularisation of real tasks: from options to `compile`, for each task, in a compiled step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import every_task, made
from task_cases import CONFIG

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.compress import ClusterOptions, PruneOptions
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.task_training import compile_task

# The shape of a loss for outputs of two rows, of two tokens or options each.
OF_ROWS, OF_TOKENS = (2,), (2, 2)
SHAPES = {"RobertaTokenClassifier": OF_TOKENS, "RobertaMaskedLM": OF_TOKENS}
ALL = {
    "layer_decay": 0.5,
    "confidence_penalty": 0.2,
    "r_drop": 0.4,
    "fgm": 0.6,
    "mixout": 0.7,
    "ema_momentum": 0.9,
}


@every_task
def test_schemas_name_what_the_outputs_allow(case, tokenizer):
    task = made(case, tokenizer)
    distribution = task.output_distribution
    allowed = set() if task.schema_cls is None else task.schema_cls.training_options
    assert ("r_drop" in allowed) == (distribution is not None)
    assert ("confidence_penalty" in allowed) == hasattr(distribution, "entropy")
    if distribution is None:
        return
    random = np.random.default_rng(0)
    one, other = (
        random.normal(size=[2 if size is None else size for size in task.outputs[0].shape])
        for _ in range(2)
    )
    values = np.asarray(distribution.divergence(one, other))
    assert values.shape == SHAPES.get(case.class_name, OF_ROWS) and (values > 0).all()
    assert (np.asarray(distribution.divergence(one, one)) == 0).all()


def test_from_options_to_compile():
    """Without them nothing is put into the step."""
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(CONFIG), num_classes=2)
    compile_task(task, FinetuneOptions())
    config = task.get_compile_config()
    assert config["loss_transforms"] == config["gradient_transforms"] == []
    assert task.optimizer.learning_rate_multipliers is None and not task.optimizer.use_ema

    options = FinetuneOptions(seed=3, **ALL)
    assert FinetuneOptions.from_dict(options.to_dict()) == options
    compile_task(task, options)
    assert task.optimizer.learning_rate_multipliers["(^|/)embeddings/"] == 0.25  # of one layer
    assert task.optimizer.use_ema and task.optimizer.ema_momentum == 0.9
    penalty, r_drop, mixout = task._transforms["loss_transforms"]
    (fgm,) = task._transforms["gradient_transforms"]
    assert (penalty.beta, r_drop.alpha, fgm.epsilon) == (0.2, 0.4, 0.6)
    assert (mixout.rate, mixout.seed, len(mixout.variables)) == (0.7, 3, 4)


def trained(jit_compile):
    """The weights of a token classifier after a step.

    R-Drop and the penalty are left out for their time: within a program they are losses like those
    of tests/training/test_training_step.py.
    """
    keras.utils.set_random_seed(1)
    config = CONFIG.replace(
        hidden_dim=16,
        num_heads=2,
        hidden_activation="relu",
        layer_drop=0.2,
        activation_dropout=0.2,
    )
    task = kr.RobertaTokenClassifier(kr.RobertaBackbone(config), num_classes=3)
    task.compile(
        keras.optimizers.SGD(1.0),
        jit_compile=jit_compile,
        loss_transforms=[kr.Mixout(task, 0.5)],
        gradient_transforms=[kr.FastGradientMethod(0.5)],
    )
    random = np.random.default_rng(0)
    ids = random.integers(5, config.vocabulary_size, (4, 6)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    labels = random.integers(0, 3, (4, 6)).astype("int32")
    task.fit(tf.data.Dataset.from_tensors((features, labels)), verbose=0)
    return [np.array(w) for w in task.trainable_variables]


def test_a_compiled_step_is_the_same():
    for weight, other in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(weight, other, atol=2e-5)


@pytest.mark.parametrize(
    ("record", "options", "problem"),
    [
        (FinetuneOptions, {"layer_drop": 1.0}, "layer_drop must be"),
        (FinetuneOptions, {"mixout": 0.0}, "mixout must be"),
        (FinetuneOptions, {"ema_momentum": 1.0}, "ema_momentum must be"),
        (FinetuneOptions, {"fgm": 1.0, "lora_rank": 2}, "fgm and lora_rank: adapters leave"),
        (FinetuneOptions, {"mixout": 0.5, "lora_rank": 2}, "mixout and lora_rank: adapters leave"),
        (PruneOptions, {"mixout": 0.5}, "mixout: cannot be combined with compression"),
        (PruneOptions, {"ema_momentum": 0.5}, "ema_momentum: cannot be combined"),
        (ClusterOptions, {"embeddings": True, "fgm": 1.0}, "embeddings and fgm: clustered"),
        (FinetuneOptions, {"attention_dropout": 1.0}, "attention_dropout must be"),
    ],
)
def test_options_that_do_not_go_together(record, options, problem):
    with pytest.raises(InputError, match=problem):
        record(**options)
