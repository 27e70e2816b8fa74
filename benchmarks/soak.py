"""An exported model that answers for an hour: does it grow, get slower, or say something else?

    python benchmarks/soak.py --minutes 60 --picture docs/images/soak.png

A SavedModel and an int8 `.tflite` of one classifier answer texts, each in a process of its own and
through `export.load`. Texts are of one word up to more than the model takes, mixed with empty ones,
emoji, NULs and halves of surrogate pairs; no random text comes twice. The SavedModel is asked for
one text and for 32 at a time. Texts that come again have to get the bits that they got first.

Between calls each process sleeps, so that it takes --share of a core and leaves the rest to others.
Times are of one sentence that comes again and again: by the clock, which tells as much of what else
the machine does, and the processor's, of all threads, which tells whether the answer itself became
more work. Both are longer than without a pause, since the model's data has left the caches.

Ctrl-C ends it early, with the tables of what there is.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = {"SavedModel": "1", "int8 .tflite": "model.tflite"}  # names to places
COLORS = dict(zip(MODELS, ("#1f4e79", "#c0504d"), strict=True))
LENGTH = 128  # tokens that a text is cut to
WINDOW = 10  # seconds
# Lists, of what there was since the last window.
SEEN = ("milliseconds", "processor", "failed", "different")

SENTENCE = "the film is long, but its last half hour makes up for much of that."
ODD = [
    "",
    " \t\n",
    "word",
    "\0",
    "a\0b\0\0c",
    "\ud800",
    "half \udfff of a pair \ud83d!",
    "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽",
    "漢字かな交じり文 naïve Straße \u0301",
    "<s> a <mask> </s> b <pad>",
    "x" * 3000,
]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument(
        "--preset",
        help="an encoder or a classifier; DATA/granite-30m if it is there, else 4 random layers",
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=2, help="minutes that do not count")
    parser.add_argument("--share", type=float, default=0.3, help="of a core, for each process")
    parser.add_argument("--picture", type=pathlib.Path, help="PNG file")
    parser.add_argument(
        "--out", type=pathlib.Path, help="JSON; if it is there it is shown, and nothing runs"
    )
    parser.add_argument("--write", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--answer", choices=list(MODELS), help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        return write(options.write, options.preset)
    if options.answer:
        return answer(options.answer, options)
    if options.out and options.out.exists():
        windows = json.loads(options.out.read_text())
    else:
        windows = run(options)
        if options.out:
            options.out.write_text(json.dumps(windows) + "\n")
    print_table(windows, options.warm_up)
    if options.picture:
        draw(windows, options.warm_up, options.picture)
    sys.exit(any(window["different"] or window["failed"] for w in windows.values() for window in w))


def run(options):
    """Lists of what was seen every 10 seconds, by the model's name."""
    if options.preset is None and (options.data / "granite-30m").is_dir():
        options.preset = options.data / "granite-30m"
    with tempfile.TemporaryDirectory() as directory:
        more = [] if options.preset is None else ["--preset", options.preset]
        subprocess.run(command("--write", directory, *more), check=True)
        print(
            f"{options.preset or 'a random model'}, texts of up to {LENGTH} tokens, for "
            f"{options.minutes:g} minutes; each process sleeps between calls and takes "
            f"{options.share:.0%} of a core",
            flush=True,
        )
        return watch(directory, options)


def command(*arguments):
    return [sys.executable, __file__, *map(str, arguments)]


# The models


def write(directory, preset):
    """Both files of one classifier."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import keras

    import keras_roberta as kr
    from keras_roberta import export

    keras.utils.set_random_seed(0)  # of the head, if the preset has none
    if preset:
        task = kr.RobertaTextClassifier.from_preset(
            preset, labels=["bad", "good"], sequence_length=LENGTH
        )
    else:
        task = random_task(kr)
    export.to_saved_model(task, directory / MODELS["SavedModel"])
    export.to_tflite(task, directory / MODELS["int8 .tflite"], "int8")


def random_task(kr):
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    tokenizer = train_byte_level_bpe([SENTENCE] * 4, vocabulary_size=300)
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        intermediate_dim=512,
        max_sequence_length=LENGTH,
        initializer_range=0.1,
    )
    preprocessor = kr.RobertaPreprocessor(tokenizer, LENGTH, labels=["bad", "good"])
    return kr.RobertaTextClassifier(kr.RobertaBackbone(config), preprocessor=preprocessor)


# One process that answers


def answer(name, options):
    """Answers texts, and prints every 10 seconds, as a line of JSON, what was seen in them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that watches ends this one
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    from keras_roberta import export

    runner = export.load(options.directory / MODELS[name])
    chance, calls, first = random.Random(0), 0, {}
    begin = window_begin = time.monotonic()
    seen = collections.defaultdict(list)
    while time.monotonic() < begin + 60 * options.minutes:
        # The processor's seconds, which the work of others does not change.
        started, busy = time.monotonic(), time.process_time()
        texts = next_texts(calls, chance, batches=name == "SavedModel")
        calls += 1
        try:
            outputs = runner.predict(texts)
        except Exception as error:
            seen["failed"].append(f"{type(error).__name__}: {error}: {ascii(texts):.200}")
        else:
            if texts == [SENTENCE]:
                seen["milliseconds"].append(1e3 * (time.monotonic() - started))
                seen["processor"].append(1e3 * (time.process_time() - busy))
            if is_wrong(texts, outputs, first):
                seen["different"].append(f"{ascii(texts):.200}")
        rest = (time.process_time() - busy) / options.share - (time.monotonic() - started)
        time.sleep(max(0, rest))
        if time.monotonic() > window_begin + WINDOW:
            window_begin = time.monotonic()
            window = {"minutes": (window_begin - begin) / 60, "calls": calls, "rss": megabytes()}
            window |= {key: seen[key] for key in SEEN}
            print(json.dumps(window), flush=True)
            seen.clear()


def next_texts(number, chance, batches):
    """Every fourth time the sentence, every fortieth a batch, if any, else one other text."""
    if number % 4 == 0:
        return [SENTENCE]
    if batches and number % 40 == 1:
        return [random_text(chance) for _ in range(32)]
    return [chance.choice(ODD) if chance.random() < 0.3 else random_text(chance)]


def random_text(chance):
    """Words of random letters, a few of them of any characters; halves of surrogates among them."""
    count = chance.choice((1, 3, 10, 20, 20, 50, 200, 1000))
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(count)]
    for _ in range(1 + count // 20):
        any_characters = (chr(chance.randrange(0x11_0000)) for _ in range(3))
        words[chance.randrange(count)] = "".join(any_characters)
    return " ".join(words)


def is_wrong(texts, outputs, first):
    """Whether answers are not those that a text got first, or none at all.

    Args:
        texts: list of strings.
        outputs: what `predict` gave for them.
        first: dict of texts that come again to their first answers; is filled.
    """
    logits = outputs["logits"]
    if logits.shape != (len(texts), 2) or not np.isfinite(logits).all():
        return True
    if len(texts) > 1 or texts[0] not in (SENTENCE, *ODD):
        return False
    bits = {name: np.asarray(value).tobytes() for name, value in sorted(outputs.items())}
    return first.setdefault(texts[0], bits) != bits


def megabytes():
    """Resident memory of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


# The process that watches both


def watch(directory, options):
    windows, processes = {name: [] for name in MODELS}, {}
    for name in MODELS:
        given = ("--answer", name, "--directory", directory, "--minutes", options.minutes)
        processes[name] = subprocess.Popen(
            command(*given, "--share", options.share), stdout=subprocess.PIPE, text=True
        )
    threads = [
        threading.Thread(target=follow, args=(process, name, windows[name]))
        for name, process in processes.items()
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        print("stopped", flush=True)
    for process in processes.values():
        process.terminate()
    for thread in threads:
        thread.join()
    for name, process in processes.items():
        if process.wait() not in (0, -signal.SIGTERM):
            sys.exit(f"{name}: its process ended with {process.returncode}")
    return windows


def follow(process, name, windows):
    for line in process.stdout:
        window = json.loads(line)
        windows.append(window)
        times = window["milliseconds"] or [float("nan")]
        print(
            f"{window['minutes']:5.1f} min  {name:12}  {window['calls']:7,} calls  median "
            f"{np.median(times):5.1f} ms  95% {np.quantile(times, 0.95):5.1f} ms  processor "
            f"{np.median(window['processor'] or times):5.1f} ms  {window['rss']:7.1f} MB",
            *(f"\n  {problem}" for problem in window["failed"] + window["different"]),
            flush=True,
        )


def print_table(windows, warm_up):
    print(
        "| | calls | MB after the warm-up | MB at the end | growth, MB an hour, second half "
        "| failed | other answers | median, ms, first and last tenth | the processor's |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for name, every in windows.items():
        counted = [window for window in every if window["minutes"] >= warm_up]
        if len(counted) < 2:
            print(f"| {name} | too short to tell |")
            continue
        hours = np.array([window["minutes"] / 60 for window in counted])
        memory = np.array([window["rss"] for window in counted])
        half = len(counted) // 2
        slope, late = (
            np.polyfit(hours[part], memory[part], 1)[0] for part in (slice(None), slice(half, None))
        )
        failed, different = (sum(len(w[key]) for w in every) for key in ("failed", "different"))
        print(
            f"| {name} | {every[-1]['calls']:,} | {memory[0]:.1f} | {memory[-1]:.1f} "
            f"| {slope:+.1f}, {late:+.1f} | {failed} | {different} "
            f"| {in_tenths(counted, 'milliseconds')} | {in_tenths(counted, 'processor')} |"
        )


def in_tenths(windows, key):
    """Medians of the first and of the last tenth of windows."""
    tenth = max(1, len(windows) // 10)
    early, late = (
        np.median([value for window in part for value in window[key]])
        for part in (windows[:tenth], windows[-tenth:])
    )
    return f"{early:.1f}, {late:.1f}"


def draw(windows, warm_up, path):
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(11, 3.2), layout="constrained")
    memory, latency, processor = figure.subplots(1, 3)
    for name, every in windows.items():
        counted = [w for w in every if w["minutes"] >= warm_up and w["milliseconds"]]
        minutes = [window["minutes"] for window in counted]
        medians, late, work = (
            [np.quantile(window[key], share) for window in counted]
            for key, share in (("milliseconds", 0.5), ("milliseconds", 0.95), ("processor", 0.5))
        )
        color = COLORS[name]
        memory.plot([w["minutes"] for w in every], [w["rss"] for w in every], color=color)
        latency.plot(minutes, medians, color=color, linewidth=1.2, label=f"{name}, median")
        latency.plot(minutes, late, ":", color=color, linewidth=0.8, label=f"{name}, 95%")
        processor.plot(minutes, work, color=color, linewidth=1.2, label=name)
    for axes, title in (
        (memory, "resident memory (MB)"),
        (latency, "one sentence, by the clock (ms)"),
        (processor, "the same, processor's time (ms)"),
    ):
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, length=0)
    for axes in (latency, processor):
        axes.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
