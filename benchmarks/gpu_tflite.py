"""A `.tflite` file's encoder on a GPU, by LiteRT's WebGPU accelerator, beside XNNPACK on the CPU.

Needs `ai-edge-litert` and numpy alone, a Vulkan driver and its loader (libvulkan.so.1). Where the
loader finds no driver, VK_DRIVER_FILES names the driver's JSON file (nvidia_icd.json). For each
signature `tokens_N` it gives both the same random ids, padded behind and in front, and prints the
largest difference of any logit and the time of a call.

    python benchmarks/gpu_tflite.py sentiment.tflite

Exits with 1 where a logit differs by more than --bound.
"""

import argparse
import json
import sys
import time

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options
from ai_edge_litert.interpreter import Interpreter


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU's run")
    parser.add_argument("--bound", type=float, default=1e-4)
    options = parser.parse_args()
    print("| file | signature | largest difference | GPU, ms | CPU, ms |\n|---|---|---|---|---|")
    worst = 0.0
    for path in options.files:
        for signature, difference, of_gpu, of_cpu in compare(path, options):
            print(f"| {path} | {signature} | {difference:.1e} | {of_gpu:.2f} | {of_cpu:.2f} |")
            worst = max(worst, difference)
    sys.exit(not worst <= options.bound)


def compare(path, options):
    """For each `tokens_N`: its name, the largest difference, and milliseconds of both."""
    on_gpu = Options(
        hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU,
        gpu_options=GpuOptions(enforce_f32=True),
    )
    model = CompiledModel.from_file(path, options=on_gpu)
    interpreter = Interpreter(path, num_threads=options.threads)
    interpreter.allocate_tensors()
    ids = special_ids(path)
    for signature, tensors in model.get_signature_list().items():
        if not signature.startswith("tokens_"):
            continue
        cpu = interpreter.get_signature_runner(signature)
        length = int(signature.removeprefix("tokens_"))
        inputs = {n: model.create_input_buffer_by_name(signature, n) for n in tensors["inputs"]}
        outputs = {n: model.create_output_buffer_by_name(signature, n) for n in tensors["outputs"]}

        def gpu(features, name=signature, inputs=inputs, outputs=outputs, size=None):
            for key, buffer in inputs.items():
                buffer.write(features[key])
            model.run_by_name(name, inputs, outputs)
            return outputs["logits"].read(size, np.float32)  # waits for the result

        differences = []
        for in_front in (0, length // 3):
            features = row(length, in_front, ids)
            expected = cpu(**features)["logits"].reshape(-1)
            found = gpu(features, size=expected.size)
            differences.append(np.abs(found - expected).max())
        of_gpu = milliseconds(lambda: gpu(features, size=expected.size), options.repeats)  # noqa: B023
        of_cpu = milliseconds(lambda: cpu(**features), options.repeats)  # noqa: B023
        yield signature, float(np.max(differences)), of_gpu, of_cpu


def special_ids(path):
    """The metadata of the file, JSON in its buffer "keras_roberta"."""
    with open(path, "rb") as file:
        model = schema.Model.GetRootAs(file.read())
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (number,) = [entry.Buffer() for entry in entries if entry.Name() == b"keras_roberta"]
    return json.loads(model.Buffers(number).DataAsNumpy().tobytes())


def row(length, in_front, ids):
    """Random token ids with padding in front and behind: two int32 (1, length)."""
    random = np.random.default_rng(length + in_front)
    count = length - in_front - 3
    mask = np.zeros((1, length), np.int32)
    mask[0, in_front : in_front + count] = 1
    token_ids = np.full((1, length), ids["pad_token_id"], np.int32)
    token_ids[mask == 1] = random.integers(5, 300, count)
    token_ids[0, in_front] = ids["start_token_id"]
    token_ids[0, in_front + count - 1] = ids["end_token_id"]
    return {"token_ids": token_ids, "padding_mask": mask}


def milliseconds(call, repeats):
    """The median time of a call."""
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times[3:]))


if __name__ == "__main__":
    main()
