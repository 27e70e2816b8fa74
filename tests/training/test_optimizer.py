import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.optimizer.roberta_adamw import RobertaAdamW, finetuning_optimizer
from keras_roberta.training.optimizer.schedules import LinearWarmupDecay


def reference_adamw(weights, gradients, decayed, rate, beta_1=0.9, beta_2=0.98, eps=1e-6, wd=0.1):
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2) with clipping by the global norm 1."""
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    for t, grads in enumerate(gradients, start=1):
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        grads = [g / max(norm, 1.0) for g in grads]
        for i, g in enumerate(grads):
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = beta_2 * v[i] + (1 - beta_2) * g**2
            scale = rate(t - 1) * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            step = scale * m[i] / (np.sqrt(v[i]) + eps)
            weights[i] = weights[i] * (1 - rate(t - 1) * wd * decayed[i]) - step
    return weights


@pytest.mark.parametrize("inside_a_function", [True, False])
@pytest.mark.parametrize("scale", [1.0, 0.01])  # of norms above the bound, and of norms below it
def test_steps_equal_the_formula(inside_a_function, scale):
    random = np.random.default_rng(0)
    start = [random.normal(size=(4, 3)).astype("float32"), random.normal(size=3).astype("float32")]
    variables = [keras.Variable(w, name=n) for w, n in zip(start, ("kernel", "bias"), strict=True)]
    gradients = [
        [(scale * (t + 1) * random.normal(size=w.shape)).astype("float32") for w in start]
        for t in range(5)
    ]
    norms = [np.sqrt(sum((g**2).sum() for g in grads)) for grads in gradients]
    assert min(norms) > 1 if scale == 1 else max(norms) < 1
    schedule = LinearWarmupDecay(0.1, total_steps=5, warmup=2)
    optimizer = finetuning_optimizer(schedule)

    def step(grads):
        optimizer.apply(grads, variables)

    step = tf.function(step) if inside_a_function else step
    for grads in gradients:
        step([tf.constant(g) for g in grads])
    expected = reference_adamw(start, gradients, [1, 0], lambda t: float(schedule(t)))
    for variable, weight in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable, weight, atol=1e-5)
    assert int(optimizer.iterations) == 5


def test_frozen_weights_stay_and_few_rows_are_merged():
    table = keras.Variable(np.ones((5, 2), "float32"), name="embeddings")
    frozen = keras.Variable(np.ones(2, "float32"), name="bias")
    optimizer = finetuning_optimizer(0.1, total_steps=10, warmup=0, weight_decay=0.0)
    rows = tf.IndexedSlices(tf.ones((3, 2)), tf.constant([1, 3, 3]), tf.constant([5, 2]))
    optimizer.apply([rows, None], [table, frozen])
    moved = np.asarray(table)[:, 0] < 1
    np.testing.assert_array_equal(moved, [False, True, False, True, False])
    np.testing.assert_array_equal(frozen, np.ones(2))


@pytest.mark.parametrize("decay", [0.1, 0.0])
def test_a_large_table_is_updated_exactly_though_steps_touch_few_of_its_rows(decay):
    """Rows that were touched earlier go on moving, the others only decay."""
    random = np.random.default_rng(0)
    table = random.normal(size=(5001, 4)).astype("float32")
    gradients, dense = [], []
    for step in range(6):
        rows = random.integers(0, 5001 if step else 7, size=900)  # many of them twice
        values = random.normal(size=(900, 4)).astype("float32")
        gradients.append(tf.IndexedSlices(tf.constant(values), tf.constant(rows)))
        dense.append(np.zeros_like(table))
        np.add.at(dense[-1], rows, values)
    gradients[4] = tf.constant(dense[4])  # as from a tied projection
    rate = 0.01
    optimizer = finetuning_optimizer(lambda: rate, weight_decay=decay)
    variable = keras.Variable(table, name="embeddings")
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    expected = reference_adamw([table], [[g] for g in dense], [1], lambda t: rate, wd=decay)[0]
    np.testing.assert_allclose(variable, expected, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_step_that_is_not_finite_is_skipped_and_counted(bad):
    weight = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    optimizer = finetuning_optimizer(0.1, total_steps=10)
    good = tf.ones((2, 2))
    optimizer.apply([good], [weight])
    before = [np.asarray(v) for v in (weight, *optimizer.variables)]
    optimizer.apply([good * [[1, bad], [1, 1]]], [weight])
    after = {v.path: np.asarray(v) for v in (weight, *optimizer.variables)}
    changed = [
        path
        for path, old in zip(after, before, strict=True)
        if not np.array_equal(after[path], old)
    ]
    assert [path.rpartition("/")[2] for path in changed] == ["iteration", "skipped_steps"]
    assert int(optimizer.skipped_steps) == 1
    optimizer.apply([good], [weight])
    assert np.isfinite(weight).all() and not np.array_equal(weight, before[0])


@pytest.mark.parametrize("setting", [{"amsgrad": True}, {"gradient_accumulation_steps": 2}])
def test_what_recipes_do_not_use_is_left_to_keras(setting):
    weights = [keras.Variable(np.ones((2, 2), "float32"), name="kernel") for _ in range(2)]
    for weight, cls in zip(weights, (RobertaAdamW, keras.optimizers.AdamW), strict=True):
        optimizer = cls(0.1, **setting)
        for scale in (1.0, -2.0, 0.5, 3.0):
            optimizer.apply([scale * tf.constant([[1.0, 2.0], [3.0, 4.0]])], [weight])
    np.testing.assert_allclose(*weights, atol=1e-6)


def test_a_plain_model_compiled_whole_trains():
    """XLA knows no rows of unknown number; the optimizer must not need them there."""
    model = keras.Sequential([keras.layers.Embedding(5000, 4), keras.layers.Dense(1)])
    model.compile(RobertaAdamW(0.01), loss="mse", jit_compile=True)
    ids = np.arange(64).reshape(8, 8)
    first = model.train_on_batch(ids, np.ones((8, 8, 1)))
    assert model.train_on_batch(ids, np.ones((8, 8, 1))) < first


@pytest.mark.parametrize(
    "weight",
    [
        lambda: keras.Variable(np.ones((2, 2), "float32"), dtype="bfloat16"),
        lambda: keras.Variable(np.ones((2, 2), "float32"), dtype="float16"),
        lambda: constrained(keras.constraints.UnitNorm()),
        lambda: tf.Variable(np.ones((2, 2), "float32")),
    ],
    ids=["bfloat16", "float16", "constraint", "tf.Variable"],
)
def test_weights_of_other_kinds_are_left_to_keras(weight):
    weights = [weight() for _ in range(2)]
    for weight, cls in zip(weights, (RobertaAdamW, keras.optimizers.AdamW), strict=True):
        optimizer = cls(0.1, beta_2=0.9)  # bfloat16 has no 0.999
        for scale in (1.0, -2.0, 0.5):
            gradient = scale * tf.constant([[1.0, 2.0], [3.0, 4.0]])
            optimizer.apply([tf.cast(gradient, weight.dtype)], [weight])
    first, second = (np.asarray(tf.cast(tf.convert_to_tensor(w), "float32")) for w in weights)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, np.ones((2, 2)))


def constrained(constraint):
    variable = keras.Variable(np.ones((2, 2), "float32"))
    variable.constraint = constraint
    return variable


def test_other_weights_than_it_was_built_with():
    known, new = (keras.Variable(np.ones(2, "float32")) for _ in range(2))
    optimizer = RobertaAdamW(0.1)
    optimizer.apply([tf.ones(2)], [known])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([tf.ones(2)], [new])


def test_a_saved_model_goes_on_with_the_rows_it_had_touched(tmp_path):
    model = keras.Sequential([keras.layers.Embedding(4096, 2), keras.layers.Dense(1)])
    model.compile(RobertaAdamW(0.01), loss="mse", jit_compile=False)
    first, second = np.arange(8).reshape(2, 4), np.arange(100, 108).reshape(2, 4)
    target = np.ones((2, 4, 1))
    model.train_on_batch(first, target)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    before = np.array(model.weights[0])
    for _ in range(2):
        model.train_on_batch(second, target)
        again.train_on_batch(second, target)
    assert not np.allclose(model.weights[0][:8], before[:8], atol=1e-3)  # they go on moving
    for weight, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(other, weight)


def test_a_strategy_of_one_device():
    def train():
        table = keras.Variable(np.ones((4096, 2), "float32"), name="embeddings")
        bias = keras.Variable(np.ones(2, "float32"), name="bias")
        optimizer = finetuning_optimizer(0.1, total_steps=9, warmup=0)
        optimizer.build([table, bias])

        @tf.function
        def step():
            rows = tf.IndexedSlices(tf.ones((3, 2)), tf.constant([1, 3, 3]), tf.constant([4096, 2]))
            apply = lambda: optimizer.apply([rows, tf.ones(2)], [table, bias])  # noqa: E731
            tf.distribute.get_strategy().run(apply)

        step()
        step()
        return np.array(table), np.array(bias)

    expected = train()
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        found = train()
    for array, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, array, atol=1e-6)


def test_optimizer_config_round_trip():
    optimizer = finetuning_optimizer(2e-5, warmup=0.1, weight_decay=0.05)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, RobertaAdamW)
    assert again.get_config() == optimizer.get_config()
    assert again.not_decayed == ("bias", "gamma", "beta")


# === Moving averages of the weights ===


def pair_of_optimizers(**arguments):
    """This one and Keras's own, of the same settings."""
    arguments = dict(weight_decay=0.1, beta_2=0.98, epsilon=1e-6, **arguments)
    usual = keras.optimizers.AdamW(0.01, **arguments)
    usual.exclude_from_weight_decay(var_names=["bias"])
    return RobertaAdamW(0.01, **arguments), usual


def steps_of_three_weights(optimizer, inside_a_function=True):
    """Five steps of a table of which few rows are touched, a kernel and a weight whose gradient
    is missing now and then; the weights and their averages after each."""
    random = np.random.default_rng(0)
    shapes = {"embeddings": (5000, 4), "kernel": (4, 3), "bias": (3,)}
    weights = [
        keras.Variable(random.normal(size=shape).astype("float32"), name=name)
        for name, shape in shapes.items()
    ]
    optimizer.build(weights)

    def step(rows, values, kernel, bias):
        table = tf.IndexedSlices(values, rows, tf.constant([5000, 4]))
        optimizer.apply([table, kernel, bias], weights)

    step = tf.function(step) if inside_a_function else step
    seen = []
    for i in range(5):
        rows = random.choice(5000, 300, replace=False)  # Keras does not merge rows that come twice
        values = random.normal(size=(300, 4))
        kernel, bias = random.normal(size=(4, 3)), random.normal(size=3)
        arrays = [tf.constant(a, "float32") for a in (values, kernel, bias)]
        step(tf.constant(rows), *arrays[:2], None if i in (0, 3) else arrays[2])
        averages = [v for v in optimizer.variables if v.path.endswith("_average")]
        seen.append([np.array(v) for v in (*weights, *averages)])
    return seen


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("overwrite", [None, 2])
def test_averages_equal_those_of_keras(overwrite):
    """Untouched rows of the table decay, so that their averages move too."""
    arguments = dict(use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=overwrite)
    found, expected = map(steps_of_three_weights, pair_of_optimizers(**arguments))
    for step, (arrays, others) in enumerate(zip(found, expected, strict=True)):
        assert len(arrays) == len(others) == 6
        for array, other in zip(arrays, others, strict=True):
            np.testing.assert_allclose(array, other, atol=1e-6, err_msg=f"step {step}")
    assert not np.allclose(found[-1][0], found[-1][3], atol=1e-4)


def test_averages_are_part_of_the_fast_update():
    """The mark of it: rows of a table are known as touched."""
    fast, _ = pair_of_optimizers(use_ema=True)
    fast.build([keras.Variable(np.ones((5000, 2), "float32"), name="embeddings")])
    assert [v.path.rpartition("/")[2] for v in fast.variables][-1] == "touched"


def test_a_first_step_that_is_skipped_leaves_no_trace_in_the_averages():
    weight = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    optimizer = RobertaAdamW(0.1, use_ema=True, ema_momentum=0.9)
    optimizer.apply([tf.fill((2, 2), np.nan)], [weight])
    optimizer.apply([tf.ones((2, 2))], [weight])
    (average,) = [v for v in optimizer.variables if v.path.endswith("_average")]
    np.testing.assert_allclose(average, weight, atol=1e-6)


def test_the_averages_are_the_weights_after_fit():
    data = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    target = data @ np.array([[1.0], [2.0], [-1.0]], "float32")
    kernels, validation = [], []
    for optimizer in (RobertaAdamW, keras.optimizers.AdamW):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer(0.05, weight_decay=0.0, use_ema=True, ema_momentum=0.8), "mse")
        swap = keras.callbacks.SwapEMAWeights()
        history = model.fit(
            data, target, 8, epochs=2, shuffle=False, verbose=0, callbacks=[swap],
            validation_data=(data, target),
        )  # fmt: skip
        kernels.append(np.array(model.layers[0].kernel))
        validation.append(history.history["val_loss"])
    np.testing.assert_allclose(*kernels, atol=1e-6)
    np.testing.assert_allclose(*validation, rtol=1e-5)


# === Learning rates of single weights ===

MULTIPLIERS = {"frozen": 0.0, "^slow_.*kernel": 0.25, "slow": 0.5, "table": 2.0}


def reference_adamw_of_rates(weights, gradients, factors, decays, *, rate, wd=0.1):
    """AdamW whose learning rate, and with it the decay, is multiplied for each weight."""
    beta_1, beta_2, eps = 0.9, 0.98, 1e-6
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    for t, grads in enumerate(gradients, start=1):
        for i, g in enumerate(grads):
            m[i] = beta_1 * m[i] + (1 - beta_1) * g
            v[i] = beta_2 * v[i] + (1 - beta_2) * g**2
            own = rate * factors[i]
            scale = own * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            step = scale * m[i] / (np.sqrt(v[i]) + eps)
            weights[i] = weights[i] * (1 - own * wd * decays[i]) - step
    return weights


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"clipvalue": 1e9}], ids=["fast", "Keras's own"])
def test_learning_rates_of_single_weights(arguments, as_function):
    random = np.random.default_rng(0)
    shapes = {
        "table": (4096, 2),
        "slow_kernel": (3, 2),
        "slow_bias": (2,),
        "frozen_kernel": (3, 2),
        "kernel": (2, 2),
    }
    factors, decays = [2.0, 0.25, 0.5, 0.0, 1.0], [1, 1, 0, 1, 1]
    start = [random.normal(size=shape).astype("float32") for shape in shapes.values()]
    weights = [keras.Variable(w, name=name) for name, w in zip(shapes, start, strict=True)]
    rows = random.integers(0, 4096, (4, 50))
    gradients = []
    for step in range(4):
        gradients.append([random.normal(size=w.shape).astype("float32") for w in start])
        gradients[-1][0][np.setdiff1d(np.arange(4096), rows[step])] = 0.0
    # The variables are outside of any layer: their paths are their names.
    multipliers = dict(zip(shapes, factors, strict=True)).get if as_function else MULTIPLIERS
    # A function of the path; the variables here are outside of any layer.
    optimizer = RobertaAdamW(
        0.05,
        weight_decay=0.1,
        beta_2=0.98,
        epsilon=1e-6,
        learning_rate_multipliers=multipliers,
        **arguments,
    )
    for step, grads in enumerate(gradients):
        unique = np.unique(rows[step])
        table = tf.IndexedSlices(
            tf.constant(grads[0][unique]), tf.constant(unique), tf.constant([4096, 2])
        )
        optimizer.apply([table, *map(tf.constant, grads[1:])], weights)
    before = [w.copy() for w in start]
    expected = reference_adamw_of_rates(start, gradients, factors, decays, rate=0.05)
    for name, weight, array in zip(shapes, weights, expected, strict=True):
        np.testing.assert_allclose(weight, array, atol=2e-5, err_msg=name)
    np.testing.assert_array_equal(weights[3], before[3])


@keras.saving.register_keras_serializable(package="tests")
def half_of_kernels(path):
    return 0.5 if path.endswith("kernel") else 1.0


@pytest.mark.parametrize("multipliers", [MULTIPLIERS, half_of_kernels])
def test_multipliers_are_saved(multipliers):
    optimizer = finetuning_optimizer(2e-5, learning_rate_multipliers=multipliers, use_ema=True)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.learning_rate_multipliers == multipliers and again.use_ema
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("multipliers", "message"),
    [
        ({"kernel": -1.0}, r"learning_rate_multipliers\['kernel'\]"),
        ({"kernel": "fast"}, "number of at least 0"),
        ({"(": 1.0}, "is not a pattern"),
        (0.5, "dict of patterns"),
    ],
)
def test_multipliers_that_are_wrong(multipliers, message):
    with pytest.raises(InputError, match=message):
        RobertaAdamW(0.1, learning_rate_multipliers=multipliers)
