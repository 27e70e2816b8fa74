"""The parts of a training step: room for what changes the loss or the gradients.

Toy transforms, and what they must give written out by hand with a tape.
"""

import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.training.step.accumulation import accumulated
from keras_roberta.training.step.batch import Batch, BatchLoss
from keras_roberta.training.step.loss import without_metrics

ROWS, LENGTH, ALPHA, STEP, BOUND = 8, 6, 0.7, 0.5, 0.05

# === Toy transforms ===


def two_passes(loss_fn):
    """As R-Drop: two passes with different dropout, and the divergence of what they say."""

    def both(model, batch):
        first, second = loss_fn(model, batch), loss_fn(model, batch)
        divergence = symmetric_divergence(logits(first.outputs), logits(second.outputs))
        loss = (first.loss + second.loss) / 2 + ALPHA * divergence
        return BatchLoss(loss, first.outputs)

    return both


def disturbed(gradient_fn):
    """As the fast gradient method: also the gradients a step up the embedding's gradient."""

    def both(model, batch):
        table = model.backbone.token_embedding.embeddings
        place = [v is table for v in model.trainable_variables].index(True)
        gradients = gradient_fn(model, batch)
        before = tf.identity(table.value)
        table.assign_add(direction(gradients[place]))
        with without_metrics():
            others = gradient_fn(model, batch)
        table.assign(before)
        return [dense(a) + dense(b) for a, b in zip(gradients, others, strict=True)]

    return both


def clipped(gradient_fn):
    """Bounds the norm of the gradients; of single rows with `accumulated` behind it."""
    return lambda model, batch: clip(gradient_fn(model, batch))


def logits(outputs):
    return outputs["sop"] if isinstance(outputs, dict) else outputs


def symmetric_divergence(first, second):
    p, q = tf.nn.log_softmax(first), tf.nn.log_softmax(second)
    return tf.reduce_mean(tf.reduce_sum((tf.exp(p) - tf.exp(q)) * (p - q), axis=-1))


def direction(gradient):
    return STEP * dense(gradient) / tf.norm(dense(gradient))


def clip(gradients):
    return tf.clip_by_global_norm([dense(g) for g in gradients], BOUND)[0]


def dense(gradient):
    return tf.convert_to_tensor(gradient)


TRANSFORMS = {
    "two passes": dict(loss_transforms=[two_passes]),
    "disturbed": dict(gradient_transforms=[disturbed]),
    "examples clipped": dict(gradient_transforms=[clipped, accumulated(ROWS)]),
}

# === The same by hand ===


class Classifier:
    parts = [(0, ROWS)]

    @staticmethod
    def make(config):
        return kr.RobertaTextClassifier(kr.RobertaBackbone(config), num_classes=2)

    @staticmethod
    def data(config):
        random = np.random.default_rng(0)
        ids = random.integers(5, config.vocabulary_size, (ROWS, LENGTH)).astype("int32")
        features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
        return features, random.integers(0, 2, ROWS).astype("int32")

    @staticmethod
    def loss(outputs, data, rows, parts):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(data[1][rows], outputs)
        return tf.reduce_mean(losses)


class Pretrainer:
    parts = [(0, 4), (4, 8)]  # of one size: the masks of dropout depend on whether it is known

    @staticmethod
    def make(config):
        return kr.RobertaPretrainer(kr.RobertaBackbone(config), ("mlm", "sop"))

    @staticmethod
    def data(config):
        features, sop = Classifier.data(config)
        random = np.random.default_rng(1)
        features["mask_positions"] = np.tile(np.array([[1, 3, 4]], "int32"), (ROWS, 1))
        mlm = random.integers(5, config.vocabulary_size, (ROWS, 3)).astype("int32")
        masked = (np.arange(3) <= random.integers(0, 3, (ROWS, 1))).astype("float32")
        weights = {"mlm": masked, "sop": np.ones(ROWS, "float32")}
        return features, {"mlm": mlm, "sop": sop}, weights

    @staticmethod
    def loss(outputs, data, rows, parts):
        """The share of these rows in the mean over all masked positions, times the parts."""
        total = 0.0
        for name, logits in outputs.items():
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(data[1][name][rows], logits)
            weights = data[2][name]
            total += parts * tf.reduce_sum(losses * weights[rows]) / weights.sum()
        return total


def gradients_by_hand(kind, task, data, transform, parts):
    def gradients(rows):
        features = {name: array[rows] for name, array in data[0].items()}
        with tf.GradientTape() as tape:
            outputs = task(features, training=True)
            loss = kind.loss(outputs, data, rows, len(parts))
            if transform == "two passes":
                others = task(features, training=True)
                loss = (loss + kind.loss(others, data, rows, len(parts))) / 2
                loss += ALPHA * symmetric_divergence(logits(outputs), logits(others))
        return [dense(g) for g in tape.gradient(loss, task.trainable_variables)]

    def of_part(start, stop):
        if transform == "examples clipped":
            single = [clip(gradients(slice(i, i + 1))) for i in range(start, stop)]
            return [sum(same) / len(single) for same in zip(*single, strict=True)]
        found = gradients(slice(start, stop))
        if transform == "disturbed":
            table = task.backbone.token_embedding.embeddings
            place = [v is table for v in task.trainable_variables].index(True)
            before = np.array(table)
            table.assign_add(direction(found[place]))
            others = gradients(slice(start, stop))
            table.assign(before)
            found = [a + b for a, b in zip(found, others, strict=True)]
        return found

    each = [of_part(*part) for part in parts]
    return [sum(same) / len(parts) for same in zip(*each, strict=True)]


# Parts of unequal size, and such that are not compiled, are in the two tests below.
@pytest.mark.parametrize("transform", list(TRANSFORMS))
@pytest.mark.parametrize(
    ("kind", "jit_compile"),
    [(Classifier, False), (Pretrainer, True)],
    ids=["classifier", "pretrainer compiled accumulated"],
)
def test_a_step_equals_what_is_written_by_hand(config, kind, jit_compile, transform):
    rate = 0.3 if transform == "two passes" else 0.0
    config = config.replace(
        num_layers=1, hidden_dim=16, num_heads=2, dropout=rate, attention_dropout=rate
    )
    parts, data = kind.parts, kind.data(config)
    tasks = []
    for _ in range(2):  # with the same weights and the same seeds of dropout
        keras.utils.set_random_seed(1)
        tasks.append(kind.make(config))
    task, other = tasks
    before = [np.array(w) for w in task.trainable_variables]
    task.compile(
        keras.optimizers.SGD(1.0),
        jit_compile=jit_compile,
        gradient_accumulation_steps=len(parts),
        **TRANSFORMS[transform],
    )
    logs = task.fit(tf.data.Dataset.from_tensors(data), verbose=0).history
    expected = gradients_by_hand(kind, other, data, transform, parts)
    for variable, old, gradient in zip(task.trainable_variables, before, expected, strict=True):
        np.testing.assert_allclose(old - variable, gradient, atol=2e-5, err_msg=variable.path)
    if transform == "disturbed" or (transform == "examples clipped" and kind is Classifier):
        # Each row was counted once, with the weights of before.
        outputs = other(data[0], training=False)
        assert logs["loss"][0] == pytest.approx(
            float(kind.loss(outputs, data, slice(None), 1)), rel=1e-4
        )


def small(config):
    return config.replace(
        num_layers=1, hidden_dim=16, num_heads=2, dropout=0.0, attention_dropout=0.0
    )


def test_every_task_accumulates_in_fit(config, tokenizer, sentiment):
    """Of 10 texts in batches of 4 the last has 2, fewer than parts."""
    texts, labels = (part[:10] for part in sentiment)
    found = []
    for parts in (1, 3):
        keras.utils.set_random_seed(1)
        preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
        task = kr.RobertaTextClassifier(
            kr.RobertaBackbone(small(config)), num_classes=2, preprocessor=preprocessor
        )
        task.compile(
            keras.optimizers.SGD(0.1),
            gradient_accumulation_steps=parts,
            steps_per_execution=2,
        )
        history = task.fit(texts, labels, 4, epochs=2, shuffle=False, verbose=0).history
        found.append(([np.array(w) for w in task.weights], history["loss"]))
    for weight, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(other, weight, atol=1e-5)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-5)


def test_parts_count_by_their_sample_weights_where_the_loss_does(config):
    """A masked language model's loss is the mean over masked positions; parts have unlike many."""
    random = np.random.default_rng(0)
    ids = random.integers(5, config.vocabulary_size, (ROWS, LENGTH)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    features["mask_positions"] = np.tile(np.arange(1, 4, dtype="int32"), (ROWS, 1))
    weights = np.zeros((ROWS, 3), "float32")
    weights[:4, 0], weights[4:] = 1.0, 1.0
    found = []
    for parts in (1, 3):
        keras.utils.set_random_seed(1)
        task = kr.RobertaMaskedLM(kr.RobertaBackbone(small(config)))
        task.compile(keras.optimizers.SGD(1.0), gradient_accumulation_steps=parts)
        task.train_on_batch(features, ids[:, 1:4], weights)
        found.append([np.array(w) for w in task.trainable_variables])
    for weight, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, weight, atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class Scaled:
    """A loss transform that is saved."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, loss_fn):
        return lambda model, batch: loss_fn(model, batch)._replace(
            loss=self.factor * loss_fn(model, batch).loss
        )

    def get_config(self):
        return {"factor": self.factor}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_transforms_in_a_keras_file(config, tmp_path, caplog):
    task = Classifier.make(small(config))
    task.compile("sgd", loss_transforms=[Scaled(3.0)], gradient_accumulation_steps=2)
    task.save(tmp_path / "task.keras")
    again = keras.models.load_model(tmp_path / "task.keras")
    data = Classifier.data(config)
    before = task.evaluate(*data, verbose=0, return_dict=True)["loss"]
    loss = again.train_on_batch(*data, return_dict=True)["loss"]
    assert loss == pytest.approx(3 * before, rel=1e-4)
    assert again.gradient_accumulation_steps == 2

    assert not caplog.records

    task.compile("sgd", loss_transforms=[two_passes, Scaled(2.0)])
    task.save(tmp_path / "task.keras")
    assert "loss_transforms: the file does not contain two_passes; compile" in caplog.text
    again = keras.models.load_model(tmp_path / "task.keras")
    loss = again.train_on_batch(*data, return_dict=True)["loss"]
    assert loss == pytest.approx(2 * before, rel=1e-4)


def test_a_new_process_knows_the_transforms_in_a_keras_file(config, tmp_path):
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(small(config)), num_classes=2)
    task.compile(
        loss_transforms=[kr.RDrop(0.5), kr.ConfidencePenalty(0.5)],
        gradient_transforms=[kr.FastGradientMethod(0.5)],
    )
    task.save(tmp_path / "task.keras")
    script = (
        "import sys, keras, keras_roberta as kr\n"
        "kr.RobertaTextClassifier, kr.RobertaBackbone\n"
        "config = keras.models.load_model(sys.argv[1]).get_compile_config()\n"
        "for name in ('loss_transforms', 'gradient_transforms'):\n"
        "    print(*(t['class_name'] for t in config[name]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "task.keras")]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert found.split() == ["RDrop", "ConfidencePenalty", "FastGradientMethod"]


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_accumulation_steps_that_are_wrong(config, steps):
    with pytest.raises(InputError, match="gradient_accumulation_steps must be a positive integer"):
        Classifier.make(small(config)).compile(gradient_accumulation_steps=steps)


def test_sums_do_not_accumulate(config):
    task = Classifier.make(small(config))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    task.compile(loss=loss)
    with pytest.raises(InputError, match='a loss has reduction="sum"'):
        task.compile(loss=loss, gradient_accumulation_steps=2)


def test_accumulated_by_the_sample_weights_of_a_named_output():
    """The mean of [1, 2, 3, 4] with weights [1, 3, 0, 4], in two parts."""

    def mean(model, batch):
        weight = batch.sample_weight["a"]
        return [tf.reduce_sum(batch.x * weight) / tf.reduce_sum(weight)]

    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    model = types.SimpleNamespace(loss={"a": loss})
    values = tf.constant([1.0, 2.0, 3.0, 4.0])
    batch = Batch(values, {"a": values}, {"a": tf.constant([1.0, 3.0, 0.0, 4.0])})
    (found,) = accumulated(2)(mean)(model, batch)
    assert float(found) == pytest.approx(23 / 8)
    weights = {"a": batch.sample_weight["a"], "b": batch.sample_weight["a"]}
    with pytest.raises(InputError, match="sample weights of several outputs"):
        accumulated(2)(mean)(model, batch._replace(sample_weight=weights))
