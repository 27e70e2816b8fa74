"""Kills commands at random moments (SIGKILL), and counts after how many nothing was lost.

    python benchmarks/kill_campaign.py --kills 200

    pretrain    killed and started again: at its end weights and log are those of a run that nothing
                disturbed, bit for bit
    prepare     the same of its shards; its workers end with it
    finetune    with --overwrite: there is the old preset or the new one, whole
    export      with --overwrite, a SavedModel and a .tflite: the old model or the new one answers
    two starts  of one pretrain: one trains, the other is refused; the first of them is killed

Half of the kills come while a command writes, as far as that can be seen from outside.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARES = {"pretrain": 0.3, "prepare": 0.2, "finetune": 0.2, "export": 0.2, "two starts": 0.1}
IN_A_LIFE = 6  # kills, before a run is let come to its end
STEPS = 40
PATIENCE = 1200  # seconds by the clock, on a busy machine
TEXTS = ["a fine film", "cold and flat"]


def warm_up():
    """Imports what all commands need. Each command is a fork of this process."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Tiny programs run for a moment: to optimise their code takes longer than it saves.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reliability")]
    import small_files

    import keras_roberta.cli
    import keras_roberta.config
    import keras_roberta.data.corpus.corpora
    import keras_roberta.demo.demo  # noqa: F401, imports nearly everything

    keras_roberta.config._NAMED["tiny"] = small_files.SIZE
    keras_roberta.data.corpus.corpora._UNIT_BYTES = 20_000  # several work units of a small corpus


class Started:
    """A command in a process of its own.

    Attributes:
        said: what it has said, once it has ended; its workers, if any, have ended too.
        code: its exit code, None if it was killed.
    """

    def __init__(self, *command):
        self._pipe, end = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._pipe)
            for number in (1, 2):
                os.dup2(end, number)
            _run(command)
        os.close(end)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def is_running(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self):
        """Returns itself, when nobody has its output open."""
        said, until = b"", time.monotonic() + PATIENCE
        while select.select([self._pipe], [], [], max(0, until - time.monotonic()))[0]:
            part = os.read(self._pipe, 1 << 16)
            if not part:
                break
            said += part
        else:
            self.kill()  # it would disturb what comes next
            raise Lost(f"processes of {self.pid} have not ended")
        os.close(self._pipe)
        _, status = os.waitpid(self.pid, 0)
        self.said = said.decode(errors="replace")
        self.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        return self


class Lost(Exception):
    """Something did not survive; the message says what."""


def _run(command):
    from keras_roberta.cli import main

    code = 1
    try:
        main([str(argument) for argument in command])
    except SystemExit as exit:
        code = exit.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def in_a_fork(function, *arguments):
    """What a function returns, as JSON, that may start TensorFlow."""
    pipe, end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(pipe)
        try:
            answer = {"found": function(*arguments)}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with open(end, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(end)
    with open(pipe) as file:
        text = file.read()
    os.waitpid(pid, 0)
    answer = json.loads(text or '{"error": "the reader died"}')
    if "error" in answer:
        raise Lost(answer["error"])
    return answer["found"]


def finished(*command):
    """Runs a command that nothing disturbs; returns its seconds."""
    started = time.monotonic()
    done = Started(*command).wait()
    if done.code:
        raise Lost(f"ended with {done.code}: {done.said[-500:]}")
    return time.monotonic() - started


def killed(moments, seconds, place, *command):
    """Kills a command at a random moment; False if it came to its end before."""
    before, process = hidden(place), Started(*command)
    if moments.random() < 0.5:
        time.sleep(moments.uniform(0, 1.05 * seconds))
    else:  # while it writes
        while hidden(place) <= before and process.is_running():
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.5) ** 2)
    is_killed = process.is_running()
    process.kill()
    process.wait()
    return is_killed


def hidden(place):
    """What is being written: temporaries, at most two directories deep."""
    names = set()
    for folder in (place.parent, place, *place.glob("*/")):
        with contextlib.suppress(OSError):
            names |= {folder / n for n in os.listdir(folder) if n.startswith(f".{place.name}.")}
            names |= {folder / n for n in os.listdir(folder) if n.startswith(".") and "." in n[1:]}
    return {name for name in names if not name.name.endswith(".lock")}


def check_nothing_left(place):
    left = [path for path in place.rglob(".*")] if place.is_dir() else []
    left += place.parent.glob(f".{place.name}.*")
    if left:
        raise Lost(f"left behind: {left}")


def digest(paths):
    return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in sorted(paths)]


class Campaign:
    """The kinds, each a method that kills some times and returns how many were survived."""

    def __init__(self, directory, seed):
        self.directory, self.moments = directory, random.Random(seed)

    def prepare_files(self):
        in_a_fork(_make_files, self.directory)
        made = self.directory
        self.pretrain_command = [
            *("pretrain", "--data", made / "shards", "--size", "tiny", "--steps", STEPS),
            *("--batch-size", 8, "--sequence-length", 32, "--learning-rate", 1e-2),
            *("--save-every", 3, "--log-every", 7, "--evaluate-every", 28),
            *("--evaluation-batches", 1),
        ]
        self.prepare_command = [
            *("prepare", "--corpus", made / "corpus", "--tokenizer", made / "tokenizer"),
            *("--processes", 2, "--tokens-a-shard", 2000, "--heldout", 0.2),
        ]

    def lives(self, kills, command, out, value):
        """Kills runs that go on; each ends in the end, as one that nothing disturbed."""
        seconds = finished(*command, "--out", out.with_name(out.name + "-whole"))
        expected, survived = value(out.with_name(out.name + "-whole")), 0
        while kills:
            shutil.rmtree(out, ignore_errors=True)
            done = 0
            while done < min(IN_A_LIFE, kills):
                if killed(self.moments, seconds, out, *command, "--out", out):
                    done += 1
                else:  # it had come to its end
                    shutil.rmtree(out)
            kills -= done
            try:
                done_before = (out / "manifest.json").exists()  # and is refused, then
                if Started(*command, "--out", out).wait().code not in (0, 2 * done_before):
                    raise Lost(f"{out} cannot be gone on with")
                check_nothing_left(out)
                if value(out) != expected:
                    raise Lost(f"{out} differs from a run that nothing disturbed")
                survived += done
            except Lost as error:
                print(f"  lost: {error}")
        return survived

    def pretrain(self, kills):
        return self.lives(kills, self.pretrain_command, self.directory / "run", value_of_run)

    def prepare(self, kills):
        return self.lives(kills, self.prepare_command, self.directory / "made", value_of_shards)

    def overwrites(self, kills, commands, out, value):
        """Kills commands that replace an output with another one.

        Args:
            commands: two, for outputs that differ.
            value: function of a path, what is found there.
        """
        values, survived = [], 0
        for command in commands:
            seconds = finished(*command, "--out", out, "--overwrite")
            values.append(in_a_fork(value, out))
        assert values[0] != values[1]
        now = 1
        for _ in range(kills):
            other = [*commands[1 - now], "--out", out, "--overwrite"]
            while not killed(self.moments, seconds, out, *other):
                now = 1 - now
                other = [*commands[1 - now], "--out", out, "--overwrite"]
            try:
                now = values.index(in_a_fork(value, out))
                survived += 1
            except (Lost, ValueError) as error:
                print(f"  lost: {error}")
                finished(*commands[now], "--out", out, "--overwrite")
        finished(*commands[now], "--out", out, "--overwrite")
        check_nothing_left(out)
        return survived

    def finetune(self, kills):
        table, preset = self.directory / "table.tsv", self.directory / "preset"
        command = ["finetune", "--preset", preset, "--train", table, "--epochs", 1, "--seed"]
        out = self.directory / "finetuned"
        return self.overwrites(kills, [[*command, 0], [*command, 1]], out, value_of_preset)

    def export(self, kills):
        survived = 0
        for name, options, part in (
            ("saved", ["--format", "saved-model"], kills // 2),
            ("m.tflite", ["--sequence-lengths", 32], kills - kills // 2),
        ):
            commands = [
                ["export", "--preset", self.directory / preset, *options]
                for preset in ("preset", "preset2")
            ]
            survived += self.overwrites(part, commands, self.directory / name, value_of_export)
        return survived

    def two_starts(self, kills):
        out, command, survived = self.directory / "two", self.pretrain_command, 0
        whole = self.directory / "run-whole"
        if not whole.exists():
            finished(*command, "--out", whole)
        for _ in range(kills):
            shutil.rmtree(out, ignore_errors=True)
            pair = [Started(*command, "--out", out)]
            time.sleep(self.moments.uniform(0, 2))
            pair.append(Started(*command, "--out", out))
            time.sleep(self.moments.uniform(0, 8))
            pair[0].kill()
            try:
                codes = [process.wait().code for process in pair]
                if codes[1] == 2 and f"in use by process {pair[0].pid} " not in pair[1].said:
                    raise Lost(f"the second said {pair[1].said[-300:]}")
                if codes[1] not in (0, 2):
                    raise Lost(f"the second ended with {codes[1]}: {pair[1].said[-300:]}")
                finished(*command, "--out", out)
                check_nothing_left(out)
                if value_of_run(out) != value_of_run(whole):
                    raise Lost(f"{out} differs from a run that nothing disturbed")
                survived += 1
            except Lost as error:
                print(f"  lost: {error}")
        return survived


def _make_files(directory):
    import small_files

    small_files.make_all(directory)
    (directory / "corpus").mkdir()
    for number in range(2):
        path = directory / "corpus" / f"{number}.txt"
        small_files.make_corpus(path, documents=400, seed=number)
    from keras_roberta.tokenizers import open_tokenizer

    small_files.make_task(open_tokenizer(directory / "tokenizer"), seed=1).save_to_preset(
        directory / "preset2"
    )
    return None


def value_of_run(out):
    from safetensors.numpy import load_file

    # Without the seconds that a state holds besides.
    state = load_file(max((out / "states").glob("step-*.safetensors")))
    tensors = hashlib.sha256(b"".join(state[name].tobytes() for name in sorted(state)))
    return [*digest([out / "log.csv", out / "evaluations.csv"]), tensors.hexdigest()]


def value_of_shards(out):
    return digest(path for path in out.rglob("*") if path.is_file())


def value_of_preset(out):
    import keras_roberta as kr

    task = kr.open_task(out)
    weights = b"".join(bytes(memoryview(weight.numpy().copy())) for weight in task.weights)
    return [type(task).__name__, hashlib.sha256(weights).hexdigest()]


def value_of_export(out):
    from keras_roberta import export

    return export.load(out).predict(TEXTS)["logits"].round(4).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[*SHARES])
    arguments = parser.parse_args()
    warm_up()
    all_survived = all_tried = 0
    with tempfile.TemporaryDirectory() as directory:
        campaign = Campaign(pathlib.Path(directory).resolve(), arguments.seed)
        campaign.prepare_files()
        print("| command | kills | survived |\n|---|---|---|", flush=True)
        for kind, share in SHARES.items():
            if arguments.only not in (None, kind):
                continue
            kills = arguments.kills if arguments.only else max(1, round(share * arguments.kills))
            survived = getattr(campaign, kind.replace(" ", "_"))(kills)
            print(f"| {kind} | {kills} | {survived} |", flush=True)
            all_survived, all_tried = all_survived + survived, all_tried + kills
    print(f"{all_survived} of {all_tried} survived")
    sys.exit(all_survived < all_tried)


if __name__ == "__main__":
    main()
