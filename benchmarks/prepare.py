"""`prepare` beside the bare Rust tokenizer on the same cores, in turn, at two corpus sizes.

    python benchmarks/prepare.py --data DIR

DIR holds `roberta-base-tokenizer/` and `english_text/`. The corpora are that text and its sentences
in other orders, so that no document is a duplicate. Printed are tokens a second from text files to
shards, each turn in a process of its own, start included; of the tokenizer, called on batches of
documents in memory, with as many threads as there are cores; their ratio; and the peak memory of
the largest process. Last, how fast sentences are found, by us and by tensorflow-text.
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PREPARE = """
import sys
from keras_roberta.jobs.prepare.one_machine import prepare
if __name__ == "__main__":
    corpus, tokenizer, out, processes = sys.argv[1:]
    manifest = prepare(corpus, tokenizer, out, processes=int(processes))
    print(sum(c["tokens"] for s in manifest["counts"].values() for c in s.values()))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--copies", type=int, nargs="+", default=[2, 8], help="sizes")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    tokenizer = options.data / "roberta-base-tokenizer"
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        script = directory / "run.py"
        script.write_text(PREPARE)
        print(f"{cores} cores; median of {options.turns} turns")
        print(f"{'':44}{'million':>9}{'tokens/s':>11}{'ratio':>7}{'peak MB':>9}")
        for copies in options.copies:
            corpus = directory / f"corpus{copies}"
            write_corpus(options.data / "english_text", corpus, copies)
            compare(corpus, tokenizer, script, cores, options.turns)
    measure_sentences(options.data / "english_text" / "state_union.txt")


def write_corpus(source, corpus, copies):
    """Files of about 12 MB each; all but the first have each document's lines in another order."""
    corpus.mkdir()
    chance = random.Random(0)
    texts = [path.read_text("utf-8", errors="replace") for path in sorted(source.iterdir())]
    for number in range(copies):
        documents = [block for text in texts for block in text.split("\n\n")]
        if number:
            documents = [shuffled(document, chance) for document in documents]
        (corpus / f"{number}.txt").write_text("\n\n".join(documents), "utf-8")


def shuffled(document, chance):
    words = document.split(" ")
    pieces = [words[i : i + 8] for i in range(0, len(words), 8)]
    chance.shuffle(pieces)
    return " ".join(word for piece in pieces for word in piece)


def compare(corpus, tokenizer, script, cores, turns):
    contestants = {
        "the bare tokenizer, its own threads": lambda: bare(corpus, tokenizer),
        f"prepare, {cores} processes": lambda: run(script, corpus, tokenizer, cores),
        "prepare, 1 process, the tokenizer's threads": lambda: run(script, corpus, tokenizer, 1),
    }
    results = {name: [] for name in contestants}
    for _ in range(turns):
        for name, contestant in contestants.items():
            results[name].append(contestant())
    size = sum(path.stat().st_size for path in corpus.iterdir()) / 1e6
    print(f"{size:.0f} MB of text in {len(list(corpus.iterdir()))} files")
    base = None
    for name, rows in results.items():
        speed = statistics.median(tokens / seconds for tokens, seconds, _ in rows)
        base = base or speed
        memory = max(memory for *_, memory in rows)
        shown = f"{memory:9.0f}" if memory else f"{'':9}"
        print(f"{name:44}{rows[0][0] / 1e6:9.2f}{speed:11,.0f}{speed / base:7.2f}{shown}")


def bare(corpus, directory):
    """Tokens and seconds of the library alone, texts in memory and ids left as they come."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    texts = [d for p in sorted(corpus.iterdir()) for d in p.read_text("utf-8").split("\n\n")]
    num_tokens, begin = 0, time.perf_counter()
    for start in range(0, len(texts), 1000):
        encodings = tokenizer.encode_batch_fast(
            texts[start : start + 1000], add_special_tokens=False
        )
        num_tokens += sum(map(len, encodings))
    return num_tokens, time.perf_counter() - begin, 0


def run(script, corpus, tokenizer, processes):
    """Tokens, seconds and peak megabytes of the largest process of a run of `prepare`."""
    with tempfile.TemporaryDirectory() as out:
        arguments = [corpus, tokenizer, pathlib.Path(out) / "shards", processes]
        measured = (
            "import resource, subprocess, sys\n"
            "done = subprocess.run([sys.executable, *sys.argv[1:]], capture_output=True, check=1)\n"
            "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
            "print(done.stdout.decode().split()[-1], peak)"
        )
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", measured, str(script), *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - begin
    tokens, kilobytes = map(int, done.stdout.split())
    return tokens, seconds, kilobytes / 1e3


def measure_sentences(path):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    import tensorflow_text

    from keras_roberta.data.corpus.sentences import sentence_ends

    data = path.read_bytes()
    documents = data.split(b"\n\n")
    breaker = tensorflow_text.StateBasedSentenceBreaker()
    breaker.break_sentences(documents[:1])
    speeds = {}
    for name, function in {
        "ours": lambda: sentence_ends(data),
        "tensorflow-text": lambda: breaker.break_sentences(tf.constant(documents)),
    }.items():
        begin = time.perf_counter()
        function()
        speeds[name] = len(data) / 1e6 / (time.perf_counter() - begin)
    print("sentences, MB/s: " + ", ".join(f"{n} {speed:.1f}" for n, speed in speeds.items()))


if __name__ == "__main__":
    main()
