"""Largest differences from Transformers, computed live on a real or random checkpoint.

    make peers
    python benchmarks/parity.py --preset DIR [--peers-python PYTHON]

Both run the same padded batch in float32 on the CPU.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Runs in the peers' environment: batch in, every hidden state out.
TRANSFORMERS = """
import sys, numpy as np, torch, transformers
preset, path = sys.argv[1:]
batch = np.load(path)
model = transformers.AutoModel.from_pretrained(preset, dtype=torch.float32).eval()
with torch.inference_mode():
    out = model(
        input_ids=torch.tensor(batch["token_ids"], dtype=torch.long),
        attention_mask=torch.tensor(batch["padding_mask"], dtype=torch.long),
        output_hidden_states=True,
    )
np.save(path, torch.stack(out.hidden_states).numpy(), allow_pickle=False)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", required=True)
    parser.add_argument(
        "--peers-python", default=str(ROOT / ".peers-venv" / "bin" / "python"), help="`make peers`"
    )
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    options = parser.parse_args()

    import keras_roberta as kr

    backbone = kr.RobertaBackbone.from_preset(options.preset)
    random = np.random.default_rng(0)
    lengths = random.integers(1, options.length + 1, options.rows)
    mask = np.arange(options.length) < lengths[:, None]
    pad = backbone.config.pad_token_id
    ids = random.integers(5, backbone.config.vocabulary_size - 1, mask.shape)
    inputs = {
        "token_ids": np.where(mask, ids, pad).astype("int32"),
        "padding_mask": mask.astype("int32"),
    }
    embedded = backbone.embeddings(**inputs)
    ours = [
        embedded,
        *backbone.encoder(embedded, inputs["padding_mask"], return_hidden_states=True),
    ]
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "batch.npz"
        np.savez(path, **inputs)
        subprocess.run(
            [options.peers_python, "-c", TRANSFORMERS, options.preset, str(path)], check=True
        )
        theirs = np.load(f"{path}.npy")
    print("| hidden state | largest difference | largest value |\n|---|---|---|")
    for layer, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        difference = np.abs(np.asarray(a)[mask] - b[mask]).max()
        print(f"| {layer} | {difference:.1e} | {np.abs(b[mask]).max():.1f} |")


if __name__ == "__main__":
    main()
