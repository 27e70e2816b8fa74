"""Freezes what tiny models compute: presets, exported files and outputs, for `test_frozen.py`.

    git worktree add OLD f126bed
    mkdir SITE && cp -r OLD/keras_roberta SITE/ && cp -r OLD/export SITE/keras_roberta/export
    cd SITE && PYTHONPATH=SITE python .../benchmarks/freeze_outputs.py --commit f126bed

The package under `PYTHONPATH` is the one whose outputs are frozen; its place is printed. The files
that are there were made by commit f126bed, before the code was divided anew, and show that it still
does the same. Making them with later code would hide what that code changed: do so only for a
change of outputs that is meant, and say so in the README that this writes.

The models are random, with biases and layer norms that are neither 0 nor 1, so that one which is
lost or mistaken for another shows.
"""

import argparse
import contextlib
import io
import json
import operator
import os
import pathlib
import shutil
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["COLUMNS"] = "80"  # the width of printed tables

import keras_roberta as kr  # before TensorFlow

# isort: split
import ai_edge_litert
import keras
import keras_hub
import numpy as np
import tensorflow as tf

from keras_roberta import export
from keras_roberta.cli import main as command_line
from keras_roberta.tokenizers.training import train_byte_level_bpe
from keras_roberta.training.optimizer import finetuning_optimizer

FROZEN = pathlib.Path(__file__).resolve().parents[1] / "tests" / "golden" / "frozen"

GOOD = ["a fine film", "a warm and lovely film", "fine , warm and funny", "lovely , simply lovely"]
BAD = ["a dull film", "a cold and tedious film", "dull , cold and flat", "tedious , simply tedious"]
TOO_LONG = "a cold and tedious film , dull and flat " * 6  # for every model here, in bytes too
TEXTS = [
    "a fine film",
    "",
    "tedious , simply tedious",
    " two  lines\n\nand a\ttab ",
    "Größe 3,5 👍 naïve",
    "日本語",
    "half a pair: \ud83d",  # a lone surrogate
    "a <mask> film",
    "<mask> , <mask> and lovely",
    "</s> is special<pad>",
    TOO_LONG,
    "<mask>" * 3 + TOO_LONG,
]
FIRSTS = ["a fine film", "", TOO_LONG, "日本", TOO_LONG]
SECONDS = ["a dull film", "warm", "cold", TOO_LONG, TOO_LONG]

# Name -> the class that loads it, and the directory of the preset.
PRESETS = {
    "classifier": ("RobertaTextClassifier", "classifier"),
    "two_classes": ("RobertaTextClassifier", "two_classes"),
    "regressor": ("RobertaTextClassifier", "regressor"),
    "masked_lm": ("RobertaMaskedLM", "masked_lm"),
    "pretrainer": ("RobertaPretrainer", "pretrainer"),
    "masked_lm_of_pretrainer": ("RobertaMaskedLM", "pretrainer"),
    "backbone": ("RobertaBackbone", "backbone"),
}
# Name -> the preset, the function and its arguments. Of SavedModels the outputs alone are kept, but
# of one that takes token ids.
KEPT_SAVED_MODEL = "classifier-saved-model-tokens"
SHORT = {"sequence_lengths": [16]}
EXPORTS = {
    f"{name}-{kind}": (name, function, arguments)
    for name in ("classifier", "regressor", "masked_lm")
    for kind, function, arguments in [
        ("text.tflite", "to_tflite", {"inputs": "text", "quantization": "none", **SHORT}),
        ("tokens.tflite", "to_tflite", {"inputs": "tokens", "quantization": "none", **SHORT}),
        ("text-int8.tflite", "to_tflite", {"inputs": "text", "quantization": "int8", **SHORT}),
        ("saved-model", "to_saved_model", {"warmup_batch_sizes": [1], "warmup_lengths": [8]}),
    ]
} | {
    KEPT_SAVED_MODEL: (
        "classifier",
        "to_saved_model",
        {"inputs": "tokens", "warmup_batch_sizes": [1], "warmup_lengths": [8]},
    )
}
COMMANDS = [
    ["predict", "--model", "classifier", "a fine film", "Größe 3,5", " two  lines", "a\tb"],
    ["predict", "--model", "classifier", "--data", "classifier.tsv"],
    ["evaluate", "--model", "classifier", "--data", "classifier.tsv"],
    ["evaluate", "--model", "classifier", "--data", "classifier.tsv", "--limit", "5", "--json"],
    ["predict", "--model", "regressor", "a fine film", "Größe 3,5", " two  lines"],
    ["predict", "--model", "regressor", "--data", "regressor.tsv"],
    ["evaluate", "--model", "regressor", "--data", "regressor.tsv"],
    ["predict", "--model", "classifier-text.tflite", "a fine film", "Größe 3,5"],
    ["evaluate", "--model", "regressor-text.tflite", "--data", "regressor.tsv"],
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, default=FROZEN)
    parser.add_argument("--commit", default="(not named)", help="of the code, for the README")
    options = parser.parse_args()
    print(f"freezing {kr.__file__} and {export.__file__}")
    keras.utils.set_random_seed(11)

    if (options.output / "outputs.json").is_file():  # made by this script
        shutil.rmtree(options.output)
    options.output.mkdir(parents=True)
    tokenizer = train_byte_level_bpe((GOOD + BAD) * 4, vocabulary_size=300)
    for name, model in make_models(tokenizer).items():
        model.save_to_preset(options.output / name)
    write_tables(options.output)
    models = {name: load(options.output, name) for name in PRESETS}

    frozen = Frozen()
    frozen.values |= {"commit": options.commit, "versions": versions()}
    frozen.values |= {"texts": TEXTS, "firsts": FIRSTS, "seconds": SECONDS}
    frozen.values["token_ids"] = {
        "texts": tokenizer(TEXTS),
        "cut_texts": tokenizer(TEXTS, max_length=16),
        "cut_pairs": tokenizer(FIRSTS, SECONDS, max_length=16),
    }
    freeze_presets(frozen, models)
    freeze_exports(frozen, models, options.output)
    freeze_training(frozen, options.output)
    frozen.values["commands"] = [
        {"arguments": arguments, "stdout": printed(arguments, options.output)}
        for arguments in COMMANDS
    ]
    np.savez_compressed(options.output / "outputs.npz", **frozen.arrays)
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in frozen.values.items()]
    content = "{\n" + ",\n".join(lines) + "\n}\n"
    (options.output / "outputs.json").write_text(content, encoding="utf-8")
    made_by = ", ".join(f"{name} {version}" for name, version in versions().items())
    text = README.format(commit=options.commit, made_by=made_by)
    (options.output / "README.md").write_text(text, encoding="utf-8")


class Frozen:
    """What is written: arrays of numbers by name, and all else as JSON."""

    def __init__(self):
        self.arrays, self.values = {}, {}

    def add(self, name, outputs):
        """Adds an array, or a dict of them; strings go to the JSON."""
        if isinstance(outputs, dict):
            for part, array in sorted(outputs.items()):  # a SavedModel has no order
                self.add(f"{name}/{part}", array)
        elif np.asarray(outputs).dtype == object:
            self.values.setdefault("strings", {})[name] = outputs.tolist()
        else:
            assert name not in self.arrays
            self.arrays[name] = np.asarray(outputs)


def make_models(tokenizer):
    """A model of each kind, by the name of its preset."""
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=2,
        num_heads=4,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=32,
        dropout=0.0,  # training is frozen too
        attention_dropout=0.0,
        initializer_range=0.2,
    )
    # Not the number of positions, nor one that is there by itself.
    of_texts = {"tokenizer": tokenizer, "sequence_length": 28}
    labels = ["bad", "fair", "good"]

    def backbone(number, **changes):
        return kr.RobertaBackbone(config.replace(seed=number, **changes))

    models = {
        "classifier": kr.RobertaTextClassifier(
            backbone(1), 3, preprocessor=kr.RobertaPreprocessor(**of_texts, labels=labels)
        ),
        "two_classes": kr.RobertaTextClassifier(
            backbone(2), 2, preprocessor=kr.RobertaPreprocessor(**of_texts), dropout=0.25
        ),
        "regressor": kr.RobertaTextClassifier(
            backbone(3), 1, preprocessor=kr.RobertaPreprocessor(**of_texts)
        ),
        "masked_lm": kr.RobertaMaskedLM(
            backbone(4), kr.RobertaMaskedLM.preprocessor_cls(**of_texts, mask_rate=0.2)
        ),
        "pretrainer": kr.RobertaPretrainer(
            backbone(5),
            objectives=("mlm", "sop", "tokens"),
            loss_weights={"sop": 0.5},
            token_labels=("de", "en", "fr"),
            preprocessor=kr.RobertaPretrainer.preprocessor_cls(**of_texts),
        ),
        "backbone": backbone(6, dropout=0.05, attention_dropout=0.15),
    }
    random = np.random.default_rng(11)
    for model in models.values():
        for weight in model.trainable_weights:
            if len(weight.shape) == 1:  # biases, gammas and betas
                weight.assign_add(random.normal(0, 0.2, weight.shape))
    return models


def write_tables(directory):
    """Texts with labels, for the commands; the classifier gets some of them right."""
    columns = {
        "classifier": ["fair", "good", "good", "good", "bad", "bad", "bad", "bad"],
        "regressor": [-1.0, -0.7, -0.4, -0.1, 0.2, 0.5, 0.8, 1.1],
    }
    for name, labels in columns.items():
        rows = zip(["sentence", *GOOD, *BAD], ["label", *labels], strict=True)
        content = "".join(f"{text}\t{label}\n" for text, label in rows)
        (directory / f"{name}.tsv").write_text(content)


def load(directory, name):
    """The model of a name in `PRESETS`."""
    cls, preset = PRESETS[name]
    return getattr(kr, cls).from_preset(directory / preset)


def freeze_presets(frozen, models):
    """What each model says of itself and predicts.

    Of the backbone and the pre-trainer, which take no texts, on features that are kept too.
    """
    frozen.values["presets"] = {}
    features = models["pretrainer"].preprocessor(TEXTS)
    frozen.add("features", features)
    for name, model in models.items():
        cls, preset = PRESETS[name]
        frozen.values["presets"][name] = {
            "class": cls,
            "directory": preset,
            "config": getattr(model, "backbone", model).config.to_dict(),
            "attributes": attributes_of(name, model),
        }
        if name in ("backbone", "pretrainer"):
            inputs = {key: features[key] for key in model.input}
            frozen.add(f"predict/{name}/features", model.predict(inputs, verbose=0))
            continue
        frozen.add(f"predict/{name}/texts", model.predict(TEXTS, verbose=0))
        if cls == "RobertaTextClassifier":
            frozen.add(f"predict/{name}/pairs", model.predict((FIRSTS, SECONDS), verbose=0))


def attributes_of(name, model):
    """Dict of public attributes of a model, by their paths."""
    of_texts = ["preprocessor.sequence_length"]
    names = {
        "classifier": [*of_texts, "num_classes", "dropout", "labels"],
        "two_classes": [*of_texts, "num_classes", "dropout", "labels"],
        "regressor": of_texts,  # which may be of a class of its own later
        "masked_lm": [*of_texts, "preprocessor.mask_rate"],
        "pretrainer": [*of_texts, "objectives", "loss_weights", "token_labels"],
        "masked_lm_of_pretrainer": of_texts,
        "backbone": ["optional_inputs"],
    }
    return {path: operator.attrgetter(path)(model) for path in names[name]}


def freeze_exports(frozen, models, directory):
    """What each exported file says of itself and answers."""
    frozen.values["exports"] = {}
    for name, (preset, function, arguments) in EXPORTS.items():
        task = models[preset]
        takes_ids = arguments.get("inputs") == "tokens"
        with tempfile.TemporaryDirectory() as temporary:
            is_kept = function == "to_tflite" or name == KEPT_SAVED_MODEL
            path = (directory if is_kept else pathlib.Path(temporary)) / name
            getattr(export, function)(task, path, **arguments)
            runner = export.load(path, task.preprocessor.tokenizer if takes_ids else None)
            frozen.add(f"export/{name}/texts", runner.predict(TEXTS))
            if takes_ids and preset != "masked_lm":
                frozen.add(f"export/{name}/pairs", runner.predict((FIRSTS, SECONDS)))
        frozen.values["exports"][name] = {
            "preset": preset,
            "function": function,
            "arguments": arguments,
            "is_kept": is_kept,
            "labels": runner.labels if preset == "classifier" else None,
        }


def freeze_training(frozen, directory):
    """Losses of four steps on one batch, from the presets as they are loaded again.

    The masked language model is given its masks and targets, so that nothing is drawn.
    """
    texts = GOOD + BAD
    random = np.random.default_rng(12)
    masked = load(directory, "masked_lm")
    features = masked.preprocessor([text.replace(" ", " <mask>", 2) for text in texts])
    shape = features["mask_positions"].shape
    batch = {
        **features,
        "targets": random.integers(5, 300, shape).astype("int32"),
        "weights": (features["mask_positions"] > 0).astype("float32"),
    }
    frozen.add("training/masked_lm", batch)
    targets = {
        "classifier": ["good"] * 4 + ["bad"] * 3 + ["fair"],
        "regressor": [1.5, 1.0, 0.5, 2.0, -1.0, -0.5, -1.5, -2.0],
    }
    optimizers = {
        name: {"learning_rate": 1e-3, "total_steps": 4} for name in (*targets, "masked_lm")
    }
    # So strong that it shows which weights decay, which goes by their names.
    optimizers["regressor"]["weight_decay"] = 30.0
    found = {
        name: losses(load(directory, name), optimizers[name], texts, np.array(labels))
        for name, labels in targets.items()
    }
    given = features, batch["targets"], batch["weights"]
    found["masked_lm"] = losses(masked, optimizers["masked_lm"], *given)
    frozen.values["training"] = {
        "texts": texts,
        "labels": targets,
        "optimizers": optimizers,
        "losses": found,
    }


def losses(task, optimizer, *batch):
    """The loss before each of four steps."""
    task.compile(optimizer=finetuning_optimizer(**optimizer))
    found = []
    for _ in range(4):
        task.reset_metrics()  # else the logs hold the mean of all steps
        found.append(float(task.train_on_batch(*batch, return_dict=True)["loss"]))
    return found


def printed(arguments, directory):
    """Standard output of a command that runs in `directory`."""
    out = io.StringIO()
    with contextlib.chdir(directory), contextlib.redirect_stdout(out):
        try:
            command_line(arguments)
        except SystemExit as exit:
            assert not exit.code, arguments
    return out.getvalue()


def versions():
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "keras-hub": keras_hub.__version__,
        "ai-edge-litert": ai_edge_litert.__version__,
        "numpy": np.__version__,
    }


README = """# Tiny random models, as keras_roberta computed them at commit {commit}
Made by `benchmarks/freeze_outputs.py`, run with the code of that commit, with {made_by}.
`tests/tasks/test_frozen.py` holds today's code against them. Do not make them again with later code
unless its outputs are meant to differ.

Presets by `save_to_preset`; two layers 32 wide, a vocabulary of 300, 32 positions, without dropout
unless said:

- `classifier/`: `RobertaTextClassifier`, classes bad, fair and good.
- `two_classes/`: `RobertaTextClassifier`, two classes without names, dropout of 0.25 in the head.
- `regressor/`: `RobertaTextClassifier` with `num_classes=1`, as regressions were made then.
- `masked_lm/`: `RobertaMaskedLM`.
- `pretrainer/`: `RobertaPretrainer` with the objectives mlm, sop and tokens.
- `backbone/`: `RobertaBackbone` alone, with dropout in its config.

Files by `export.to_tflite`, metadata of format 2, one signature of 16 tokens, of the classifier,
the regressor and the masked language model each:

- `*-text.tflite`: float32, the tokenizer in the file.
- `*-tokens.tflite`: float32, on token ids.
- `*-text-int8.tflite`: as the first, quantized.

And by `export.to_saved_model` `classifier-saved-model-tokens/`, the classifier on token ids.

And:

- `classifier.tsv`, `regressor.tsv`: texts and labels for the commands.
- `outputs.json`: the texts and pairs; their token ids; how the presets are loaded, their configs
  and attributes; how the files were exported; strings that they answer; labels and losses of four
  training steps; commands, run in this directory, and what they print.
- `outputs.npz`: `features/...`, what the pre-trainer and the backbone are given;
  `predict/NAME/INPUTS` what `predict` gives, `export/NAME/INPUTS/OUTPUT` what an exported file
  answers, where INPUTS is `texts`, `pairs` or `features` and `NAME-saved-model` a SavedModel, of
  which the outputs alone are kept; `training/masked_lm/...` the batch that it was trained on.
  At padded positions compare nothing.
"""


if __name__ == "__main__":
    main()
