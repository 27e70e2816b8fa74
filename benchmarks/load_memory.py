"""Peak memory of opening a checkpoint, over the size of its model, beside Transformers.

Makes a checkpoint with random weights in each layout and opens each in a process of its own. Memory
is the process's largest resident set while it loads and then reads each weight once, above what it
has with the libraries imported. The reading counts since Transformers maps files into memory, whose
pages come when they are read.

    python benchmarks/load_memory.py --peer .peers-venv/bin/python
    python benchmarks/load_memory.py --size tiny --vocabulary-size 250002
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

SHARD = "100MB"
# Layout, and the dtypes it is opened in.
CASES = {
    "model.safetensors": ("float32", "bfloat16"),
    "shards": ("float32", "bfloat16"),
    "bfloat16 file": ("float32", "bfloat16"),
    "pytorch_model.bin": ("float32", "bfloat16"),
    "preset": ("float32", "bfloat16"),
    "preset in shards": ("float32",),
    "fairseq": ("float32",),
}
OF_TRANSFORMERS = ("model.safetensors", "shards", "bfloat16 file", "pytorch_model.bin")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="base", help="of RobertaConfig.named")
    parser.add_argument("--vocabulary-size", type=int)
    parser.add_argument("--layouts", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--peer", help="a Python that has PyTorch and Transformers")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def status(name):
    """A line of /proc/self/status in MB."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1000


def opened_here(directory, dtype):
    import keras_roberta as kr

    kr.RobertaBackbone(kr.RobertaConfig.named("tiny", vocabulary_size=10))  # what is made once
    return lambda: kr.RobertaBackbone.from_preset(directory, dtype=dtype)


def opened_by_transformers(directory, dtype):
    import torch
    import transformers

    return lambda: transformers.RobertaModel.from_pretrained(
        directory, dtype=getattr(torch, dtype), add_pooling_layer=False
    )


def measure(library, directory, dtype):
    make = opened_here if library == "keras_roberta" else opened_by_transformers
    load = make(directory, dtype)
    before = status("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    begin = time.perf_counter()
    model = load()
    seconds = time.perf_counter() - begin
    if library == "keras_roberta":
        from keras_roberta.checkpoints.variable_arrays import array_of

        arrays = [array_of(variable) for variable in model.weights]
        sizes = [array.nbytes for array in arrays]
        for array in arrays:
            array.max()
    else:
        sizes = [p.numel() * p.element_size() for p in model.parameters()]
        for parameter in model.parameters():
            parameter.max()
    peak = status("VmHWM") - before
    return {"model": sum(sizes) / 1e6, "peak": peak, "seconds": seconds}


def make_checkpoints(options, root):
    import keras_roberta as kr
    from keras_roberta.checkpoints.formats import format_named
    from keras_roberta.checkpoints.tensor_files import open_state_dict
    from keras_roberta.checkpoints.torch_archive import write_torch_file

    changes = (
        {} if options.vocabulary_size is None else {"vocabulary_size": options.vocabulary_size}
    )
    backbone = kr.RobertaBackbone(kr.RobertaConfig.named(options.size, **changes))
    backbone.save_to_hugging_face(root / "model.safetensors")
    if "shards" in options.layouts:
        backbone.save_to_hugging_face(root / "shards", max_shard_size=SHARD)
    if "bfloat16 file" in options.layouts:
        half = kr.RobertaBackbone.from_preset(root / "model.safetensors", dtype="bfloat16")
        half.save_to_hugging_face(root / "bfloat16 file")
    if "pytorch_model.bin" in options.layouts:
        (root / "pytorch_model.bin").mkdir()
        state = open_state_dict(root / "model.safetensors")
        write_torch_file(root / "pytorch_model.bin" / "pytorch_model.bin", dict(state))
        config = (root / "model.safetensors" / "config.json").read_text()
        (root / "pytorch_model.bin" / "config.json").write_text(config)
    if "preset" in options.layouts:
        backbone.save_to_preset(root / "preset")
    if "preset in shards" in options.layouts:
        backbone.save_to_preset(root / "preset in shards", max_shard_size=0.2)
    if "fairseq" in options.layouts:
        format_named("fairseq").save(backbone, root / "fairseq")


def main():
    options = parse_arguments()
    if options.child:
        library, directory, dtype = options.child
        print(json.dumps(measure(library, directory, dtype)))
        return
    with tempfile.TemporaryDirectory() as root:
        make_checkpoints(options, pathlib.Path(root))
        print(f"{options.size}, MB")
        print("| opened by | layout | as | model | peak | peak / model | s |")
        print("|---|---|---|---|---|---|---|")
        for layout in options.layouts:
            for dtype in CASES[layout]:
                runs = [("keras_roberta", sys.executable)]
                if options.peer and layout in OF_TRANSFORMERS:
                    runs.append(("Transformers", options.peer))
                for library, python in runs:
                    arguments = ("--child", library, f"{root}/{layout}", dtype)
                    child = subprocess.run(
                        [python, __file__, *arguments], capture_output=True, text=True
                    )
                    if child.returncode:
                        sys.exit(f"{library}, {layout}: {child.stderr[-2000:]}")
                    found = json.loads(child.stdout.splitlines()[-1])
                    print(
                        f"| {library} | {layout} | {dtype} | {found['model']:,.0f} "
                        f"| {found['peak']:,.0f} | {found['peak'] / found['model']:.2f} "
                        f"| {found['seconds']:.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
