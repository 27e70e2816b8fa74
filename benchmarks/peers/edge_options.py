"""Options of the contestants of `benchmarks/edge.py`, and how they are timed."""

import argparse
import pathlib
import time

import rounds


def parse_options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--precision", choices=["none", "int8"])
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def serve(call):
    """Answers with the seconds of calls, see rounds.py."""

    def run(count):
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        return seconds

    call()
    rounds.serve(run)
