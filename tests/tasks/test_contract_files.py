"""What every task is, and its presets and checkpoints; `task_cases.py` holds what differs."""

import json
import shutil

import keras
import numpy as np
import pytest
from contract import assert_equal, every_task, made, randomized
from task_cases import CASES, TEXTS

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.schemas import schema_from_dict
from keras_roberta.tasks.registry import TASKS, commands


@every_task
def test_the_registry_lists_it(case):
    (entry,) = [entry for entry in TASKS if entry.class_name == case.class_name]
    cls = getattr(kr, case.class_name)
    assert entry.load() is cls and cls.__doc__ and entry.summary
    assert (entry.command in commands()) == (case.table is not None)
    ours = {entry.class_name for entry in TASKS if entry.module.startswith("keras_roberta.")}
    assert ours == {case.class_name for case in CASES}


@every_task
def test_presets_keras_files_and_weights(case, tokenizer, tmp_path):
    task = made(case, tokenizer)
    expected = task.predict(case.asked, verbose=0)
    task.save_to_preset(tmp_path / "preset")
    task.save(tmp_path / "task.keras")
    task.save_weights(tmp_path / "task.weights.h5")
    again = type(task).from_preset(tmp_path / "preset")
    keras_file = keras.models.load_model(tmp_path / "task.keras")
    other = case.make(tokenizer)
    other.load_weights(tmp_path / "task.weights.h5")
    opened = kr.open_task(tmp_path / "preset")
    for copy in (again, keras_file, other, opened):
        assert type(copy) is type(task)
        assert_equal(copy.get_weights(), task.get_weights(), 0)
        if task.schema_cls is not None:
            assert copy.schema == task.schema
    for copy in (again, keras_file):
        assert_equal(copy.predict(case.asked, verbose=0), expected)
    assert again.preprocessor.get_config() == task.preprocessor.get_config()


@every_task
def test_a_new_head_on_a_preset(case, tokenizer, tmp_path):
    task = made(case, tokenizer)
    task.save_to_preset(tmp_path / "preset")
    arguments = case.head or {"load_head": False}
    new = type(task).from_preset(tmp_path / "preset", sequence_length=16, **arguments)
    assert new.preprocessor.sequence_length == 16
    for name, weight in new.backbone.weights_by_name().items():
        np.testing.assert_array_equal(weight, task.backbone.weights_by_name()[name])
    heads = new.head_weights_by_name(), task.head_weights_by_name()
    if not heads[1]:  # no weights that could start anew, and the settings stay
        assert new.schema == task.schema
        return
    name = "out/kernel" if "out/kernel" in heads[0] else "dense/kernel"
    assert heads[0][name].shape != heads[1][name].shape or not np.allclose(
        *(head[name] for head in heads)
    )


@every_task
def test_an_argument_that_nobody_takes(case, tokenizer, tmp_path):
    made(case, tokenizer).save_to_preset(tmp_path / "preset")
    with pytest.raises(InputError, match="no argument 'sequence_lenght'; did you mean"):
        getattr(kr, case.class_name).from_preset(tmp_path / "preset", sequence_lenght=3)


@every_task
def test_answers_are_plain_and_the_schema_is_kept(case, tokenizer):
    task = made(case, tokenizer)
    if task.schema_cls is None:
        with pytest.raises(InputError, match="no answers|takes batches of"):
            task.answers(TEXTS)
        return
    answers = task.answers(case.asked)
    assert json.loads(json.dumps(answers)) == answers and len(answers) == len(case.asked)
    assert all(tuple(answer) == case.answer for answer in answers)
    values = json.loads(json.dumps(task.schema.to_dict()))
    assert schema_from_dict(values) == task.schema
    outputs = task.named_outputs(case.asked)
    comparison = task.schema.compare(outputs, outputs)
    assert comparison.agreement in (None, 1.0) and comparison.largest_change == 0.0


@every_task
def test_to_hugging_face_and_back(case, tokenizer, tmp_path):
    task = made(case, tokenizer)
    if task.hugging_face is None:
        with pytest.raises(InputError, match="no place for"):
            task.save_to_hugging_face(tmp_path / "hf")
        return
    if case.class_name == "RobertaPretrainer":  # other heads than masked tokens have no place
        task = randomized(case.make(tokenizer, objectives=("mlm",)))
    task.save_to_hugging_face(tmp_path / "hf")
    config = json.loads((tmp_path / "hf/config.json").read_text())
    assert config["architectures"] == [case.architecture]
    assert config.get("problem_type") == case.problem_type
    opens = type(task).from_preset if task.schema_cls is None else kr.open_task
    again = opens(tmp_path / "hf")
    assert type(again) is type(task)
    for name, weight in task.head_weights_by_name().items():
        np.testing.assert_allclose(again.head_weights_by_name()[name], weight, atol=1e-7)
    if task.schema_cls is not None:
        assert again.schema == task.schema
        assert_equal(
            again.predict(case.asked, verbose=0), task.predict(case.asked, verbose=0), 1e-5
        )


@every_task
def test_a_damaged_preset_is_named(case, tokenizer, tmp_path):
    made(case, tokenizer).save_to_preset(tmp_path / "preset")
    copy = shutil.copytree(tmp_path / "preset", tmp_path / "copy")
    path = next(p for p in (copy / "task.weights.h5", copy / "model.weights.h5") if p.exists())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=path.name):
        getattr(kr, case.class_name).from_preset(copy)


@every_task
def test_a_quantised_task_is_saved_as_it_is(case, tokenizer, tmp_path):
    """Int8 weights have a meaning only together with their scales, which other formats lack."""
    layers = ".*(dense|logits|query_key_value|_embedding)"  # those that `quantize` changes
    policies = {layers: keras.dtype_policies.get("int8_from_float32")}
    dtype = keras.dtype_policies.DTypePolicyMap(policy_map=policies)
    cls, task = getattr(kr, case.class_name), randomized(case.make(tokenizer, dtype=dtype))
    task.save_to_preset(tmp_path / "preset")
    again = cls.from_preset(tmp_path / "preset")
    dtypes = [weight.dtype for weight in again.weights]
    assert "int8" in dtypes and dtypes == [weight.dtype for weight in task.weights]
    assert_equal(again.get_weights(), task.get_weights())
    again.save_to_preset(tmp_path / "again")
    with pytest.raises(InputError, match=r"model\.weights\.h5: does not hold"):
        cls.from_preset(tmp_path / "preset", dtype="float32")
    with pytest.raises(InputError, match="embeddings/token is int8"):
        cls.from_preset(tmp_path / "preset", max_sequence_length=64)
    with pytest.raises(InputError, match=r"is int8: give the model as it was before"):
        task.save_to_hugging_face(tmp_path / "hf", drop_heads=True)
    assert not (tmp_path / "hf").exists()
