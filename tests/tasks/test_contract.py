"""What every task does, for each row of the registry; `task_cases.py` holds what differs."""

import functools
import json
import os
import shutil
import subprocess
import sys

import backend_runs
import keras
import numpy as np
import pytest
from task_cases import CASES, CONFIG, TEXTS

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.schemas import schema_from_dict
from keras_roberta.tasks.registry import TASKS, commands
from keras_roberta.training.optimizer import finetuning_optimizer

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.class_name)
WITH_COMMAND = {entry.class_name: entry.command for entry in TASKS if entry.command}


def arrays(outputs):
    """The arrays of outputs, however they are nested."""
    return [np.asarray(array) for array in keras.tree.flatten(outputs)]


def assert_equal(found, expected, tolerance=1e-5):
    found, expected = arrays(found), arrays(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


def plain_rows(values):
    """The rows of an array, or of a list of arrays, as nested lists."""
    return [np.asarray(row).tolist() for row in values]


def assert_begin_with(found, expected):
    """The rows of a batch are the outputs of each text, which may have an axis of windows; of those
    for tokens padding follows."""
    if isinstance(expected, list):
        expected = [
            np.squeeze(other, 0) if np.ndim(other) > np.ndim(row) else other
            for row, other in zip(found, expected, strict=True)
        ]
        found = [row[: len(other)] for row, other in zip(found, expected, strict=True)]
    assert_equal(found, expected)


def assert_same_values(found, expected):
    """Nested plain values are the same, floating-point numbers nearly."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same_values(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4)
    else:
        assert found == expected


def randomized(task):
    """Biases start at 0 and gains at 1: one that is lost or mistaken would not show."""
    random = np.random.default_rng(7)
    for weight in task.weights:
        if "seed" not in weight.path:
            value = np.array(weight) + random.normal(0, 0.1, weight.shape)
            weight.assign(value.astype(weight.dtype))
    return task


@functools.cache
def made(case, tokenizer):
    """A task with weights that all matter; tests that change it make their own."""
    return randomized(case.make(tokenizer))


def test_the_registry_lists_it(case):
    (entry,) = [entry for entry in TASKS if entry.class_name == case.class_name]
    cls = getattr(kr, case.class_name)
    assert entry.load() is cls and cls.__doc__ and entry.summary
    assert (entry.command in commands()) == (case.table is not None)
    ours = {entry.class_name for entry in TASKS if entry.module.startswith("keras_roberta.")}
    assert ours == {case.class_name for case in CASES}


def test_fit_takes_every_form_of_data(case, tokenizer):
    task = case.make(tokenizer)
    for form, arguments in case.forms().items():
        if form == "pairs" and not task.schema_cls.takes_pairs:
            continue
        if not hasattr(arguments["x"], "element_spec"):
            arguments = {"batch_size": 4, **arguments}
        before = int(task.optimizer.iterations)
        history = task.fit(verbose=0, **arguments).history
        assert int(task.optimizer.iterations) > before, form
        assert np.isfinite(history["loss"]).all(), form
        assert ("val_loss" in history) == (form in ("validated", "split")), form


def test_single_batches(case, tokenizer):
    """Of raw strings."""
    task = case.make(tokenizer)
    if callable(case.x):
        pytest.skip("takes no strings")
    rows = list(case.x)
    predicted = task.predict(case.asked, verbose=0)
    assert_begin_with(task.predict_on_batch(case.asked), predicted)
    assert_begin_with(task.predict_on_batch(task.preprocessor(case.asked)), predicted)
    assert np.isfinite(arrays(task.test_on_batch(rows, case.y))[0])
    before = [np.array(weight) for weight in task.trainable_weights]
    task.compile(finetuning_optimizer(1e-2))
    assert np.isfinite(arrays(task.train_on_batch(rows, case.y))[0])
    after = [np.array(weight) for weight in task.trainable_weights]
    assert any(not np.allclose(old, new) for old, new in zip(before, after, strict=True))


def test_predictions_of_a_stream(case, tokenizer):
    task = made(case, tokenizer)
    if callable(case.x):
        rows = case.asked
        inputs = {k: np.concatenate([batch[k] for batch in rows]) for k in rows.element_spec}
    else:
        rows, inputs = case.make_stream(case.asked).batch(2), case.asked
    assert_equal(task.predict(rows, verbose=0), task.predict(inputs, verbose=0))


def test_fit_compiled_by_xla(case, tokenizer):
    task = case.make(tokenizer)
    task.compile(jit_compile=True)
    history = task.fit(case.rows, case.y, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.slow
def test_it_learns_ten_rows_by_heart(case, tokenizer):
    task = case.make(tokenizer)
    task.compile(finetuning_optimizer(3e-3, weight_decay=0.0))
    task.fit(case.rows, case.y, epochs=case.epochs, verbose=0)
    assert case.learnt(task)


def test_callbacks_of_keras(case, tokenizer, tmp_path):
    task = case.make(tokenizer)
    seen = []
    callbacks = [
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.ModelCheckpoint(tmp_path / "last.weights.h5", save_weights_only=True),
        keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs)),
    ]
    task.fit(case.rows, case.y, epochs=5, verbose=0, callbacks=callbacks)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert len(rows) == 3  # the second epoch is no better by 1e9
    assert "loss" in rows[0] and all("loss" in logs for logs in seen)
    assert (tmp_path / "last.weights.h5").exists()


def test_presets_keras_files_and_weights(case, tokenizer, tmp_path):
    task = made(case, tokenizer)
    expected = task.predict(case.asked, verbose=0)
    task.save_to_preset(tmp_path / "preset")
    task.save(tmp_path / "task.keras")
    task.save_weights(tmp_path / "task.weights.h5")
    again = type(task).from_preset(tmp_path / "preset")
    other = case.make(tokenizer)
    other.load_weights(tmp_path / "task.weights.h5")
    opened = kr.open_task(tmp_path / "preset")
    copies = {
        "preset": again,
        "opened": opened,
        "keras": keras.models.load_model(tmp_path / "task.keras"),
        "weights": other,
    }
    for name, copy in copies.items():
        assert type(copy) is type(task), name
        assert_equal(copy.predict(case.asked, verbose=0), expected)
        if task.schema_cls is not None:
            assert copy.schema == task.schema
    assert again.preprocessor.get_config() == task.preprocessor.get_config()


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


def test_an_argument_that_nobody_takes(case, tokenizer, tmp_path):
    made(case, tokenizer).save_to_preset(tmp_path / "preset")
    with pytest.raises(InputError, match="no argument 'sequence_lenght'; did you mean"):
        getattr(kr, case.class_name).from_preset(tmp_path / "preset", sequence_lenght=3)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(case, dtype, tokenizer):
    task = case.make(tokenizer, dtype=dtype)
    history = task.fit(case.rows, case.y, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    outputs = arrays(task.predict(case.asked, verbose=0))
    in_float32 = arrays(made(case, tokenizer).predict(case.asked, verbose=0))
    for array, expected in zip(outputs, in_float32, strict=True):
        assert array.dtype == "float32"
        # Not finite only where there is nothing to answer, as behind the masks of a text.
        np.testing.assert_array_equal(np.isfinite(array), ~np.isnan(expected))


def test_adapters_alone_move(case, tokenizer):
    task = case.make(tokenizer)
    task.backbone.enable_lora(2)
    task.compile(finetuning_optimizer(1e-2))
    frozen = {w.path: np.array(w) for w in task.backbone.non_trainable_weights}
    adapters = [np.array(w) for w in task.backbone.trainable_weights]
    task.fit(case.rows, case.y, epochs=2, verbose=0)
    for weight in task.backbone.non_trainable_weights:
        if "seed" not in weight.path:
            np.testing.assert_array_equal(weight, frozen[weight.path])
    moved = zip(adapters, task.backbone.trainable_weights, strict=True)
    assert any(not np.allclose(old, new) for old, new in moved)


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


EXPORTS = {
    "float32.tflite": dict(quantization="none", sequence_lengths=(16,)),
    "int8.tflite": dict(quantization="int8", sequence_lengths=(16,)),
    "saved": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_export_and_back(case, name, tokenizer, tmp_path):
    task, path = made(case, tokenizer), tmp_path / name
    write = export.to_tflite if name.endswith(".tflite") else export.to_saved_model
    if not case.exports:
        with pytest.raises(InputError, match="cannot be exported"):
            write(task, path, **EXPORTS[name])
        assert not path.exists()
        return
    write(task, path, **EXPORTS[name])
    with pytest.raises(InputError, match="exists"):
        write(task, path, **EXPORTS[name])
    runner = export.load(path)
    # What a file may pad with is cut off: as many masks as the rows have.
    found, expected = runner.predict(case.asked), task.named_outputs(case.asked)
    if "int8" in name:
        assert task.schema.compare(found, expected).largest_change < 0.05
    else:
        for output in set(found) & set(expected):
            assert_same_values(*(plain_rows(outputs[output]) for outputs in (found, expected)))
    for answer, other in zip(runner.answers(case.asked), task.answers(case.asked), strict=True):
        assert set(answer) <= set(other)
        if "int8" not in name:
            assert_same_values(answer, {key: other[key] for key in answer})
    unknown = {"no_such_option": 1}
    with pytest.raises((InputError, TypeError), match="no_such_option"):
        write(task, tmp_path / f"other-{name}", **EXPORTS[name], **unknown)


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
    again = type(task).from_preset(tmp_path / "hf")
    for name, weight in task.head_weights_by_name().items():
        np.testing.assert_allclose(again.head_weights_by_name()[name], weight, atol=1e-7)
    if task.schema_cls is not None:
        assert type(kr.open_task(tmp_path / "hf")) is type(task)
        assert again.schema == task.schema
        assert_equal(
            again.predict(case.asked, verbose=0), task.predict(case.asked, verbose=0), 1e-5
        )


@pytest.mark.slow
def test_on_the_command_line(case, tokenizer, tmp_path, run):
    task = made(case, tokenizer)
    task.save_to_preset(tmp_path / "preset")
    if case.table is None:
        code, _, error = run("finetune", "--task", case.class_name, "--preset", tmp_path / "preset",
                             "--train", tmp_path / "t.tsv", "--out", tmp_path / "out")  # fmt: skip
        assert code == 2 and "\n" not in error.strip()
        return
    table = case.write_table(tmp_path)
    command = WITH_COMMAND[case.class_name]
    code, _, error = run(
        "finetune", "--task", command, "--preset", tmp_path / "preset", "--train", table,
        "--dev", table, "--out", tmp_path / "out", "--epochs", "2",
    )  # fmt: skip
    assert code == 0, error
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert task.schema_cls.main_score in metrics
    code, printed, error = run("evaluate", "--model", tmp_path / "out", "--data", table, "--json")
    assert code == 0, error
    measured = json.loads(printed)[task.schema_cls.main_score]
    assert measured == pytest.approx(metrics[task.schema_cls.main_score], abs=1e-5)
    tuned = kr.open_task(tmp_path / "out")
    assert type(tuned) is type(task)
    code, printed, error = run("predict", "--model", tmp_path / "out", *case.asked_there)
    assert code == 0, error
    assert printed.strip().endswith(case.asked_there[-1])
    code, _, error = run("export", "--preset", tmp_path / "out", "--out", tmp_path / "m.tflite")
    assert code == 0, error
    arguments = "--data", table, "--json"
    code, of_file, error = run("evaluate", "--model", tmp_path / "m.tflite", *arguments)
    assert code == 0, error
    _, of_preset, _ = run("evaluate", "--model", tmp_path / "out", *arguments)
    assert set(json.loads(of_file)) == set(json.loads(of_preset))


@pytest.fixture(scope="module")
def replicated():
    """Losses of every task trained on one device and on two, from a process of its own."""
    script = __file__.replace("test_contract.py", "replica_runs.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_several_replicas_train_as_one_device_does(case, replicated):
    one, two = replicated[case.class_name]
    np.testing.assert_allclose(one, two, atol=1e-4)


@pytest.fixture(scope="module")
def on_backends(tokenizer, tmp_path_factory):
    """Every task trained on TensorFlow here, and on JAX in a process of its own."""
    pytest.importorskip("jax")
    directory = tmp_path_factory.mktemp("backends")
    config = CONFIG.replace(dropout=0.0, attention_dropout=0.0)
    for case in CASES:
        case.make(tokenizer, config).save_to_preset(directory / case.class_name / "start")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, backend_runs.__file__, directory],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return directory


@pytest.mark.slow
def test_on_jax_it_trains_as_on_tensorflow(case, on_backends):
    expected = backend_runs.run(case, on_backends, "tensorflow")
    found = json.loads((on_backends / "jax.json").read_text())[case.class_name]
    assert len(found["loss"]) == 20 and found["loss"][-1] < found["loss"][0]
    for name in ("loss", "loss of adapters", "evaluated"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-4, err_msg=name)
    # Its files open here, and answer as there.
    outputs = [np.array(output) for output in found["outputs"]]
    preset = kr.open_task(on_backends / case.class_name / "jax")
    file = keras.models.load_model(on_backends / case.class_name / "jax.keras")
    for opened in (preset, file):
        assert_equal(opened.predict(case.asked, verbose=0), outputs, 1e-4)
    if case.class_name == "RobertaTextClassifier":
        exported = export.load(on_backends / "exported.tflite").predict(case.asked)
        assert_equal(exported["logits"], outputs, 1e-4)
        said = json.loads((on_backends / "jax-refusals.json").read_text())
        assert len(said) == 5
        for name, message in said.items():
            assert f"{name}: needs the backend tensorflow, and this is jax; " in message


def test_a_damaged_preset_is_named(case, tokenizer, tmp_path):
    made(case, tokenizer).save_to_preset(tmp_path / "preset")
    copy = shutil.copytree(tmp_path / "preset", tmp_path / "copy")
    path = next(p for p in (copy / "task.weights.h5", copy / "model.weights.h5") if p.exists())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=path.name):
        getattr(kr, case.class_name).from_preset(copy)


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


def test_a_task_that_is_not_compiled(case, tokenizer, tmp_path):
    task = case.make(tokenizer, compile=False)
    task.save_to_preset(tmp_path)
    with pytest.raises(InputError, match=r"compile\(\)"):
        task.fit(case.rows, case.y)
