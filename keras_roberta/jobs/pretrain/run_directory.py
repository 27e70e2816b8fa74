"""The directory of a pre-training run: what was asked for, states, logs, in the end a preset."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from keras_roberta.checkpoints.keras_preset import remove_preset
from keras_roberta.data.corpus.shards import Shards
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import OBJECT, TEXT, Maybe, Record
from keras_roberta.files.output_checks import check_output_directory, check_writable
from keras_roberta.files.output_errors import output_errors
from keras_roberta.jobs.pretrain.options import (
    MAY_DIFFER,
    PretrainingOptions,
    without_trailing_slash,
)
from keras_roberta.jobs.same_run import WAY_OUT, refuse_other_options
from keras_roberta.options.record import nested_records

RECORD = "run.json"
_RECORD = Record(
    {
        "options": Record({"batches": OBJECT}, {"model": OBJECT, "preset": Maybe(TEXT)}),
        "tokenizer": TEXT,
        "shards": TEXT,
    }
)


class RunDirectory:
    """Where a run keeps its things.

    Attributes:
        states, tensorboard: directories.
        log, evaluations: CSV files.
        curves, card: what is said of the preset, which lies in `path` itself.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()
        self.states, self.tensorboard = self.path / "states", self.path / "tensorboard"
        self.log, self.evaluations = self.path / "log.csv", self.path / "evaluations.csv"
        self.curves, self.card = self.path / "curves.png", self.path / "README.md"

    @property
    def holds_run(self) -> bool:
        return (self.path / RECORD).exists()

    @property
    def can_go_on(self) -> bool:
        """Whether it holds a run that came as far as to a saved state or its preset."""
        return self.holds_run and (
            any(self.states.glob("step-*")) or (self.path / "config.json").exists()
        )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A context in which this process alone writes to the run.

        Raises:
            OutputError: another one does, or the directory cannot be written to.
        """
        way_out = "once that is put right the same command goes on from here"
        with hold_output(self.path, make=True), output_errors(self.path, way_out):
            yield

    def check(self, options: PretrainingOptions, shards: Shards, overwrite: bool = False) -> None:
        """Raises where `open` would; writes nothing.

        Raises:
            InputError: the directory holds something else, or a run of other options or data.
        """
        if self.can_go_on and not overwrite:
            check_writable(self.path)
            _check_same(self.path / RECORD, _record(options, shards))
        else:
            check_output_directory(self.path, overwrite=overwrite or self.holds_run)

    def open(self, options: PretrainingOptions, shards: Shards, overwrite: bool = False) -> None:
        """Starts the run, or goes on with it where it is the same one.

        A run that ended before its first saved state, as for want of memory, leaves little to go on
        with: the same one keeps what was measured, another takes its place.

        Raises:
            InputError: see `check`.
        """
        self.check(options, shards, overwrite)
        if self.holds_run and not overwrite and self._is_of(options, shards):
            return
        if self.holds_run:
            self._clear()
        with atomic_file(self.path / RECORD) as temporary:
            text = json.dumps(_record(options, shards), indent=2) + "\n"
            temporary.write_text(text, encoding="utf-8")

    def _is_of(self, options, shards):
        try:
            _check_same(self.path / RECORD, _record(options, shards))
        except InputError:
            return False
        return True

    def _clear(self):
        remove_preset(self.path)  # First: it would pass for the new run's.
        for directory in (self.states, self.tensorboard):
            shutil.rmtree(directory, ignore_errors=True)
        for file in (self.log, self.evaluations, self.curves, self.card, self.path / RECORD):
            file.unlink(missing_ok=True)


def _record(options, shards):
    """What makes a run this run, as JSON reads it back."""
    manifest = json.dumps(shards.manifest, sort_keys=True)
    record = {
        "options": options.to_dict(),
        "tokenizer": shards.fingerprint,
        "shards": hashlib.sha256(manifest.encode()).hexdigest(),
    }
    return json.loads(json.dumps(record))


def _check_same(path, record):
    try:
        old = read_json_object(path, _RECORD, hint="is this a run?")
        then, now = _flat(old["options"]), _flat(record["options"])
        fingerprints = {name: old[name] for name in ("tokenizer", "shards")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: cannot be read; {WAY_OUT}") from None
    for name, what in (("tokenizer", "with another tokenizer"), ("shards", "on other shards")):
        if fingerprints[name] != record[name]:
            raise InputError(f"{path.parent}: a run {what}; {WAY_OUT}")
    defaults = json.loads(json.dumps(PretrainingOptions().to_dict()))
    then = _flat(defaults) | then  # a run from before an option was there
    if then["preset"] is not None:
        then["preset"] = without_trailing_slash(then["preset"])
    refuse_other_options(path.parent, then, now, MAY_DIFFER)


def _flat(options):
    """All options beside one another, those of the records in them too."""
    flat = dict(options)
    for name in nested_records(PretrainingOptions):
        flat |= flat.pop(name, {})
    return flat
