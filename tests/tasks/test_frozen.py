"""What the library computed before its code was divided anew, it computes still.

`tests/golden/frozen` holds presets, exported files and outputs of that code; its README says which.
"""

import functools
import json
import operator
import pathlib

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.training.optimizer import finetuning_optimizer

FROZEN = pathlib.Path(__file__).parents[1] / "golden" / "frozen"
ARRAYS = dict(np.load(FROZEN / "outputs.npz"))
VALUES = json.loads((FROZEN / "outputs.json").read_text(encoding="utf-8"))
INPUTS = {"texts": VALUES["texts"], "pairs": (VALUES["firsts"], VALUES["seconds"])}
EXPORTS = VALUES["exports"]
NUM_MASKS = np.array([text.count("<mask>") for text in VALUES["texts"]])


def load(name):
    """A frozen preset, through the class that it was saved by."""
    values = VALUES["presets"][name]
    return getattr(kr, values["class"]).from_preset(FROZEN / values["directory"])


loaded_once = functools.cache(load)


def arrays(prefix):
    """The arrays whose names begin so, by the rest of their names."""
    prefix += "/"
    return {name.removeprefix(prefix): a for name, a in ARRAYS.items() if name.startswith(prefix)}


def assert_close(found, expected, tolerance, name=""):
    assert np.shape(found) == expected.shape, name
    if expected.dtype.kind == "f":
        # The relative part is for other processors, which add up in another order.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=tolerance, err_msg=name)
    else:
        np.testing.assert_array_equal(found, expected, err_msg=name)


# === Presets ===


@pytest.mark.parametrize("name", ["classifier", "masked_lm", "pretrainer"])
def test_token_ids(name):
    tokenizer = loaded_once(name).preprocessor.tokenizer
    texts, (firsts, seconds) = INPUTS["texts"], INPUTS["pairs"]
    assert tokenizer(texts) == VALUES["token_ids"]["texts"]
    assert tokenizer(texts, max_length=16) == VALUES["token_ids"]["cut_texts"]
    assert tokenizer(firsts, seconds, max_length=16) == VALUES["token_ids"]["cut_pairs"]


@pytest.mark.parametrize("name", VALUES["presets"])
def test_settings(name):
    model, values = loaded_once(name), VALUES["presets"][name]
    config = getattr(model, "backbone", model).config.to_dict()
    assert {field: config[field] for field in values["config"]} == values["config"]
    for path, expected in values["attributes"].items():
        found = operator.attrgetter(path)(model)
        assert (list(found) if isinstance(found, tuple) else found) == expected, path


@pytest.mark.parametrize(
    "name", [name for name in VALUES["presets"] if name not in ("backbone", "pretrainer")]
)
def test_predictions(name):
    model = loaded_once(name)
    expected = arrays(f"predict/{name}")
    assert "texts" in expected
    for inputs, array in expected.items():
        x = INPUTS[inputs]
        if name.startswith("masked_lm"):  # a text without a mask is an error today
            x, array = [x[row] for row in NUM_MASKS.nonzero()[0]], array[NUM_MASKS > 0]
            there = np.arange(array.shape[1]) < NUM_MASKS[NUM_MASKS > 0, None]
            assert_close(model.predict(x, verbose=0)[there], array[there], 1e-5, inputs)
        else:
            assert_close(model.predict(x, verbose=0), array, 1e-5, inputs)


def test_encoder_and_pretrainer():
    """On features; they take no texts."""
    features = arrays("features")
    made = loaded_once("pretrainer").preprocessor(INPUTS["texts"])
    for name, array in features.items():
        assert_close(made[name], array, 0, name)
    is_token = features["padding_mask"] == 1
    inputs = {name: features[name] for name in ("token_ids", "padding_mask")}
    hidden = loaded_once("backbone").predict(inputs, verbose=0)
    assert_close(hidden[is_token], ARRAYS["predict/backbone/features"][is_token], 1e-5)
    outputs = loaded_once("pretrainer").predict(features, verbose=0)
    for name, array in arrays("predict/pretrainer/features").items():
        at = is_token if name == "tokens" else ...
        assert_close(outputs[name][at], array[at], 1e-5, name)


# === Exported models ===


def open_exported(path, name):
    takes_ids = EXPORTS[name]["arguments"].get("inputs") == "tokens"
    task = loaded_once(EXPORTS[name]["preset"])
    return export.load(path, task.preprocessor.tokenizer if takes_ids else None)


def assert_answers(runner, name, tolerance):
    """A model answers what the frozen one of a name did; it may say more."""
    if EXPORTS[name]["labels"] is not None:
        assert list(runner.labels) == EXPORTS[name]["labels"]
    for inputs, x in INPUTS.items():
        expected = arrays(f"export/{name}/{inputs}")
        outputs = runner.predict(x) if expected else {}
        for output, array in expected.items():
            found = outputs[output]
            if name.startswith("masked_lm") and array.ndim == 3:
                # Where there is no mask they say so in another way today.
                there = np.arange(array.shape[1]) < NUM_MASKS[:, None]
                found, array = found[there], array[there]
            assert_close(found, array, tolerance, f"{inputs}/{output}")
        for path, strings in VALUES["strings"].items():
            prefix, _, output = path.rpartition("/")
            if prefix == f"export/{name}/{inputs}":
                assert outputs[output].tolist() == strings, output


@pytest.mark.parametrize("name", [name for name in EXPORTS if EXPORTS[name]["is_kept"]])
def test_exported_files(name):
    assert_answers(open_exported(FROZEN / name, name), name, 1e-5)


# Each preset as a file with its tokenizer, which has the signatures of token ids too, and once each
# other kind. That all of them answer as the task does is a matter of test_contract_exports.py.
AGAIN = [
    *("classifier-text.tflite", "regressor-text.tflite", "masked_lm-text.tflite"),
    *("masked_lm-saved-model", "classifier-saved-model-tokens"),
]


@pytest.mark.parametrize("name", AGAIN)
def test_exporting_again(name, tmp_path):
    write = getattr(export, EXPORTS[name]["function"])
    write(loaded_once(EXPORTS[name]["preset"]), tmp_path / name, **EXPORTS[name]["arguments"])
    assert_answers(open_exported(tmp_path / name, name), name, 1e-4)


# === Training and commands ===


@pytest.mark.parametrize("name", VALUES["training"]["losses"])
def test_losses(name):
    if name == "masked_lm":  # its masks are given, so nothing is drawn
        features = arrays(f"training/{name}")
        batch = (features, features.pop("targets"), features.pop("weights"))
    else:
        batch = VALUES["training"]["texts"], np.array(VALUES["training"]["labels"][name])
    task = load(name)
    task.compile(optimizer=finetuning_optimizer(**VALUES["training"]["optimizers"][name]))
    losses = []
    for _ in range(4):
        task.reset_metrics()  # else the logs hold the mean of all steps
        losses.append(float(task.train_on_batch(*batch, return_dict=True)["loss"]))
    np.testing.assert_allclose(losses, VALUES["training"]["losses"][name], rtol=1e-4)


@pytest.mark.parametrize(
    "command", VALUES["commands"], ids=lambda command: "-".join(command["arguments"][:3:2])
)
def test_commands(command, run, monkeypatch):
    monkeypatch.chdir(FROZEN)
    monkeypatch.setenv("COLUMNS", "80")
    code, stdout, stderr = run(*command["arguments"])
    assert code == 0, stderr
    # It may say more than it did.
    if stdout.startswith("{"):
        assert json.loads(command["stdout"]).items() <= json.loads(stdout).items()
    else:
        found = [line.split() for line in stdout.splitlines()]
        for line in command["stdout"].splitlines():
            assert line.split() in found
