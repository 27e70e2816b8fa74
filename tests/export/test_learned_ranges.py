"""Ranges of activations that quantisation-aware training finds, and what the file makes of them."""

import functools
import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import qtyping
from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.checkpoints.activation_ranges import ActivationRanges, fingerprint_of
from keras_roberta.errors import InputError
from keras_roberta.export import tflite
from keras_roberta.export.calibration import products_of
from keras_roberta.export.compression import QuantizationAwareTraining
from keras_roberta.export.compression.rounded_activations import RoundedActivations, _rounded
from keras_roberta.export.compression.watched_products import WatchedProducts
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.recipes import static
from keras_roberta.export.tflite_rewrites import signature_graphs
from keras_roberta.jobs.export import export as export_preset
from keras_roberta.jobs.options.export import ExportOptions
from keras_roberta.training.step.batch import Batch, BatchLoss

TEXTS = ["a fine film", "a dull film", "warm and lovely to the end of it", "cold"] * 8
LABELS = [1, 0, 1, 0] * 8
ROWS = as_features([[0, 9, 2], [0, *range(5, 16), 2], [0, 5, 6, 7, 2]], 1)
WITH_OUTLIER = "encoder/block_0/output"
STATIC = static("FULLY_CONNECTED", 8, layers="^encoder/")


def make_task(tokenizer, **fields):
    config = kr.RobertaConfig(
        vocabulary_size=320, num_layers=1, num_heads=2, hidden_dim=32, intermediate_dim=64,
        max_sequence_length=16, initializer_range=0.2, dropout=0.0, attention_dropout=0.0, seed=0,
    ).replace(**fields)  # fmt: skip
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor, dropout=0.0)
    task.compile(keras.optimizers.Adam(1e-3))
    return task


@pytest.fixture
def make(tokenizer):
    return functools.partial(make_task, tokenizer)


def add_outlier(task):
    """The last product of the first block gives hundreds for `</s>`, and for no other token."""
    weights = task.backbone.weights_by_name()
    for name in ("embeddings/token", "embeddings/position"):
        table = np.array(weights[name])
        table[:, 7] = 0
        if name == "embeddings/token":
            table[2, 7] = 5
        weights[name].assign(table)
    into, out = (
        np.array(weights[f"encoder/block_0/{name}/kernel"]) for name in ("intermediate", "output")
    )
    into[:, 0], out[0] = 2 * np.eye(32)[7], 300 * np.eye(32)[3]
    bias = -6 * np.eye(64)[0]
    attended = weights["encoder/block_0/attention/output/kernel"]
    attended.assign(0.1 * attended)  # which leaves `</s>` what tells it apart
    weights["encoder/block_0/intermediate/kernel"].assign(into)
    weights["encoder/block_0/intermediate/bias"].assign(bias)
    weights["encoder/block_0/output/kernel"].assign(out)


def changed_layers(task):
    """Layers of the encoder that have a `call` of their own."""
    return [layer for layer in task.backbone._flatten_layers() if "call" in vars(layer)]


class Answers(keras.callbacks.Callback):
    """What the task answers while it is validated."""

    def on_test_batch_end(self, batch, logs=None):
        self.found = np.array(self.model(ROWS))
        assert changed_layers(self.model)


@pytest.fixture(scope="module")
def trained(tokenizer, tmp_path_factory):
    """A task that was trained with rounding, one product with outliers; its answers in the last
    validation; its preset; the file of that; and what was logged."""
    directory = tmp_path_factory.mktemp("trained")
    keras.utils.set_random_seed(0)
    # The last block goes on with `<s>` alone; the outlier is in the one before.
    task, asked, messages = make_task(tokenizer, num_layers=2), Answers(), []
    add_outlier(task)
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("keras_roberta")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("INFO")
    try:
        task.fit(
            TEXTS, LABELS, batch_size=8, epochs=3, verbose=0,
            validation_data=(TEXTS[:4], LABELS[:4]),
            callbacks=[QuantizationAwareTraining("int8-static"), asked],
        )  # fmt: skip
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    task.save_to_preset(directory / "preset")
    path = directory / "a.tflite"
    again = kr.open_task(directory / "preset")
    export.to_tflite(again, path, "int8-static", "tokens", sequence_lengths=[16])
    return task, asked.found, directory / "preset", path, messages


def test_the_file_has_the_ranges_of_the_training(trained):
    """The scales and zero points of the quantisation specification of TFLite: (high - low) / 255,
    and where 0 lies between -128 and 127."""
    task, _, _, path, messages = trained
    ranges = task.backbone.activation_ranges
    assert ranges.quantization == "int8-static" and ranges.steps == 12
    assert [layer for layer, sides in ranges.products.items() if sides is None] == [WITH_OUTLIER]
    assert f"outliers: {WITH_OUTLIER} scale activations as they come" in messages
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    (graph,) = signature_graphs(model)
    found = {one.layer: one for one in products_of(model, graph)}
    assert len(ranges.products) == 12
    for layer, sides in ranges.products.items():
        for side in ("inputs", "result"):
            tensor = graph.tensors[getattr(found[layer], side)]
            if sides is None:
                assert tensor.type == schema.TensorType.FLOAT32
                continue
            low, high = sides[side]
            assert low < 0 < high
            if layer.endswith("query") and side == "result":
                low, high = low / 4, high / 4  # of heads of 16
            scale = (high - low) / 255
            assert tensor.type == schema.TensorType.INT8
            np.testing.assert_allclose(tensor.quantization.scale, [scale], rtol=1e-6)
            assert list(tensor.quantization.zeroPoint) == [np.rint(-128 - low / scale)]


def test_the_file_answers_as_the_task_in_validation(trained):
    task, in_validation, _, path, _ = trained
    found = export.load(path).predict(ROWS)["logits"]
    as_floats = task.predict(ROWS, verbose=0)
    apart = np.abs(found - in_validation).max()
    assert apart < 0.05 and apart < np.abs(as_floats - in_validation).max() / 2
    assert not changed_layers(task)


def test_a_preset_keeps_ranges_and_explicit_texts_win(trained, tmp_path, monkeypatch):
    task, _, preset, _, _ = trained
    ranges = task.backbone.activation_ranges
    again = kr.open_task(preset)
    assert again.backbone.activation_ranges == ranges
    assert keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(task.backbone)
    ).activation_ranges == ranges  # fmt: skip
    smaller = task.backbone.resize_vocabulary(rows=[i for i in range(320) if i != 300])
    assert smaller.activation_ranges == ranges
    assert fingerprint_of(smaller.weights_by_name()) == ranges.fingerprint
    asked = []
    monkeypatch.setattr(tflite, "tflite_bytes", lambda module, **given: asked.append(given) or 0)
    for calibration in (None, TEXTS):
        with pytest.raises(TypeError):  # bytes of 0
            export.to_tflite(
                again, tmp_path / "b.tflite", "int8-static", "tokens", calibration=calibration
            )
    assert asked[0]["ranges"] and asked[0]["samples"] is None
    assert not asked[1]["ranges"] and asked[1]["samples"] is not None


def test_ranges_of_other_weights_are_not_used(trained, tmp_path):
    _, _, preset, _, _ = trained
    path = tmp_path / "b.tflite"
    says = (
        r"'int8-static' needs texts .* \(the ranges in the preset were learnt for other weights\)"
    )
    task = kr.open_task(preset)
    task.backbone.encoder.blocks[0].output_dense.bias.assign_add(np.ones(32))
    with pytest.raises(InputError, match=says):
        export.to_tflite(task, path, "int8-static")
    task.save_to_preset(tmp_path / "other")
    task = kr.open_task(preset)
    task.backbone.weights_by_name()["embeddings/layer_norm/gamma"].assign(np.full(32, 2.0))
    with pytest.raises(InputError, match=says):
        export.to_tflite(task, path, "int8-static")
    with pytest.raises(InputError, match=says):
        export_preset(tmp_path / "other", path, ExportOptions(quantization="int8-static"))
    with pytest.raises(InputError, match=r"'int16x8' needs .* were learnt for 'int8-static'\)"):
        export_preset(preset, path, ExportOptions(quantization="int16x8"))
    with pytest.raises(InputError, match="'mixed' needs texts .* a hundred or more$"):
        export_preset(preset, path, ExportOptions(quantization="mixed"))
    assert not path.exists()


@pytest.mark.parametrize(
    "change, says",
    [
        ({"fingerprint": "x"}, "activation_ranges.fingerprint: expected a whole number"),
        ({"products": {"a": {"inputs": [0, 1]}}}, "activation_ranges.products.a.result: missing"),
        ({"products": {"a": {"inputs": [0.5, 1], "result": [0, 1]}}}, "a range around 0; got 0.5"),
    ],
)
def test_a_damaged_preset(change, says, trained, tmp_path):
    values = json.loads((trained[2] / "config.json").read_text())
    values["config"]["activation_ranges"] |= change
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=f"config.json: .*{says}"):
        kr.RobertaBackbone.from_preset(tmp_path)


class Fails(keras.callbacks.Callback):
    def on_test_batch_end(self, batch, logs=None):
        assert changed_layers(self.model)
        raise KeyboardInterrupt


def test_a_failing_fit_leaves_the_layers_as_they_were(make):
    task = make()
    before = task.predict(ROWS, verbose=0)
    kernels = [np.array(weight) for weight in task.weights]
    task.compile(keras.optimizers.SGD(0.0))
    data = TEXTS[:8], LABELS[:8]
    with pytest.raises(KeyboardInterrupt):
        task.fit(
            *data, verbose=0, validation_data=data,
            callbacks=[QuantizationAwareTraining("int8-static"), Fails()],
        )  # fmt: skip
    assert not changed_layers(task)
    for weight, kernel in zip(task.weights, kernels, strict=True):
        np.testing.assert_array_equal(np.array(weight), kernel)
    np.testing.assert_allclose(task.predict(ROWS, verbose=0), before, atol=1e-6)
    task.backbone.config = task.backbone.config.replace(remat=True)
    with pytest.raises(InputError, match="'int8-static' rounds activations .* not go with remat"):
        task.fit(*data, verbose=0, callbacks=[QuantizationAwareTraining("int8-static")])
    assert not changed_layers(task)


def test_ranges_are_averages_over_tokens_that_are_no_padding(make):
    """By numpy, of what goes into the first product. Layers that blocks share have ranges of each
    block."""
    task = make(num_layers=2, parameter_sharing="all")
    activations = RoundedActivations(task, STATIC)
    step = activations(lambda model, batch: BatchLoss(0.0, model(batch.x)))
    batches = [ROWS, {name: column[1:] for name, column in ROWS.items()}]
    expected = []
    for batch in batches:
        x = np.array(task.backbone.embeddings(**batch))[batch["padding_mask"] == 1]
        expected.append((x.min(), x.max()))
    with activations.placed():
        for batch in batches:
            step(task, Batch(batch))
        assert len(changed_layers(task)) == 2 + 4
    assert not changed_layers(task)
    activations.decide()
    products = activations.learned("int8-static", 5).products
    found = products["encoder/block_0/attention/query"]["inputs"]
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-5)
    assert found == products["encoder/block_0/attention/value"]["inputs"]
    assert found != products["encoder/block_1/attention/value"]["inputs"]
    names = [place.name for place in WatchedProducts(task.backbone.encoder, None).places]
    assert len(names) == 8 and len(set(names)) == 4
    # Once decided, what is seen goes on; ranges that are taken over are what they were.
    other = RoundedActivations(task, STATIC, ranges := activations.learned("int8-static", 5))
    assert other.learned("int8-static", 5) == ranges and ranges.steps == 2


@pytest.mark.parametrize("bits", [8, 16])
def test_numbers_are_rounded_as_the_quantizer_does(bits):
    random = np.random.default_rng(bits)
    x = random.normal(0, 1, (50, 4)).astype("float32")
    for low, high in ((-1.7, 2.9), (0.0, 3.0), (-2.2, 0.0), (-0.3, 0.1)):
        zero_point, scale = uniform_quantize_tensor.tensor_zp_scale_from_min_max(
            np.float32([[low]]), np.float32([[high]]), bits, bits == 16,
            qtyping.QuantGranularity.TENSORWISE,
        )  # fmt: skip
        least = -(2 ** (bits - 1)) + (bits == 16)  # as many numbers below 0 as above
        whole = np.clip(np.rint(x / scale) + zero_point, least, 2 ** (bits - 1) - 1)
        ends = tf.fill([4], low), tf.fill([4], high)
        found = np.array(_rounded(tf.constant(x), *ends, bits, bits == 16))
        apart = np.abs(found - (whole - zero_point) * scale)
        assert np.mean(apart < 0.01 * scale) > 0.97 and apart.max() < 1.01 * scale
    with tf.GradientTape() as tape:  # straight through, but for what is cut off
        tape.watch(given := tf.constant([[-5.0, 0.5, 5.0]]))
        total = tf.reduce_sum(_rounded(given, tf.fill([3], -1.0), tf.fill([3], 1.0), bits, False))
    np.testing.assert_array_equal(tape.gradient(total, given), [[0, 1, 0]])


def begin(task, callback):
    task.optimizer.build(task.trainable_variables)
    callback.set_model(task)
    callback.set_params({"steps": 1, "epochs": 2})
    callback.on_train_begin()
    callback.on_epoch_begin(0)


def test_weights_that_are_brought_back_have_their_ranges(make):
    """As by the best epoch of a run; also in a run that goes on."""
    task = make()
    bias = task.backbone.encoder.blocks[0].output_dense.bias
    training = QuantizationAwareTraining("int8-static")
    begin(task, training)
    batch = task.preprocessor(TEXTS[:4]), np.array(LABELS[:4])
    ranges = []
    for epoch in range(2):
        task.gradients(batch)
        training.on_train_batch_end(0)
        training.on_epoch_end(epoch)
        ranges.append(task.backbone.activation_ranges)
        bias.assign_add(np.ones(32))
    assert ranges[0] != ranges[1] and ranges[1].steps == 2
    bias.assign_sub(np.full(32, 2.0))
    training.on_train_end()
    assert task.backbone.activation_ranges == ranges[0]
    again = QuantizationAwareTraining("int8-static")
    again.restore(json.loads(json.dumps(training.state())))
    task.backbone.activation_ranges = None
    bias.assign_add(np.ones(32))  # those of the second epoch
    begin(task, again)
    assert again._activations.learned("int8-static", ranges[1].fingerprint) == ranges[1]
    again.undo()
    assert task.backbone.activation_ranges == ranges[1]
    assert ActivationRanges.from_dict(ranges[1].to_dict()) == ranges[1]
