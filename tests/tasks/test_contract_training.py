"""What every task does when it is trained and asked; `task_cases.py` holds what differs."""

import keras
import numpy as np
import pytest
from contract import arrays, assert_equal, every_task, every_task_but, made, tasks, trainee

from keras_roberta.errors import InputError
from keras_roberta.export import compression
from keras_roberta.export.compression.kernels import kernels_of


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


@every_task
def test_fit_takes_every_form_of_data(case, tokenizer):
    task = trainee(case, tokenizer)
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


@every_task
def test_single_batches(case, tokenizer):
    """Of raw strings."""
    task = trainee(case, tokenizer)
    if callable(case.x):
        pytest.skip("takes no strings")
    predicted = task.predict(case.asked, verbose=0)
    assert_begin_with(task.predict_on_batch(case.asked), predicted)
    assert_begin_with(task.predict_on_batch(task.preprocessor(case.asked)), predicted)
    rows = list(case.x), case.y
    if case.y is not None:
        rows += (np.ones(len(case.x), "float32"),)  # as in a form of `fit`, so nothing is traced
    assert np.isfinite(arrays(task.test_on_batch(*rows))[0])
    before = [np.array(weight) for weight in task.trainable_weights]
    assert np.isfinite(arrays(task.train_on_batch(*rows))[0])
    after = [np.array(weight) for weight in task.trainable_weights]
    assert any(not np.allclose(old, new) for old, new in zip(before, after, strict=True))


@every_task
def test_predictions_of_a_stream(case, tokenizer):
    task = made(case, tokenizer)
    if callable(case.x):
        rows = case.asked
        inputs = {k: np.concatenate([batch[k] for batch in rows]) for k in rows.element_spec}
    else:
        rows, inputs = case.make_stream(case.asked).batch(2), case.asked
    assert_equal(task.predict(rows, verbose=0), task.predict(inputs, verbose=0))


@every_task
def test_it_learns_ten_rows_by_heart(case, tokenizer):
    task = trainee(case, tokenizer)
    task.fit(case.rows, case.y, epochs=case.epochs, verbose=0)
    assert case.learnt(task)


@every_task
def test_it_is_pruned_while_it_is_trained(case, tokenizer):
    task = trainee(case, tokenizer)
    pruning = compression.MagnitudePruning(0.5)
    task.fit(case.rows, case.y, epochs=2, verbose=0, callbacks=[pruning])
    for name, kernel in kernels_of(task).items():
        assert np.mean(np.array(kernel) == 0) == pytest.approx(0.5, abs=0.01), name


# The weights are replaced in the same way in all; rows of an example and several heads differ most.
@pytest.mark.slow
@tasks("RobertaMultipleChoice", "RobertaPretrainer")
def test_trained_with_shared_and_rounded_weights(case, tokenizer):
    task = case.make(tokenizer)
    task.compile(keras.optimizers.Adam(1e-3))
    for callback in (compression.WeightClustering(4), compression.QuantizationAwareTraining()):
        history = task.fit(case.rows, case.y, verbose=0, callbacks=[callback]).history
        assert np.isfinite(history["loss"]).all()
        for name, kernel in kernels_of(task).items():
            assert len(np.unique(kernel)) <= 4, name


# Keras calls them for all in the same way: one label, a label for each token, several heads.
@tasks("RobertaTextClassifier", "RobertaTokenClassifier", "RobertaPretrainer")
def test_callbacks_of_keras(case, tokenizer, tmp_path):
    task = trainee(case, tokenizer)
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


# The losses of those left out are Keras's, as a text classifier's is, or the pre-trainer's, which
# is compiled in tests/training/test_training_step.py.
@every_task_but(
    *("RobertaTextRegressor", "RobertaMultiLabelClassifier", "RobertaTokenClassifier"),
    *("RobertaMaskedLM", "RobertaPretrainer"),
)
def test_fit_compiled_by_xla(case, tokenizer):
    task = case.make(tokenizer)
    task.compile(keras.optimizers.SGD(1e-3), jit_compile=True)
    history = task.fit(case.rows, case.y, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@every_task
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(case, dtype, tokenizer):
    """Training is in float16 alone, which asks for more: its loss is scaled."""
    task = case.make(tokenizer, dtype=dtype)
    assert {weight.dtype for weight in task.trainable_weights} == {"float32"}
    if dtype == "mixed_float16":
        task.compile(keras.optimizers.SGD(1e-3))
        history = task.fit(case.rows, case.y, verbose=0).history
        assert np.isfinite(history["loss"]).all()
    outputs = arrays(task.predict(case.asked, verbose=0))
    in_float32 = arrays(made(case, tokenizer).predict(case.asked, verbose=0))
    for array, expected in zip(outputs, in_float32, strict=True):
        assert array.dtype == "float32"
        # Not finite only where there is nothing to answer, as behind the masks of a text.
        np.testing.assert_array_equal(np.isfinite(array), ~np.isnan(expected))


# The encoder is frozen in the same way for all.
@tasks("RobertaTextClassifier", "RobertaPretrainer")
def test_adapters_alone_move(case, tokenizer):
    task = case.make(tokenizer)
    task.backbone.enable_lora(2)
    task.compile(keras.optimizers.SGD(0.1))
    frozen = {w.path: np.array(w) for w in task.backbone.non_trainable_weights}
    adapters = [np.array(w) for w in task.backbone.trainable_weights]
    task.fit(case.rows, case.y, epochs=2, verbose=0)
    for weight in task.backbone.non_trainable_weights:
        if "seed" not in weight.path:
            np.testing.assert_array_equal(weight, frozen[weight.path])
    moved = zip(adapters, task.backbone.trainable_weights, strict=True)
    assert any(not np.allclose(old, new) for old, new in moved)


@every_task
def test_a_task_that_is_not_compiled(case, tokenizer, tmp_path):
    task = case.make(tokenizer, compile=False)
    task.save_to_preset(tmp_path)
    with pytest.raises(InputError, match=r"compile\(\)"):
        task.fit(case.rows, case.y)
