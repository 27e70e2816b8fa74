"""A model with the part of its vocabulary that a corpus uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_roberta.checkpoints.formats import format_named, open_checkpoint
from keras_roberta.data.corpus.changed_tokens import changed_tokens
from keras_roberta.data.corpus.corpora import work_units
from keras_roberta.data.corpus.token_counts import count_tokens
from keras_roberta.errors import InputError
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.jobs.options.trim_vocabulary import TrimVocabularyOptions
from keras_roberta.options import OptionError
from keras_roberta.reports.size_on_disk import bytes_on_disk
from keras_roberta.reports.write import write_json
from keras_roberta.tasks.registry import task_class_of
from keras_roberta.unknown_arguments import named_arguments

REPORT_NAME = "trimming.json"


@named_arguments
def trim_vocabulary(
    preset: str | os.PathLike,
    corpus: str | os.PathLike,
    out: str | os.PathLike,
    options: TrimVocabularyOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Writes a preset whose vocabulary is what a corpus uses, and `trimming.json` in it.

    How many tokens change is measured on documents that are held out, with a vocabulary that was
    chosen without them. The one that is written is chosen with all documents.

    Args:
        preset: a checkpoint of any format, with the head of a task or without.
        corpus: a file or a directory; see `data/corpus/corpora.py`. Its documents are to be texts
            as the model is given them.
        out: directory for the preset.
        overwrite: replace files in `out`.
        progress: function of (what is going on, tasks done, tasks in all).

    Returns:
        what `trimming.json` holds: numbers of tokens and parameters, and megabytes, before and
        after; `changed_tokens`, the share of held-out tokens that are cut otherwise, and
        `length_ratio`, how much longer these texts are in tokens; both None without held-out
        documents.

    Raises:
        InputError: names the path or option that does not fit; the vocabulary cannot be trimmed;
            the corpus is empty; the model is quantised; or `out` is in use.
    """
    options = options or TrimVocabularyOptions()
    with hold_directory(out, overwrite):
        return _trim(preset, corpus, Path(out).expanduser(), options, progress)


def _trim(preset, corpus, out, options, progress):
    """`trim_vocabulary`, once nobody else writes to `out`."""
    source = open_checkpoint(preset)
    if "dtype" in source.backbone_settings:
        raise InputError(
            f"{source.directory}: the model is quantised; trim the one that it was made from, and "
            "quantise the trimmed one"
        )
    tokenizer = source.tokenizer()
    try:
        tokenizer.trimmed((), options.characters)
    except InputError as error:
        raise InputError(f"{source.directory}: {error}") from None
    units = work_units(corpus, options.corpus)
    model = _model(source, preset)
    prefixes = _prefixes(model)
    show = {} if progress is None else {"progress": progress}
    counts = count_tokens(tokenizer, units, options.corpus, options.heldout, prefixes, **show)
    if not (counts.learnt.any() or counts.heldout.any()):
        raise InputError(f"{corpus}: the corpus is empty; there is no text in its files")
    measured = _measured(tokenizer, counts, options)
    chosen = chosen_tokens(counts.learnt + counts.heldout, options.min_count, options.keep)
    if not len(chosen):
        raise OptionError(
            "min_count", f": no token of the corpus occurs {options.min_count} times; lower it"
        )

    of_preset, _ = tokenizer.encode_ragged(prefixes, add_special_tokens=False)
    trimmed, rows = tokenizer.trimmed([*chosen, *of_preset], options.characters)
    if hasattr(model, "preprocessor"):
        smaller, beside = model.resize_vocabulary(tokenizer=trimmed, rows=rows), None
    else:
        smaller, beside = model.resize_vocabulary(rows=rows), trimmed
    from keras_roberta.jobs.task_training import ABOUT_A_RUN

    format = format_named("keras")
    with format.atomic_directory(out, replaces=ABOUT_A_RUN) as temporary:
        format.save(smaller, temporary, tokenizer=beside)
        report = {
            "tokens": {
                "before": tokenizer.vocabulary_size,
                "after": trimmed.vocabulary_size,
                "chosen": len(chosen),
            },
            "parameters": {"before": model.count_params(), "after": smaller.count_params()},
            "megabytes": {
                "before": bytes_on_disk(source.directory) / 1e6,
                "after": bytes_on_disk(temporary) / 1e6,
            },
            **measured,
            "options": options.to_dict(),
        }
        write_json(temporary / REPORT_NAME, report)
    return report


def chosen_tokens(counts: np.ndarray, min_count: int = 1, keep: int | None = None) -> np.ndarray:
    """The ids of tokens that occur often, ascending.

    >>> chosen_tokens(np.array([0, 5, 2, 7, 2]), min_count=2, keep=3)
    array([1, 2, 3])

    Args:
        counts: int (vocabulary_size,)
        min_count: how often each occurs at least.
        keep: the most frequent ones of these; of equally frequent ones the smaller ids.
    """
    order = np.argsort(-counts, kind="stable")[:keep]
    return np.sort(order[counts[order] >= max(min_count, 1)])


def _measured(tokenizer, counts, options):
    """What the report says of held-out texts."""
    texts = counts.heldout_texts
    found = {"heldout_tokens": int(counts.heldout.sum())}
    if not found["heldout_tokens"] or not counts.learnt.any():
        return {**found, "changed_tokens": None, "length_ratio": None}
    chosen = chosen_tokens(counts.learnt, options.min_count, options.keep)
    trimmed, old_ids = tokenizer.trimmed(chosen, options.characters)
    before, after, changed = changed_tokens(tokenizer, trimmed, old_ids, texts)
    return {**found, "changed_tokens": changed / before, "length_ratio": after / before}


def _model(source, preset):
    """The task of a checkpoint, or the encoder where it has none.

    Raises:
        InputError: it has a head that would stay behind.
    """
    from keras_roberta.models.roberta_backbone import RobertaBackbone

    cls = task_class_of(source)
    if unread := source.heads_unread_by(cls):
        raise InputError(
            f"{source.directory}: no task here reads the head {', '.join(unread)}; leave it out "
            "with keras-roberta convert --to keras --drop-heads"
        )
    return (cls or RobertaBackbone).from_preset(preset)


def _prefixes(model):
    """What a preset itself puts in front of texts; nothing where it has no such setting."""
    settings = getattr(model, "preprocessor", None) and model.preprocessor.get_config()
    found = [v for k, v in (settings or {}).items() if k.endswith("prefix") and isinstance(v, str)]
    return found or [""]
