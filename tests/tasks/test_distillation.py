"""A student with fewer layers, and what it learns of its teacher."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_cases import CASES, CONFIG

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.tasks.student import student_of
from keras_roberta.training.optimizer import finetuning_optimizer
from keras_roberta.training.step.distillation import Distillation

DEEP = CONFIG.replace(num_layers=3, dropout=0.0, attention_dropout=0.0)
# Several options, a label a token, masks; the formula is tried on one label a row.
TAUGHT = ("RobertaMultipleChoice", "RobertaTokenClassifier", "RobertaMaskedLM")
OF_EVERY_SHAPE = [case for case in CASES if case.class_name in TAUGHT]


def make_teacher(case, tokenizer):
    keras.utils.set_random_seed(3)
    teacher = case.make(tokenizer, DEEP)
    random = np.random.default_rng(5)
    for weight in teacher.trainable_weights:  # a head that starts random says little
        weight.assign(np.array(weight) + random.normal(0, 0.1, weight.shape))
    return teacher


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.class_name)
def test_a_student_begins_with_layers_of_its_teacher(case, tokenizer):
    teacher = make_teacher(case, tokenizer)
    student = student_of(teacher, 2)
    assert type(student) is type(teacher) and student.backbone.config.num_layers == 2
    if teacher.schema_cls is not None:
        assert student.schema == teacher.schema
    ours, theirs = (task.backbone.weights_by_name() for task in (student, teacher))
    for name, weight in ours.items():
        of_teacher = name.replace("block_1", "block_2")  # the first and the last of three
        np.testing.assert_array_equal(weight, theirs[of_teacher])
    for name, weight in student.head_weights_by_name().items():
        np.testing.assert_array_equal(weight, teacher.head_weights_by_name()[name])


@pytest.mark.parametrize("case", OF_EVERY_SHAPE, ids=lambda case: case.class_name)
def test_a_student_learns_from_its_teacher_alone(case, tokenizer):
    teacher = make_teacher(case, tokenizer)
    student = student_of(teacher, 1)
    transform = Distillation(teacher, label_weight=0.0, hidden_weight=0.1)
    student.compile(finetuning_optimizer(3e-3, weight_decay=0.0), loss_transforms=[transform])
    before = [np.array(weight) for weight in teacher.weights]
    history = student.fit(case.rows, case.y, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    for weight, old in zip(teacher.weights, before, strict=True):
        if "seed" not in weight.path:
            np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_loss_is_that_of_the_formula(jit_compile, tokenizer):
    (case,) = [case for case in CASES if case.class_name == "RobertaTextClassifier"]
    teacher = make_teacher(case, tokenizer)
    student = student_of(teacher, 1)
    transform = Distillation(teacher, label_weight=0.3, logit_weight=0.7, hidden_weight=0.2)
    student.compile(
        finetuning_optimizer(1e-3), loss_transforms=[transform], jit_compile=jit_compile
    )
    features = student.preprocessor(list(case.x))
    of_labels = student.evaluate(list(case.x), case.y, verbose=0, return_dict=True)["loss"]
    ours, theirs = (task.predict(list(case.x), verbose=0) for task in (student, teacher))
    real = np.array(features["padding_mask"]) > 0
    hidden = [
        np.array(task.backbone.hidden_states(features)[-1])[real] for task in (student, teacher)
    ]
    expected = (
        0.3 * of_labels
        + 0.7 * np.mean((ours - theirs) ** 2)
        + 0.2 * np.mean((hidden[0] - hidden[1]) ** 2)
    )
    found = student.fit(list(case.x), case.y, batch_size=10, verbose=0).history["loss"][0]
    assert found == pytest.approx(expected, rel=1e-4)


def test_padding_does_not_count(tokenizer):
    (case,) = [case for case in CASES if case.class_name == "RobertaTokenClassifier"]
    teacher = make_teacher(case, tokenizer)
    features = {k: np.array(v) for k, v in teacher.preprocessor(case.x[:2]).items()}
    pad = teacher.pad_token_id
    wider = {
        "token_ids": np.pad(features["token_ids"], [(0, 0), (0, 8)], constant_values=pad),
        "padding_mask": np.pad(features["padding_mask"], [(0, 0), (0, 8)]),
    }
    losses = []
    for x in (features, wider):
        student = student_of(teacher, 1)
        student.compile(loss_transforms=[Distillation(teacher, label_weight=0.0)])
        y = np.zeros(x["token_ids"].shape, int)
        losses.append(float(student.train_on_batch(x, y, return_dict=True)["loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_refused(tokenizer):
    teacher = make_teacher(CASES[0], tokenizer)
    for number in (0, 3, 7, 1.5, True):
        with pytest.raises(InputError, match="num_layers: the teacher has 3 layers"):
            student_of(teacher, number)
    with pytest.raises(InputError, match="label_weight: expected a number"):
        Distillation(teacher, label_weight=-1)
    with pytest.raises(InputError, match="nothing is learnt"):
        Distillation(teacher, logit_weight=0)
    narrow = CASES[0].make(tokenizer, DEEP.replace(hidden_dim=16, num_layers=1))
    narrow.compile(loss_transforms=[Distillation(teacher, hidden_weight=1.0)])
    with pytest.raises(InputError, match="16 numbers, the teacher's 32"):
        narrow.fit(CASES[0].x, CASES[0].y, verbose=0)
    other = kr.RobertaTextClassifier(kr.RobertaBackbone(DEEP.replace(num_layers=1)), 3)
    other.compile(loss_transforms=[Distillation(teacher)])
    with pytest.raises(InputError, match="student answers the same questions"):
        other.train_on_batch(teacher.preprocessor(CASES[0].x), np.zeros(10, int))
    pretrainer = make_teacher(CASES[-1], tokenizer)
    several = student_of(pretrainer, 1)
    several.compile(loss_transforms=[Distillation(pretrainer)])
    with pytest.raises(InputError, match="tasks with one output"):
        several.fit(CASES[-1].rows, verbose=0)
    teacher.backbone.enable_lora(2)
    with pytest.raises(InputError, match="adapters"):
        student_of(teacher, 1)


def test_under_a_strategy(tokenizer):
    with tf.distribute.OneDeviceStrategy("cpu:0").scope():
        teacher = make_teacher(CASES[0], tokenizer)
        student = student_of(teacher, 1)
        student.compile(finetuning_optimizer(1e-3), loss_transforms=[Distillation(teacher)])
    history = student.fit(CASES[0].x, CASES[0].y, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert isinstance(student, kr.RobertaTextClassifier)
