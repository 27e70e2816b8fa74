"""Converts models to fairseq's layout and compares with what its model computes from the file.

    make peers
    python benchmarks/fairseq_parity.py [--preset DIR] [--peers-python PYTHON]

Without a preset, on a random classifier, regressor, language model and multiple choice. PyTorch
opens the file, and `benchmarks/peers/fairseq_roberta.py` loads it strictly, as fairseq would.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = ["A fine film, warm and funny.", "naïve  café\n\n東京 🙂", "it's 3.14 <mask> tokens", "x"]

# Runs in the peers' environment: a converted directory and token ids in, logits out.
PYTORCH = """
import argparse, json, sys, numpy as np, torch
sys.path.insert(0, sys.argv[3])
from fairseq_roberta import loaded
with torch.serialization.safe_globals([argparse.Namespace]):
    content = torch.load(sys.argv[1] + "/model.pt", weights_only=True)
mapped = torch.load(sys.argv[1] + "/model.pt", weights_only=False, mmap=True)
assert all(torch.equal(mapped["model"][n], t) for n, t in content["model"].items())
tokens = torch.tensor(np.load(sys.argv[2]), dtype=torch.long)
lines = open(sys.argv[1] + "/dict.txt", encoding="utf-8").read().splitlines()
symbols = [line.rsplit(" ", 1)[0] for line in lines]
model, heads = loaded(content, len(symbols) + 4 + ("<mask>" not in symbols))
head = heads[0] if heads else None
with torch.inference_mode():
    np.save(sys.argv[2], model(tokens, head).numpy(), allow_pickle=False)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", help="one of ours, or of another format")
    parser.add_argument("--peers-python", default=str(ROOT / ".peers-venv" / "bin" / "python"))
    options = parser.parse_args()

    print("| model | largest difference | largest value |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        presets = [options.preset] if options.preset else random_presets(directory)
        for number, preset in enumerate(presets):
            compare(preset, directory / f"converted-{number}", options.peers_python)


def random_presets(directory):
    """Tiny models whose biases and layer norms are not the 0 and 1 that they start as."""
    import keras_roberta as kr
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    tokenizer = train_byte_level_bpe(TEXTS * 9, 300)
    config = kr.RobertaConfig.named(
        "tiny", vocabulary_size=tokenizer.vocabulary_size + 4, max_sequence_length=32, seed=0
    )
    random = np.random.default_rng(0)
    for name, cls, arguments in (
        ("classifier", kr.RobertaTextClassifier, {"num_classes": 3}),
        ("regressor", kr.RobertaTextRegressor, {}),
        ("choice", kr.RobertaMultipleChoice, {}),
        ("masked-lm", kr.RobertaMaskedLM, {}),
    ):
        preprocessor = cls.preprocessor_cls(tokenizer, sequence_length=32)
        model = cls(kr.RobertaBackbone(config), preprocessor=preprocessor, **arguments)
        for weight in model.weights:
            if weight.dtype == "float32":
                weight.assign_add(random.normal(0, 0.1, weight.shape))
        model.save_to_preset(directory / name)
        yield directory / name


def compare(preset, converted, python):
    import keras_roberta as kr
    from keras_roberta.jobs.convert import convert
    from keras_roberta.jobs.options.convert import ConvertOptions

    convert(preset, converted, ConvertOptions(to="fairseq"))
    task = kr.open_task(preset)
    features = kr.RobertaPreprocessor(task.preprocessor.tokenizer, sequence_length=32)(TEXTS)
    inputs = dict(features)
    mask = np.asarray(inputs["padding_mask"]).astype(bool)
    tensors = {tensor.name: tensor for tensor in task.inputs}
    if len(tensors["token_ids"].shape) == 3:  # one option for each question
        inputs = {name: np.asarray(array)[:, None] for name, array in inputs.items()}
    if "mask_positions" in tensors:  # every position
        inputs["mask_positions"] = np.broadcast_to(
            np.arange(mask.shape[1], dtype="int32"), mask.shape
        )
    ours = np.asarray(task(inputs))
    path = converted / "ids.npy"
    np.save(path, np.asarray(features["token_ids"]))
    command = [python, "-c", PYTORCH, str(converted), str(path), str(ROOT / "benchmarks/peers")]
    subprocess.run(command, check=True)
    theirs = np.load(path)
    if ours.ndim == 3:
        ours, theirs = ours[mask], theirs[mask]
    print(
        f"| {pathlib.Path(preset).name} as {type(task).__name__} "
        f"| {np.abs(ours - theirs).max():.1e} | {np.abs(theirs).max():.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
