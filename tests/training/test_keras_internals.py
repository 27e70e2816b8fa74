"""Each private attribute of Keras that the library uses still does what it is used for."""

import ast
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.training import keras_internals as internals


def make_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="dense")])
    model.compile(keras.optimizers.AdamW(0.1, use_ema=True), loss="mse", metrics=["mae"])
    return model


@pytest.fixture
def built():
    """A kernel, a bias and an optimizer that was built with them."""
    variables = [keras.Variable(np.ones(2, "float32"), name=name) for name in ("kernel", "bias")]
    optimizer = keras.optimizers.AdamW(0.1, use_ema=True)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(variables)
    return optimizer, variables


def test_build_from_batch_makes_the_variables_of_metrics():
    model = make_model()
    assert not any("mean_absolute_error" in v.path for v in model.metrics_variables)
    internals.build_from_batch(model, (tf.zeros((2, 3)), tf.zeros((2, 1))))
    assert len(model.metrics_variables) == 4  # total and count, of the loss and of the metric
    assert model.optimizer.built


def test_without_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = make_model()
    assert model.distribute_strategy is strategy
    with internals.without_strategy(model):
        assert model.distribute_strategy is tf.distribute.get_strategy() is not strategy
        assert model.predict(np.ones((2, 3)), verbose=0).shape == (2, 1)
    assert model.distribute_strategy is strategy


def test_settle_quantized_policies():
    int8 = keras.dtype_policies.get("int8_from_float32")
    policies = keras.dtype_policies.DTypePolicyMap(policy_map={".*dense": int8})
    dense = keras.layers.Dense(1, name="dense", dtype=policies)
    model = keras.Sequential([keras.Input((3,)), dense])
    assert isinstance(dense.dtype_policy, keras.dtype_policies.DTypePolicyMap)
    internals.settle_quantized_policies(model)
    assert dense.dtype_policy == int8


def test_is_validation_in_fit():
    seen = []

    class Watched(keras.Sequential):
        def evaluate(self, *args, **kwargs):
            seen.append(internals.is_validation_in_fit(kwargs))
            return super().evaluate(*args, **kwargs)

    model = Watched([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    data = np.ones((4, 3)), np.ones((4, 1))
    model.fit(*data, validation_data=data, verbose=0)
    model.evaluate(*data, verbose=0)
    assert seen == [True, False]


def test_inner_layers_are_found_at_any_depth():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    outer = keras.Sequential([keras.Input((3,)), inner])
    found = internals.inner_layers(outer)
    assert inner in found and inner.layers[0] in found and outer not in found


def test_a_method_that_keras_calls_to_build_in_fit():
    calls = []

    class Watched(keras.Sequential):
        def _maybe_symbolic_build(self, iterator=None, data_batch=None):
            calls.append(iterator is not None)
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    model = Watched([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert calls == [True]


def test_variables_without_values():
    with internals.variables_without_values():
        layer = keras.layers.Dense(2, bias_initializer="ones")
        layer.build((None, 3))
    with keras.StatelessScope():  # at its end Keras initialises what it has a list of
        pass
    kernel, bias = layer.weights
    assert not internals.has_value(kernel) and not internals.has_value(bias)
    internals.initialize(kernel, tf.fill((3, 2), 5.0))
    internals.initialize(bias)
    np.testing.assert_array_equal(layer(np.ones((1, 3))), [[16, 16]])
    assert internals.has_value(kernel) and internals.has_value(bias)


def test_inner_optimizer():
    optimizer = keras.optimizers.SGD(0.1)
    assert internals.inner_optimizer(optimizer) is optimizer
    wrapped = keras.optimizers.LossScaleOptimizer(optimizer)
    assert internals.inner_optimizer(wrapped) is optimizer


def test_step_counter():
    """With Keras's accumulation it counts the parts, and `iterations` is no variable."""
    optimizer = keras.optimizers.SGD(0.1)
    assert internals.step_counter(optimizer) is optimizer.iterations
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    weight = keras.Variable(np.ones(2, "float32"))
    for _ in range(3):
        optimizer.apply([tf.ones(2)], [weight])
    wrapped = keras.optimizers.LossScaleOptimizer(optimizer)
    assert int(np.array(internals.step_counter(wrapped))) == 3
    assert int(optimizer.iterations) == 1


def test_learning_rate_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = keras.optimizers.SGD(schedule)
    assert internals.learning_rate_schedule(optimizer) is schedule
    wrapped = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(schedule))
    assert internals.learning_rate_schedule(wrapped) is schedule
    assert float(internals.learning_rate_schedule(keras.optimizers.SGD(0.5))) == 0.5


def test_set_learning_rate_schedule():
    optimizer = keras.optimizers.SGD(0.1)
    variables = list(optimizer.variables)
    internals.set_learning_rate_schedule(optimizer, lambda: 0.5)
    assert float(optimizer.learning_rate) == 0.5
    assert [a is b for a, b in zip(optimizer.variables, variables, strict=True)] == [True, True]


def test_built_variables_and_their_places(built):
    optimizer, variables = built
    found = internals.built_variables(optimizer)
    assert [a is b for a, b in zip(found, variables, strict=True)] == [True, True]
    assert [internals.variable_index(optimizer, v) for v in variables] == [0, 1]
    assert internals.variable_index(optimizer, variables[1].value) == 1  # the tf.Variable


def test_check_known(built):
    optimizer, variables = built
    internals.check_known(optimizer, variables)
    with pytest.raises(ValueError, match="Unknown variable"):
        internals.check_known(optimizer, [keras.Variable(1.0)])


def test_drop_missing_gradients(built):
    optimizer, variables = built
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        gradients, left = internals.drop_missing_gradients(optimizer, [None, 1.0], variables)
    assert gradients == [1.0] and len(left) == 1 and left[0] is variables[1]


def test_is_overwritten(built):
    optimizer, (kernel, _) = built
    assert not internals.is_overwritten(optimizer, kernel)
    kernel.overwrite_with_gradient = True  # as Keras sets it for the scales of float8
    assert internals.is_overwritten(optimizer, kernel)


def test_decays(built):
    optimizer, variables = built
    assert [internals.decays(optimizer, v) for v in variables] == [True, False]


def test_adam_moments_and_averages(built):
    optimizer, variables = built
    optimizer.apply([tf.constant([1.0, 2.0])] * 2, variables)
    first, second = internals.adam_moments(optimizer)
    for i in range(2):  # one step from zero: (1 - beta) g and (1 - beta) g^2
        np.testing.assert_allclose(first[i], [0.1, 0.2], rtol=1e-5)
        np.testing.assert_allclose(second[i], [0.001, 0.004], rtol=1e-5)
        # In the first step the average is the weight.
        np.testing.assert_allclose(internals.moving_averages(optimizer)[i], variables[i])


def test_methods_of_an_optimizer_that_keras_calls():
    """`RobertaAdamW` overrides them, for learning rates of single weights."""
    calls = []

    class Watched(keras.optimizers.AdamW):
        def _apply_weight_decay(self, variables):
            calls.append(("decay", len(variables)))
            super()._apply_weight_decay(variables)

        def _backend_update_step(self, grads, trainable_variables, learning_rate):
            calls.append(("update", len(trainable_variables), float(learning_rate)))
            super()._backend_update_step(grads, trainable_variables, learning_rate)

        def _get_current_learning_rate(self):
            return super()._get_current_learning_rate() * 0.5

    weight = keras.Variable(np.ones(2, "float32"), name="kernel")
    Watched(0.2, weight_decay=1.0).apply([tf.zeros(2)], [weight])
    assert calls == [("decay", 1), ("update", 1, pytest.approx(0.1))]
    np.testing.assert_allclose(weight, [0.9, 0.9])  # the decay goes by that rate too


def test_no_other_file_uses_what_is_private_in_keras(request, built):
    optimizer, variables = built
    model = make_model()
    objects = model, model.layers[0], optimizer
    private = {name for thing in objects for name in dir(thing) if re.match(r"_[a-z]", name)}
    package = request.config.rootpath / "keras_roberta"
    found = []
    for path in package.rglob("*.py"):
        if path.name == "keras_internals.py":
            continue
        source = path.read_text(encoding="utf-8")
        if "import keras" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Attribute) or node.attr not in private:
                continue
            # A method that overrides Keras's may call it.
            if not (isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"):
                found.append(f"{path.relative_to(package)}: {ast.unparse(node)}")
    assert "\n".join(found) == ""


def test_nested_scope_keeps_the_values_of_the_outer_one():
    one, other = (keras.Variable(np.zeros(2, "float32")) for _ in range(2))
    with keras.StatelessScope([(one, np.ones(2)), (other, np.ones(2))]):
        with internals.nested_scope([(other, np.full(2, 5.0))]) as scope:
            np.testing.assert_array_equal([one.value, other.value], [[1, 1], [5, 5]])
            one.assign(np.full(2, 7.0))
        np.testing.assert_array_equal(scope.get_current_value(one), [7, 7])
        np.testing.assert_array_equal([one.value, other.value], [[1, 1], [1, 1]])
    with internals.nested_scope([(one, np.full(2, 3.0))]):
        np.testing.assert_array_equal([one.value, other.value], [[3, 3], [0, 0]])
    np.testing.assert_array_equal([one.value, other.value], [[0, 0], [0, 0]])
