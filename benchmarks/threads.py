"""Many threads that share one runner: are the answers right, and how many texts a second is it?

Eight threads give a `.tflite` and a SavedModel of the same weights a thousand texts each, one text
a call, and each answer is compared with that of one thread. For the `.tflite` there are three ways:
one runner with 1 and with 2 threads a call, and a runner for each thread. The ways take turns;
the memory is what opening and running added, measured in a process of its own for each way.

    python benchmarks/threads.py
    python benchmarks/threads.py --preset my-sst2-model
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

WAYS = (
    "tflite, one thread alone",
    "tflite, one runner",
    "tflite, one runner, threads=2",
    "tflite, a runner for each thread",
    "SavedModel, one thread alone",
    "SavedModel, one runner",
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help="a fine-tuned preset; 4 random layers 256 wide without")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--texts", type=int, default=1000, help="for each thread")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--run", nargs=2, metavar=("WAY", "DIRECTORY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(*options.run, options)))
        return
    with tempfile.TemporaryDirectory() as directory:
        write(pathlib.Path(directory), options)
        found = {way: [] for way in WAYS}
        for turn in range(options.turns):
            for way in WAYS[:: 1 if turn % 2 == 0 else -1]:
                command = [sys.executable, __file__, "--run", way, directory]
                command += ["--threads", str(options.threads), "--texts", str(options.texts)]
                output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                found[way].append(json.loads(output.splitlines()[-1]))
    print("| | texts/s | wrong | MB |\n|---|---|---|---|")
    for way, results in found.items():
        speed, wrong, memory = (
            np.array([result[key] for result in results]) for key in ("speed", "wrong", "memory")
        )
        print(f"| {way} | {np.median(speed):.0f} | {wrong.sum()} | {np.median(memory):.0f} |")


def write(directory, options):
    """The two files, and the answers of one thread."""
    import keras

    import keras_roberta as kr
    from keras_roberta import export
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    if options.preset:
        task = kr.RobertaTextClassifier.from_preset(options.preset)
    else:
        keras.utils.set_random_seed(0)
        tokenizer = train_byte_level_bpe(texts(200), vocabulary_size=400)
        config = kr.RobertaConfig(
            vocabulary_size=20_000,
            num_layers=4,
            num_heads=4,
            hidden_dim=256,
            intermediate_dim=1024,
            max_sequence_length=128,
            initializer_range=0.1,
        )
        preprocessor = kr.RobertaPreprocessor(tokenizer, labels=("a", "b"), sequence_length=128)
        task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), preprocessor=preprocessor)
    export.to_tflite(task, directory / "model.tflite", "int8")
    export.to_saved_model(task, directory / "1")
    for name in ("model.tflite", "1"):
        answers = export.load(directory / name).answers(texts(options.texts))
        (directory / f"{name}.json").write_text(json.dumps(answers))


def texts(count):
    words = "the film is long but its last half hour makes up for much of that and more".split()
    random = np.random.default_rng(0)
    return [" ".join(random.choice(words, 4 + i % 20)) for i in range(count)]


def run(way, directory, options):
    from keras_roberta import export

    name = "model.tflite" if way.startswith("tflite") else "1"
    path = pathlib.Path(directory) / name
    expected = json.loads((path.parent / f"{name}.json").read_text())
    count = 1 if "alone" in way else options.threads
    inputs = texts(options.texts)
    if name == "1":
        import tensorflow  # noqa: F401  is not the model's memory

    before = resident_memory()
    a_call = 2 if "threads=2" in way else 1
    opened = [
        export.load(path, threads=a_call if name != "1" else None)
        for _ in range(count if "each" in way else 1)
    ]
    for runner in opened:
        runner.answers(inputs[:64])  # what is allocated at first is allocated now

    def answers(number):
        runner = opened[number % len(opened)]
        return [runner.answers([text])[0] for text in inputs]

    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        found = list(pool.map(answers, range(count)))
    seconds = time.perf_counter() - start
    wrong = sum(
        answer["label"] != right["label"] or abs(answer["score"] - right["score"]) > 1e-4
        for each in found
        for answer, right in zip(each, expected, strict=True)
    )
    memory = resident_memory() - before
    return {"speed": count * len(inputs) / seconds, "wrong": int(wrong), "memory": memory}


def resident_memory():
    """Megabytes of memory that this process has and no file backs."""
    status = pathlib.Path("/proc/self/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))
    return int(kilobytes) / 1024


if __name__ == "__main__":
    main()
