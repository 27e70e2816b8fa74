"""Pruned, clustered, trained with rounding; and what of it is in the exported file."""

import functools
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import compression
from keras_roberta.export.compression.kernels import kernels_of
from keras_roberta.export.compression.rounded_schemes import rounding_entry, schemes_with_rounding
from keras_roberta.export.compression.rounding import rounding_by
from keras_roberta.export.compression.weights_of_file import matrices_of
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.tokenizers.training import train_byte_level_bpe

TEXTS = ["a fine film", "a dull film", "warm and lovely", "cold and tedious"] * 8
LABELS = [1, 0, 1, 0] * 8


@pytest.fixture(scope="module")
def tokenizer():
    return train_byte_level_bpe(TEXTS, vocabulary_size=300)


def make_task(tokenizer, **compiled):
    config = kr.RobertaConfig(
        vocabulary_size=300,
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=16,
        initializer_range=0.1,
        dropout=0.0,
        attention_dropout=0.0,
        seed=0,
    )
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16, labels=["bad", "good"])
    backbone = kr.RobertaBackbone(config)
    task = kr.RobertaTextClassifier(backbone, 2, preprocessor, dropout=0.0)
    random = np.random.default_rng(3)
    for weight in task.backbone.weights:  # a gain that goes into a matrix would show
        if weight.name == "gamma":
            weight.assign(random.uniform(0.5, 2, weight.shape))
    task.compile(keras.optimizers.Adam(3e-3), **compiled)
    return task


@pytest.fixture
def make(tokenizer):
    return functools.partial(make_task, tokenizer)


def begin(task, callback, steps=1, epochs=1):
    """What `fit` does with a callback before the first step."""
    task.optimizer.build(task.trainable_variables)
    callback.set_model(task)
    callback.set_params({"steps": steps, "epochs": epochs})
    callback.on_train_begin()
    callback.on_epoch_begin(0)


def kernels(task, **which):
    return {name: np.array(kernel) for name, kernel in kernels_of(task, **which).items()}


def rounded(matrix, quantization):
    """In blocks of 32, where it is in blocks."""
    function = rounding_by(rounding_entry(SCHEMES[quantization]), 32)
    return np.asarray(function(keras.ops.array(matrix)))


def zeros(matrix):
    return np.mean(matrix == 0)


@pytest.fixture(scope="module")
def small(tokenizer, tmp_path_factory):
    """A task that was pruned, then clustered, then trained with rounding, the last compiled by XLA;
    its weights after each; and its file."""
    keras.utils.set_random_seed(0)
    task = make_task(tokenizer)
    begin(task, pruning := compression.MagnitudePruning(0.75), steps=2)
    pruning.on_train_batch_end(0)  # by itself: `fit` with it is in tests/jobs/test_compress.py
    after = {"pruned": kernels(task)}
    for name, callback in {
        "clustered": compression.WeightClustering(8, frequency=2),
        "rounded": compression.QuantizationAwareTraining("int8-static", frequency=2),
    }.items():
        if name == "rounded":
            task.compile(keras.optimizers.Adam(3e-3), jit_compile=True)
        before = kernels(task)
        task.fit(TEXTS, LABELS, batch_size=8, epochs=4, verbose=0, callbacks=[callback])
        after[name] = kernels(task)
        assert any(not np.array_equal(before[k], after[name][k]) for k in before)
    path = tmp_path_factory.mktemp("small") / "small.tflite"
    export.to_tflite(task, path, "int8", "tokens", sequence_lengths=[16])
    return task, after, path


def test_one_after_the_other_keeps_zeros_and_clusters(small):
    _, after, _ = small
    for name, pruned in after["pruned"].items():
        assert zeros(pruned) == pytest.approx(0.75, abs=1 / pruned.size), name
        for kind in ("clustered", "rounded"):
            matrix = after[kind][name]
            np.testing.assert_array_equal(matrix[pruned == 0], 0)
            assert zeros(matrix) == pytest.approx(0.75, abs=0.01), name
            assert len(np.unique(matrix)) <= 8, (kind, name)
        # Training moved the values, or the weights between them.
        assert not np.array_equal(after["clustered"][name], after["rounded"][name])


def test_zeros_and_clusters_are_in_the_file(small):
    _, after, path = small
    found = [m for m in matrices_of(path.read_bytes()) if not m.is_table and len(m.values) >= 32]
    by_shape = {}
    for name, kernel in after["rounded"].items():
        parts = np.split(kernel, 3, axis=1) if "query_key_value" in name else [kernel]
        for part in parts:
            by_shape.setdefault(part.T.shape, []).append(part.T)
    encoder = [m for m in found if m.values.shape in by_shape]
    assert len(encoder) >= 6  # query, key, value, output, and the two of the feed-forward part
    for matrices in by_shape.values():
        for kernel in matrices:
            (match,) = [
                m for m in encoder
                if m.values.shape == kernel.shape and np.array_equal(m.values == 0, kernel == 0)
            ]  # fmt: skip
            assert match.most_values_a_row <= 8
            # A scale for each row: the largest weight is 127.
            scale = np.abs(kernel).max(axis=1, keepdims=True) / 127
            np.testing.assert_allclose(match.values * scale, kernel, atol=0.51 * scale.max())
    counted = compression.measure_weights(path)
    assert counted.megabytes == path.stat().st_size / 1e6 > counted.megabytes_zipped
    assert 0.5 < counted.zeros < 0.76  # the head is not pruned


def test_ranges_are_learned_in_a_compiled_step(small):
    """16 steps, in the last of which activations were rounded."""
    ranges = small[0].backbone.activation_ranges
    assert ranges.steps == 16 and len(ranges.products) == 6
    for sides in ranges.products.values():
        for low, high in sides.values():
            assert low < 0 < high < 50


def test_a_compressed_preset_is_a_preset(small, tmp_path):
    task, after, _ = small
    task.save_to_preset(tmp_path / "preset")
    again = kr.open_task(tmp_path / "preset")
    for name, matrix in kernels(again).items():
        np.testing.assert_array_equal(matrix, after["rounded"][name])


def test_what_is_trained_with_is_what_the_file_has(make, tmp_path):
    """In 4 bits; in 8, above."""
    task = make()
    for kernel in kernels_of(task).values():
        kernel.assign(0.2 * kernel)  # a calm model, whose answers survive 4 bits
    path = tmp_path / "a.tflite"
    export.to_tflite(task, path, "int4", "tokens", sequence_lengths=[16])
    stored = [m.values for m in matrices_of(path.read_bytes()) if not m.is_table]
    for layer in ("intermediate", "output"):
        kernel = kernels(task)[f"encoder/block_0/{layer}/kernel"]
        expected = rounded(kernel, "int4").T
        (found,) = [values for values in stored if values.shape == expected.shape]
        assert found.min() >= -8 and found.max() <= 7
        # Scales are in half precision there, by which a weight in a hundred is rounded otherwise.
        for whole, real in zip(found, expected, strict=True):
            scale = np.linalg.norm(real) / np.linalg.norm(whole)
            if expected.shape[1] == 32:  # one block
                assert np.mean(np.abs(whole * scale - real) < 0.3 * scale) > 0.95
        assert np.mean(np.sign(found) == np.sign(expected)) > 0.99


def test_rounding_by_the_formulas():
    random = np.random.default_rng(2)
    matrix = random.normal(0, 1, (64, 5)).astype("float32")
    scale = np.abs(matrix).max(axis=0) / 127
    found = rounded(matrix, "int8")
    np.testing.assert_allclose(found, np.round(matrix / scale) * scale, atol=1e-6)
    matrix[:32, 1] = 0  # a block of zeros
    found = rounded(matrix, "int4")
    assert not found[:32, 1].any() and np.isfinite(found).all()
    for block in (found[:32, 0], found[32:, 0]):
        assert len(np.unique(block)) <= 16
    # OCTAV has less error than the largest weight.
    blocks = matrix.reshape(2, 32, 5)
    scale = np.maximum(np.abs(blocks).max(axis=1, keepdims=True), 1e-9) / 7
    by_largest = (np.round(blocks / scale) * scale).reshape(64, 5)
    assert np.mean((found - matrix) ** 2) < np.mean((by_largest - matrix) ** 2)
    assert {"int8", "int8-static", "int4"} <= set(schemes_with_rounding())
    assert not {"none", "float16", "mixed"} & set(schemes_with_rounding())


@pytest.mark.parametrize("structure", ["block", "2:4"])
def test_structures(structure, make):
    task = make()
    pruning = compression.MagnitudePruning(
        0.5, structure=structure, block_size=(4, 2), embeddings=True
    )
    begin(task, pruning, steps=2)
    pruning.on_train_batch_end(0)
    pruned = kernels(task, embeddings=True)
    assert "embeddings/token" in pruned
    for name, matrix in pruned.items():
        if structure == "2:4":  # of four inputs of an output
            fours = matrix.T.reshape(matrix.shape[1], -1, 4)
            np.testing.assert_array_equal(np.sum(fours == 0, axis=-1), 2)
        else:
            inputs, outputs = matrix.shape
            blocks = matrix.reshape(inputs // 4, 4, outputs // 2, 2).swapaxes(1, 2)
            in_block = (blocks == 0).reshape(inputs // 4, outputs // 2, 8).sum(axis=-1)
            assert set(np.unique(in_block)) == {0, 8}, name
            assert np.mean(in_block == 8) == pytest.approx(0.5, abs=0.01)


def test_the_schedule_and_zeros_that_stay(make):
    """Halfway by the formula; what is zero is so after each step; a run that goes on after the
    second epoch has the zeros of one that was not killed."""
    random = np.random.default_rng(0)
    task, shares, masks = make(), [], []
    pruning = compression.MagnitudePruning(0.8, begin=2, end=8, frequency=3)
    begin(task, pruning, steps=3, epochs=4)
    for step in range(12):
        for kernel in kernels_of(task).values():  # what an optimizer does
            kernel.assign_add(random.normal(0, 1e-4, kernel.shape))
        pruning.on_train_batch_end(step % 3)
        masks.append({name: matrix == 0 for name, matrix in kernels(task).items()})
        shares.append(np.mean([mask.mean() for mask in masks[-1].values()]))
        if step % 3 == 2:
            pruning.on_epoch_end(step // 3)
        if step == 5:
            pruning = compression.MagnitudePruning(
                0.8, begin=2, end=8, frequency=3, initial_sparsity=0.0
            )
            pruning.set_model(task)
            pruning.set_params({"steps": 3, "epochs": 4})
            pruning.on_train_begin()
            pruning.on_epoch_begin(2)
    np.testing.assert_allclose(shares[:4], 0, atol=1e-3)  # step 5 is the next choice
    np.testing.assert_allclose(shares[4:7], 0.8 - 0.8 * (1 - 3 / 6) ** 3, atol=2e-3)
    np.testing.assert_allclose(shares[7:], 0.8, atol=2e-3)
    for before, after in ((4, 6), (7, 11)):
        for name, mask in masks[before].items():
            np.testing.assert_array_equal(mask, masks[after][name])


def test_more_of_what_is_pruned(make):
    """The schedule begins with the zeros that there are, and they stay."""
    task = make()
    begin(task, compression.MagnitudePruning(0.5), steps=2)
    first = compression.MagnitudePruning(0.5)
    begin(task, first, steps=2)
    first.on_train_batch_end(0)
    half = kernels(task)
    more = compression.MagnitudePruning(0.75)
    begin(task, more, steps=4)
    for step in range(2):
        for name, matrix in kernels(task).items():
            assert not matrix[half[name] == 0].any() and zeros(matrix) >= 0.49
        more.on_train_batch_end(step)
    assert all(zeros(matrix) == pytest.approx(0.75, abs=0.01) for matrix in kernels(task).values())


@pytest.mark.parametrize("structure", ["unstructured", "block", "2:4"])
def test_more_zeros_than_are_asked_for_stay(structure, make):
    task, random = make(), np.random.default_rng(4)
    for kernel in kernels_of(task).values():
        kernel.assign(np.array(kernel) * (random.random(kernel.shape) > 0.8))
    before = kernels(task)
    pruning = compression.MagnitudePruning(0.5, structure=structure, end=1.0)
    begin(task, pruning, steps=4)
    for step in range(4):
        for kernel in kernels_of(task).values():  # what an optimizer does
            kernel.assign_add(random.normal(0, 1e-2, kernel.shape))
        pruning.on_train_batch_end(step)
    for name, matrix in kernels(task).items():
        np.testing.assert_array_equal(matrix[before[name] == 0], 0)
        if structure == "2:4":
            fours = matrix.T.reshape(matrix.shape[1], -1, 4)
            assert np.all(np.sum(fours == 0, axis=-1) >= 2)


def test_a_late_first_epoch_prunes_what_is_not_pruned_yet(make, caplog):
    task = make()
    task.optimizer.build(task.trainable_variables)
    pruning = compression.MagnitudePruning(0.75)
    pruning.set_model(task)
    pruning.set_params({"steps": 2, "epochs": 4})
    pruning.on_train_begin()
    pruning.on_epoch_begin(3)
    pruning.on_train_batch_end(0)
    pruning.on_epoch_end(3)
    for matrix in kernels(task).values():
        assert zeros(matrix) == pytest.approx(0.75, abs=0.01)
    pruning.on_train_end()
    assert not caplog.records
    kernels_of(task)["encoder/block_0/output/kernel"].assign(np.ones((64, 32)))
    pruning.on_train_end()
    assert "a matrix has 0.0% zeros, and 75.0% were asked for" in caplog.text


class Fails(keras.callbacks.Callback):
    def __init__(self, where):
        super().__init__()
        setattr(self, where, self.fail)

    def fail(self, *_, **__):
        self.during = kernels(self.model, head=True)
        raise KeyboardInterrupt


def test_an_interrupted_fit_leaves_the_task_as_it_trains_alone(make):
    task, data = make(), (TEXTS[:8], LABELS[:8])
    task.compile(keras.optimizers.Adam(0.0), run_eagerly=True)
    batch = task.preprocessor(TEXTS[:8]), np.array(LABELS[:8])
    before, alone = kernels(task, head=True), task.gradients(batch)
    for callback, where in (
        (compression.QuantizationAwareTraining("int4"), "on_test_batch_end"),
        (compression.WeightClustering(4), "on_epoch_begin"),
    ):
        fails = Fails(where)
        with pytest.raises(KeyboardInterrupt):
            task.fit(*data, verbose=0, validation_data=data, callbacks=[callback, fails])
        for gradient, other in zip(task.gradients(batch), alone, strict=True):
            np.testing.assert_allclose(dense(gradient), dense(other), atol=1e-6)
        for name, matrix in kernels(task, head=True).items():
            np.testing.assert_array_equal(matrix, before[name])
            if where == "on_test_batch_end":
                assert not np.array_equal(fails.during[name], matrix)
    both = [compression.WeightClustering(4), compression.MagnitudePruning(0.5)]
    with pytest.raises(InputError, match="WeightClustering and MagnitudePruning do not go tog"):
        task.fit(*data, verbose=0, callbacks=both)


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_a_column_of_zeros_stays_zero_by_xla(quantization):
    matrix = np.random.default_rng(5).normal(0, 1, (64, 5)).astype("float32")
    matrix[:, 1] = 0
    function = rounding_by(rounding_entry(SCHEMES[quantization]), 32)
    found = tf.function(function, jit_compile=True)(tf.constant(matrix)).numpy()
    np.testing.assert_array_equal(found[:, 1], 0)
    np.testing.assert_allclose(found, rounded(matrix, quantization), atol=1e-5)


def test_weights_that_are_brought_back_stay(make):
    """As by `EarlyStopping`, behind the last epoch."""
    task = make()
    clustering = compression.WeightClustering(4)
    begin(task, clustering)
    clustering.on_epoch_end(0)
    kernel = next(iter(kernels_of(task).values()))
    earlier = np.asarray(kernel) + np.float32(0.5)
    kernel.assign(earlier)
    clustering.on_train_end()
    np.testing.assert_array_equal(np.asarray(kernel), earlier)


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_gradients_are_those_at_the_rounded_weights(quantization, make):
    """And go to the weights that are rounded; validation is with the rounded ones."""
    task = make()
    batch = task.preprocessor(TEXTS[:8]), np.array(LABELS[:8])
    training = compression.QuantizationAwareTraining(quantization)
    begin(task, training)
    trained = kernels(task, head=True)
    keras.utils.set_random_seed(1)
    found = task.gradients(batch)
    training.on_test_begin()
    rounded = kernels(task, head=True)
    training.on_test_end()
    for name, matrix in kernels(task, head=True).items():
        np.testing.assert_array_equal(matrix, trained[name])
        assert not np.array_equal(matrix, rounded[name])
    training.on_train_end()
    for name, kernel in kernels_of(task, head=True).items():
        kernel.assign(rounded[name])
    expected = task.gradients(batch)
    for gradient, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(dense(gradient), dense(other), atol=1e-6)


def dense(gradient):
    return np.asarray(keras.ops.convert_to_tensor(gradient))


@pytest.mark.parametrize(
    "arguments, says",
    [
        ({"sparsity": 1.0}, "sparsity: expected more than 0 and less than 1; got 1.0"),
        ({"sparsity": 0}, "sparsity: expected more than 0"),
        ({}, "sparsity: say which share"),
        ({"sparsity": 0.8, "structure": "2:4"}, "sparsity: of 2:4 it is a half"),
        ({"sparsity": 0.8, "structure": "rows"}, "structure 'rows': expected one of"),
        ({"sparsity": 0.8, "block_size": 4}, "block_size: expected two numbers"),
        ({"sparsity": 0.8, "structure": "block", "block_size": (1, 1)}, "choose unstructured"),
        ({"sparsity": 0.8, "begin": 0.5, "end": 0.5}, "begin and end are 0.5 and 0.5"),
        ({"sparsity": 0.8, "frequency": 0}, "frequency: expected a number of steps"),
        ({"sparsity": 0.8, "initial_sparsity": 0.9}, "initial_sparsity: expected 0 to"),
    ],
)
def test_wrong_prunings(arguments, says):
    with pytest.raises(InputError, match=says):
        compression.MagnitudePruning(**arguments)


def test_wrong_arguments(make):
    for clusters in (1, 257, 2.5):
        with pytest.raises(InputError, match="clusters: expected 2 to 256"):
            compression.WeightClustering(clusters)
    with pytest.raises(InputError, match="frequency: expected a number of steps; got 0"):
        compression.QuantizationAwareTraining(frequency=0)
    with pytest.raises(InputError, match="'float16': weights are not rounded"):
        compression.QuantizationAwareTraining("float16")
    with pytest.raises(InputError, match="quantization"):
        compression.QuantizationAwareTraining("int3")
    task = make()
    large = compression.MagnitudePruning(0.5, structure="block", block_size=(4, 4096))
    with pytest.raises(InputError, match=r"block_size: \(4, 4096\) is larger than encoder"):
        begin(task, large)
    for steps, says in ((1, "begin and end are both step 0"), (None, "end: is a share of the ste")):
        with pytest.raises(InputError, match=says):
            begin(task, compression.MagnitudePruning(0.5, end=0.05), steps=steps)
    late = compression.MagnitudePruning(0.5, begin=500, end=0.1)
    with pytest.raises(InputError, match="begin and end are step 500 and step 100: train longer"):
        begin(task, late, steps=1000)
    task.backbone.enable_lora(2)
    with pytest.raises(InputError, match="adapters"):
        begin(task, compression.WeightClustering())
    with pytest.raises(InputError, match="a Sequential cannot be compressed"):
        kernels_of(keras.Sequential())


ALONE = """
import json, os, sys
name = "TF_USE_LEGACY_KERAS"
import keras_roberta as kr, keras_roberta.export
from keras_roberta.export import compression
found = [name in os.environ, "tensorflow_model_optimization" in sys.modules]
import keras, numpy as np
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
model.compile("adam", "mse")
x, y = np.ones((4, 3)), np.ones((4, 2))
model.fit(x, y, verbose=0)
before = model.predict(x, verbose=0)
compression.MagnitudePruning(0.5)
from keras_roberta.export.compression.model_optimization import part_of_tfmot
part_of_tfmot("sparsity.keras.pruning_impl")
import tensorflow as tf
found += [name in os.environ, "tensorflow_model_optimization" in sys.modules]
found += [tf.keras.__version__[0], tf.keras.Model is keras.Model]
found.append(bool(np.array_equal(model.predict(x, verbose=0), before)))
model.save(sys.argv[1])
found.append(type(keras.models.load_model(sys.argv[1])) is keras.Sequential)
print(json.dumps(found))
"""


def test_keras_3_stays_as_it_is(tmp_path):
    """In a process of its own, in which nothing else has imported tfmot."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "a.keras"],
        capture_output=True, text=True, cwd=pathlib.Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [False, False, False, True, "3", True, True, True]
