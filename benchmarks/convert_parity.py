"""Converts presets to Hugging Face's layout and compares with what Transformers makes of them.

    make peers
    python benchmarks/convert_parity.py [--preset DIR] [--max-shard-size 100KB]

Without a preset, on random models: a RoBERTa, a RoBERTa-PreLayerNorm and an XLM-R XL, each with
every head, and a pre-trainer. Transformers opens them with its Auto classes. The tokenizer is
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
FAMILIES = {
    "roberta": {},
    "roberta-prelayernorm": {"norm_first": True},
    "xlm-roberta-xl": {"norm_first": True, "embedding_norm": False},
}
TEXTS = ["A fine film, warm and funny.", "naïve  café\n\n東京 🙂", "", "it's 3.14 <mask> tokens"]

# Runs in the peers' environment: converted directories with batches in, logits and ids out.
TRANSFORMERS = """
import json, sys, numpy as np, torch, transformers
texts = json.loads(sys.argv[1])
for directory in sys.argv[2:]:
    name = json.load(open(directory + "/config.json"))["architectures"][0]
    head = name.partition("For")[2]
    auto = getattr(transformers, f"AutoModelFor{head}" if head else "AutoModel")
    model, report = auto.from_pretrained(directory, dtype=torch.float32, output_loading_info=True)
    assert type(model).__name__ == name, (type(model).__name__, name)
    batch = np.load(directory + "/batch.npz")
    with torch.inference_mode():
        out = model.eval()(
            input_ids=torch.tensor(batch["token_ids"], dtype=torch.long),
            attention_mask=torch.tensor(batch["padding_mask"], dtype=torch.long),
        )
    logits = out[0]
    if "start_logits" in out:
        logits = torch.stack([out.start_logits, out.end_logits], dim=-1)
    np.save(directory + "/logits.npy", logits.numpy(), allow_pickle=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    problems = {k: sorted(map(str, v)) for k, v in report.items() if v}
    found = {"class": name, "ids": tokenizer(texts)["input_ids"], "problems": problems}
    json.dump(found, open(directory + "/found.json", "w"))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", help="one of ours")
    parser.add_argument("--peers-python", default=str(ROOT / ".peers-venv" / "bin" / "python"))
    parser.add_argument("--max-shard-size", help="write shards, such as 100KB")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        presets = [options.preset] if options.preset else random_presets(directory)
        converted = {}
        for number, preset in enumerate(presets):
            out = directory / f"converted-{number}"
            converted[out] = preset, convert(preset, out, options.max_shard_size)
        command = [options.peers_python, "-c", TRANSFORMERS, json.dumps(TEXTS), *converted]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print("| model | largest difference | largest value | same ids | loading |")
        print("|---|---|---|---|---|")
        for out, (preset, ours) in converted.items():
            print_row(preset, out, *ours)


def random_presets(directory):
    """Tiny models whose biases and layer norms are not the 0 and 1 that they start as."""
    import keras_roberta as kr
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    tokenizer = train_byte_level_bpe(TEXTS * 9, 300)
    config = kr.RobertaConfig.named(
        "tiny", vocabulary_size=tokenizer.vocabulary_size, max_sequence_length=32, seed=0
    )
    heads = {
        "masked-lm": (kr.RobertaMaskedLM, {}),
        "classifier": (kr.RobertaTextClassifier, {"num_classes": 3}),
        "tokens": (kr.RobertaTokenClassifier, {"num_classes": 3}),
        "questions": (kr.RobertaQuestionAnswerer, {}),
        "choice": (kr.RobertaMultipleChoice, {}),
    }
    models = {
        f"{family}-{name}": (cls, options, arguments)
        for family, options in FAMILIES.items()
        for name, (cls, arguments) in heads.items()
    }
    models["pretrainer"] = (kr.RobertaPretrainer, {}, {"objectives": ("mlm", "sop")})
    random = np.random.default_rng(0)
    for name, (cls, options, arguments) in models.items():
        backbone = kr.RobertaBackbone(config.replace(**options))
        model = cls(backbone, preprocessor=cls.preprocessor_cls(tokenizer, 32), **arguments)
        for weight in model.weights:
            if weight.dtype == "float32":
                weight.assign_add(random.normal(0, 0.1, weight.shape))
        model.save_to_preset(directory / name)
        yield directory / name


def convert(preset, converted, max_shard_size):
    """Writes a preset for Transformers, with a batch beside it.

    Returns:
        our logits, the batch's mask and the ids of the texts
    """
    import keras_roberta as kr
    from keras_roberta.jobs import convert as job
    from keras_roberta.jobs.options.convert import ConvertOptions

    options = ConvertOptions(drop_heads=True, max_shard_size=max_shard_size)
    name = job.convert(preset, converted, options)
    task = getattr(kr, name).from_preset(preset)
    tokenizer = task.preprocessor.tokenizer
    features = kr.RobertaPreprocessor(tokenizer, 32)(TEXTS)
    features = {name: np.asarray(x) for name, x in features.items()}
    if isinstance(task, kr.RobertaMultipleChoice):  # options of one question
        features = {name: x[None] for name, x in features.items()}
    np.savez(converted / "batch.npz", **features)
    mask = features["padding_mask"].astype(bool)
    inputs = dict(features)
    if isinstance(task, kr.RobertaMaskedLM):  # every position
        inputs["mask_positions"] = np.broadcast_to(
            np.arange(mask.shape[1], dtype="int32"), mask.shape
        )
    return np.asarray(task(inputs)), mask, tokenizer(TEXTS)


def print_row(preset, converted, ours, mask, ids):
    found = json.loads((converted / "found.json").read_text())
    theirs = np.load(converted / "logits.npy")
    if ours.ndim == 3:  # of tokens
        ours, theirs = ours[mask], theirs[mask]
    print(
        f"| {pathlib.Path(preset).name} as {found['class']} "
        f"| {np.abs(ours - theirs).max():.1e} | {np.abs(theirs).max():.1f} "
        f"| {found['ids'] == ids} | {found['problems'] or 'complete'} |"
    )


if __name__ == "__main__":
    main()
