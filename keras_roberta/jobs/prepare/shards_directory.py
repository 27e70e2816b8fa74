"""The directory that shards are written to, from its first file to the manifest."""

import contextlib
import json
import shutil

from keras_roberta.data.corpus.shards import MANIFEST, index_name, is_shard_name
from keras_roberta.errors import InputError, OutputError, ReadError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.output_checks import is_empty
from keras_roberta.files.output_errors import output_errors
from keras_roberta.files.room import check_room
from keras_roberta.files.temporaries import sweep
from keras_roberta.reports.size_on_disk import bytes_on_disk

PROGRESS = ".progress"  # in the directory, while there is no manifest


@contextlib.contextmanager
def held(out):
    """A context in which this process alone makes shards in a directory.

    Raises:
        OutputError: another one does, or the directory cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a directory for the shards")
    way_out = "once that is put right the same command goes on from here"
    with hold_output(out, make=True), output_errors(out, way_out):
        yield


def begin(out, description, overwrite, num_bytes=0):
    """Makes the output directory ready.

    Args:
        out: the directory.
        description: tells this job from others.
        overwrite: whether the shards and the progress that are there are removed, once it is known
            that the disk has room for new ones.
        num_bytes: what the job will write at least.

    Raises:
        InputError: it holds shards, another job's progress or other files, and may not be
            overwritten; or the disk is surely too small.
    """
    path = out / PROGRESS / "job.json"
    manifest = out / MANIFEST
    if manifest.exists():  # killed when all was done but this
        shutil.rmtree(out / PROGRESS, ignore_errors=True)
    elif not path.exists():  # killed before there was anything to go on with
        sweep(out / PROGRESS)
        with contextlib.suppress(OSError):
            (out / PROGRESS).rmdir()
    if not overwrite:
        if manifest.exists():
            raise InputError(f"{out}: there are shards already; add --overwrite to replace them")
        if path.exists() and path.read_bytes() != description.encode():
            raise InputError(
                f"{out}: holds an unfinished run with other options, tokenizer or corpus; "
                "add --overwrite to begin anew"
            )
        if not path.exists() and not is_empty(out):
            raise InputError(f"{out}: is not empty; give another directory or add --overwrite")
        check_room(out, num_bytes)
    else:
        old = sum(map(bytes_on_disk, (*_shard_files(out), out / PROGRESS)))
        check_room(out, num_bytes, replaced=old)
        _remove_shards(out)
        shutil.rmtree(out / PROGRESS, ignore_errors=True)
    with atomic_file(path) as temporary:
        temporary.write_text(description, encoding="utf-8")


@contextlib.contextmanager
def begun(out, description, overwrite, num_bytes=0):
    """A context for the job itself; see `begin` for the arguments and errors.

    If something is wrong with the corpus or the options, the job would end in the same place each
    time, so its progress is removed. If a full disk, a file that cannot be read at the moment or a
    signal ends it, its progress stays, and the same command goes on from there.
    """
    begin(out, description, overwrite, num_bytes)
    try:
        yield
    except (OutputError, ReadError):
        raise
    except InputError:
        _remove_shards(out)
        shutil.rmtree(out / PROGRESS, ignore_errors=True)
        raise


def finish(out, tokenizer, manifest):
    """Writes what makes the directory one of shards: the tokenizer, and last the manifest."""
    tokenizer.save(out / "tokenizer")
    with atomic_file(out / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out / PROGRESS, ignore_errors=True)


def _remove_shards(out):
    """Removes the shards that a finished or an unfinished run wrote, and nothing else."""
    paths = _shard_files(out)
    (out / MANIFEST).unlink(missing_ok=True)  # First, so that nothing takes what is left for whole.
    for path in paths:
        path.unlink(missing_ok=True)


def _shard_files(out):
    """The shards that a finished or an unfinished run wrote, and their indices."""
    names = [path.name.removesuffix(".json") for path in (out / PROGRESS / "shards").glob("*.json")]
    try:
        manifest = read_json_object(out / MANIFEST, hint="")
        by_split = manifest["shards"].values()
        names += [d["name"] for languages in by_split for ds in languages.values() for d in ds]
    except (InputError, KeyError, TypeError, AttributeError):
        pass  # No manifest of ours.
    # Another's manifest might name any file.
    names = {name for name in names if isinstance(name, str) and is_shard_name(name)}
    return [out / path for name in sorted(names) for path in (name, index_name(name))]
