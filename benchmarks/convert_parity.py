"""Converts presets to Hugging Face's layout and compares with what Transformers makes of them.

    make peers
    python benchmarks/convert_parity.py [--preset DIR] [--max-shard-size 100KB]

Without a preset, on a random classifier, language model and encoder of each kind. The tokenizer is
compared too. Both sides run the same padded batch in float32 on the CPU.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = ["A fine film, warm and funny.", "naïve  café\n\n東京 🙂", "", "it's 3.14 <mask> tokens"]

# Runs in the peers' environment: a converted directory and a batch in, logits and ids out.
TRANSFORMERS = """
import json, sys, numpy as np, torch, transformers
directory, path, texts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
name = json.load(open(directory + "/config.json"))["architectures"][0]
model, report = getattr(transformers, name).from_pretrained(
    directory, dtype=torch.float32, output_loading_info=True
)
batch = np.load(path)
with torch.inference_mode():
    out = model.eval()(
        input_ids=torch.tensor(batch["token_ids"], dtype=torch.long),
        attention_mask=torch.tensor(batch["padding_mask"], dtype=torch.long),
    )
np.save(path, out[0].numpy(), allow_pickle=False)
tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
problems = {k: sorted(map(str, v)) for k, v in report.items() if v}
print(json.dumps({"ids": tokenizer(texts)["input_ids"], "problems": problems}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", help="one of ours")
    parser.add_argument("--peers-python", default=str(ROOT / ".peers-venv" / "bin" / "python"))
    parser.add_argument("--max-shard-size", help="write shards, such as 100KB")
    options = parser.parse_args()

    print("| model | largest difference | largest value | same ids | loading |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        presets = [options.preset] if options.preset else random_presets(directory)
        for number, preset in enumerate(presets):
            compare(
                preset,
                directory / f"converted-{number}",
                options.peers_python,
                options.max_shard_size,
            )


def random_presets(directory):
    """Tiny models whose biases and layer norms are not the 0 and 1 that they start as."""
    import keras_roberta as kr
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    tokenizer = train_byte_level_bpe(TEXTS * 9, 300)
    preprocessor = kr.RobertaPretrainer.preprocessor_cls(tokenizer, 32)
    config = kr.RobertaConfig.named(
        "tiny", vocabulary_size=tokenizer.vocabulary_size, max_sequence_length=32, seed=0
    )
    models = {
        "classifier": kr.RobertaTextClassifier(
            kr.RobertaBackbone(config), 3, kr.RobertaPreprocessor(tokenizer, 32)
        ),
        "masked-lm": kr.RobertaMaskedLM(kr.RobertaBackbone(config), preprocessor),
        "pretrainer": kr.RobertaPretrainer(
            kr.RobertaBackbone(config), ("mlm", "sop"), preprocessor=preprocessor
        ),
    }
    random = np.random.default_rng(0)
    for name, model in models.items():
        for weight in model.weights:
            if weight.dtype == "float32":
                weight.assign_add(random.normal(0, 0.1, weight.shape))
        model.save_to_preset(directory / name)
        yield directory / name


def compare(preset, converted, python, max_shard_size):
    import keras_roberta as kr
    from keras_roberta.jobs.convert import convert
    from keras_roberta.jobs.options.convert import ConvertOptions

    name = convert(
        preset, converted, ConvertOptions(drop_heads=True, max_shard_size=max_shard_size)
    )
    task = getattr(kr, name).from_preset(preset)
    tokenizer = task.preprocessor.tokenizer
    features = kr.RobertaPreprocessor(tokenizer, 32)(TEXTS)
    mask = features["padding_mask"].astype(bool)
    inputs = dict(features)
    if isinstance(task, kr.RobertaMaskedLM):  # every position
        inputs["mask_positions"] = np.broadcast_to(
            np.arange(mask.shape[1], dtype="int32"), mask.shape
        )
    ours = np.asarray(task(inputs))
    path = converted / "batch.npz"
    np.savez(path, **features)
    command = [python, "-c", TRANSFORMERS, str(converted), str(path), json.dumps(TEXTS)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(output.strip().splitlines()[-1])
    theirs = np.load(f"{path}.npy")
    if ours.ndim == 3:
        ours, theirs = ours[mask], theirs[mask]
    print(
        f"| {pathlib.Path(preset).name} as {type(task).__name__} "
        f"| {np.abs(ours - theirs).max():.1e} | {np.abs(theirs).max():.1f} "
        f"| {found['ids'] == tokenizer(TEXTS)} | {found['problems'] or 'complete'} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
