"""Contestants that take turns: each is a process that loads once and then runs steps when asked."""

import json
import resource
import statistics
import subprocess
import sys


class Contestant:
    """The asking side: a process that runs `serve`, in an environment of its own."""

    def __init__(self, name, command, environment):
        self.name, self.seconds = name, []
        self._process = subprocess.Popen(
            list(map(str, command)),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.start = self._read()

    def run(self, steps):
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        self.seconds += self._read()["seconds"]

    def end(self):
        """What the process says at its end, with the median of its steps."""
        self._process.stdin.close()
        result = {"name": self.name, "seconds": statistics.median(self.seconds), **self.start}
        for line in self._process.stdout:
            result.update(json.loads(line))
        if self._process.wait():
            sys.exit(f"{self.name} ended with {self._process.returncode}; its output is above")
        return result

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit(f"{self.name} ended; what it printed stands above")


def serve(run, start=None):
    """The answering side: runs steps as asked on stdin, until that ends.

    Args:
        run: function of a number of steps, giving the seconds of each.
        start: dict to say first, when all is loaded.
    """
    say(start or {})
    for line in sys.stdin:
        say({"seconds": run(int(line))})
    say({"peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def say(message):
    print(json.dumps(message), flush=True)
