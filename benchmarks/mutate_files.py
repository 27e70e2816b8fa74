"""Damages a file of every kind that the library reads, and sees how reading it ends.

    python benchmarks/mutate_files.py --seed 1 --mutations 5000

Each of them has to end as an error of one line or with the right answer, within 5 seconds and 1 GB
of memory, and nothing that a file holds may run. What ends otherwise is printed with the seed that
does it again: `--seed S --only N`. The kinds and the damage are in
tests/reliability/hostile_files.py.
"""

import argparse
import collections
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS, MEMORY = 5.0, 1 << 30  # CPU seconds and bytes that one mutation may take
PATIENCE = 300.0  # seconds on a clock, on a busy machine


def memory_of(pid, what):
    """VmRSS or VmHWM of a process, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    return 0


def work(sample):
    """Runs the mutations whose numbers come on the standard input, one after the other."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reliability")]
    import hostile_files

    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    place = pathlib.Path(tempfile.mkdtemp())
    os.chdir(place)
    for kind in hostile_files.KINDS:  # what is only slow the first time
        hostile_files.run(sample, place, kind, "warm-up")
    print("ready", file=results, flush=True)
    for line in sys.stdin:
        number, seed = line.split()
        kind = hostile_files.KINDS[int(number) % len(hostile_files.KINDS)]
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        before, started = memory_of("self", "VmRSS"), time.process_time()
        outcome = hostile_files.run(sample, place, kind, f"{seed}/{number}")
        row = {
            "kind": kind.name,
            "ending": outcome.ending,
            "message": outcome.message,
            "seconds": time.process_time() - started,
            "bytes": memory_of("self", "VmHWM") - before,
        }
        print(json.dumps(row), file=results, flush=True)
    shutil.rmtree(place, ignore_errors=True)


class Worker:
    """A process that runs mutations; another takes its place where one ends it."""

    def __init__(self, sample):
        self._sample, self._process = sample, None

    def run(self, number, seed):
        if self._process is None:
            command = [sys.executable, __file__, "--worker", str(self._sample)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._process.stdout.readline()
        self._process.stdin.write(f"{number} {seed}\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        ended = self._process.poll()
        self.close()
        message = f"ended the process ({ended})" if ended is not None else "does not end"
        return {"kind": f"number {number}", "ending": "crashed", "message": message}

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def problem_of(row):
    """What should not be, in a few words; "" where nothing is."""
    if row["ending"] not in ("refused", "read"):
        return row["ending"]
    if row["seconds"] > SECONDS:
        return f"{row['seconds']:.1f} s"
    return f"{row['bytes'] / 1e9:.1f} GB" if row["bytes"] > MEMORY else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", default="0")
    parser.add_argument("--mutations", type=int, default=5000)
    parser.add_argument("--only", type=int, help="this one alone")
    parser.add_argument("--worker", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        return work(options.worker)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reliability")]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sample = pathlib.Path(tempfile.mkdtemp())
    subprocess.run(
        [sys.executable, "-c", _MAKE, str(sample)], check=True, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    worker, endings, problems, slowest, largest = Worker(sample), {}, 0, 0.0, 0
    numbers = range(options.mutations) if options.only is None else [options.only]
    for number in numbers:
        row = worker.run(number, options.seed)
        if number % 1000 == 999:
            worker.close()  # Keras keeps something of every model that a process made
        endings.setdefault(row["kind"], collections.Counter())[row["ending"]] += 1
        slowest, largest = max(slowest, row.get("seconds", 0)), max(largest, row.get("bytes", 0))
        if (problem := problem_of(row)) or options.only is not None:
            problems += bool(problem)
            print(f"{number} {row['kind']}: {problem}: {row['message'][:400]}", flush=True)
    worker.close()
    shutil.rmtree(sample, ignore_errors=True)
    for kind, counts in endings.items():
        print(f"{kind:28}", *(f"{counts[name]:5} {name}" for name in ("refused", "read")))
    print(
        f"{len(numbers)} mutations (seed {options.seed}): {problems} ended as they should not; the "
        f"slowest took {slowest:.1f} s, the largest {largest / 1e6:.0f} MB"
    )
    sys.exit(bool(problems))


_MAKE = "import sys, pathlib, hostile_files; hostile_files.make_sample(pathlib.Path(sys.argv[1]))"

if __name__ == "__main__":
    main()
