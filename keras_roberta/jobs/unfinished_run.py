"""What a long job keeps in its directory until it is done, so that it can go on after a kill."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import OBJECT, TEXT, Maybe, Record
from keras_roberta.files.output_checks import check_output_directory, check_writable
from keras_roberta.files.output_errors import output_errors
from keras_roberta.jobs.same_run import WAY_OUT, refuse_other_options


class UnfinishedRun:
    """`OUT/unfinished/`: `run.json`, which says what the run is, and its states; of several runs
    also `runs.json`, those that are done, and `best/`, the preset of the best of them.

    It is there from the first state that is saved until the results are written.

    Args:
        out: the directory of the results.
        record: what makes the run this one, see `run_record`.
        may_differ: options that may be others when it goes on. That of rematerialisation decides
            nothing but memory.
    """

    def __init__(
        self, out: str | Path, record: dict[str, Any], may_differ: Collection[str] = ("remat",)
    ):
        self.out, self._record = Path(out).expanduser(), record
        self._may_differ = may_differ
        self.directory = self.out / "unfinished"
        self.states = self.directory / "states"
        self.runs, self.best = self.directory / "runs.json", self.directory / "best"

    @property
    def is_there(self) -> bool:
        return _is_there(self.out)

    def check(self, overwrite: bool) -> None:
        """Raises where the run in `out` is another one; writes nothing, so all workers may call it.

        Raises:
            InputError: `out` holds a run of other options or data, which may not be overwritten.
        """
        if self.is_there and not overwrite:
            self._check_same()

    @contextlib.contextmanager
    def held(self, overwrite: bool) -> Iterator[None]:
        """A context in which this process alone writes to `out`; with `overwrite` an older run
        there is removed.

        Raises:
            InputError: `out` holds something else, or a run of other options or data.
            OutputError: another process writes there, or the place cannot be written to.
        """
        check_place(self.out, overwrite)
        with hold_output(self.out):
            check_place(self.out, overwrite)  # again: what was begun before is finished now
            self.check(overwrite)
            if overwrite:  # states that lie there without a record are of an older run, too
                self.remove()
            yield

    def begin(self) -> None:
        """Writes what the run is, if that is not there yet."""
        if not self.is_there:
            with atomic_file(_record_of(self.out)) as temporary:
                text = json.dumps(self._record, indent=2) + "\n"
                temporary.write_text(text, encoding="utf-8")

    def remove(self) -> None:
        """Removes all of it."""
        _record_of(self.out).unlink(missing_ok=True)  # first: without it the rest is no run
        if self.directory.exists():
            with output_errors(self.directory, "remove it"):
                shutil.rmtree(self.directory)

    def _check_same(self):
        path = _record_of(self.out)
        files = [name for name in self._record if name not in ("preset", "options")]
        kinds = {"preset": TEXT, "options": OBJECT, **dict.fromkeys(files, Maybe(TEXT))}
        try:
            old = read_json_object(path, Record(kinds), hint="is this a run?")
        except (OSError, ValueError):
            raise InputError(f"{path}: cannot be read; {WAY_OUT}") from None
        for name in files:
            if old[name] != self._record[name]:
                raise InputError(
                    f"{self.directory}: a run on another {name} file, or the file was changed; "
                    f"{WAY_OUT}"
                )
        then, now = (
            {"preset": record["preset"], **record["options"]} for record in (old, self._record)
        )
        refuse_other_options(self.directory, then, now, self._may_differ)


def check_place(out: str | Path, overwrite: bool) -> None:
    """Raises unless a fine-tuning may write to `out`, or go on with the one there.

    Raises:
        InputError: it is not empty, and holds no run to go on with.
    """
    if _is_there(Path(out).expanduser()) and not overwrite:
        check_writable(out)
    else:
        check_output_directory(out, overwrite)


def run_record(
    preset: str | Path, files: Mapping[str, Path | None], options: dict
) -> dict[str, Any]:
    """What makes a run this run: preset, data and options, as JSON holds them.

    Args:
        files: files or directories whose content matters, by what they are called in messages.
    """
    preset = str(preset)
    if "://" not in preset:
        preset = str(Path(preset).expanduser().resolve())
    digests = {name: path and _digest(Path(path).expanduser()) for name, path in files.items()}
    return json.loads(json.dumps({"preset": preset, "options": options, **digests}))


def _digest(path):
    if path.is_dir():
        inside = sorted(one for one in path.rglob("*") if one.is_file())
        return " ".join(f"{one.relative_to(path).as_posix()}:{_digest(one)}" for one in inside)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_there(out):
    return _record_of(out).is_file()


def _record_of(out):
    return out / "unfinished" / "run.json"
