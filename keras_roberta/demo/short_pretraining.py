"""A minute of pre-training, by the library's own loop: enough for a small encoder to help."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.jobs.pretrain.options import PretrainingOptions
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.jobs.pretrain.run_directory import RunDirectory
from keras_roberta.reports.contents import Curve
from keras_roberta.reports.training_curves import pretraining_report
from keras_roberta.tokenizers import RobertaTokenizer
from keras_roberta.training.runs.progress import waiting
from keras_roberta.training.runs.run_log import CsvLog

SEQUENCE_LENGTH = 128
BATCH_SIZE = 16
_MOST_STEPS = 1000
_HELD_OUT_BATCHES = 8
_LOG_EVERY = 20  # steps


@dataclasses.dataclass(frozen=True)
class ShortPretraining:
    """How it went.

    Attributes:
        steps, tokens: trained on.
        loss: of masked language modelling on text that was held out, at the end.
        curve: the training loss.
    """

    steps: int
    tokens: int
    loss: float | None
    curve: Curve


def prepare_shards(texts: Sequence[str], tokenizer: RobertaTokenizer, out: Path) -> Path:
    """Writes texts as `corpus.jsonl`, one document a line, and their shards, below `out`.

    Returns:
        the directory of the shards.
    """
    corpus, shards = out / "corpus.jsonl", out / "shards"
    with atomic_file(corpus) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    # Without the search for near-duplicates, which takes longer than all the rest.
    options = PrepareOptions(corpus=CorpusOptions(), near_duplicates=0)
    with waiting("preparing the text"):
        # One process: of so little text the start of others would take longer than the work.
        prepare(corpus, tokenizer, shards, options, overwrite=True, processes=1)
    return shards


def pretrain_on_shards(
    shards: Path, out: Path, *, seconds: float = 60, seed: int = 0
) -> ShortPretraining:
    """Trains a tiny encoder, from vectors by co-occurrence, and writes it as the preset `out`.

    Args:
        shards: see `prepare_shards`.
        seconds: about how long; less where 1,000 steps are done before.

    Raises:
        InputError: a signal stopped it.
    """
    options = PretrainingOptions(
        size="tiny",
        initial_embeddings="cooccurrence",
        batches=BatchOptions(batch_size=BATCH_SIZE, sequence_length=SEQUENCE_LENGTH),
        steps=_MOST_STEPS,
        hours=seconds / 3600,
        learning_rate=5e-4,
        warmup=0.1,
        clip_norm=1.0,
        seed=seed,
        log_every=_LOG_EVERY,
        evaluate_every=_LOG_EVERY * _MOST_STEPS,  # at the end alone
        evaluation_batches=_HELD_OUT_BATCHES,
    )
    result = pretrain(shards, out, options, overwrite=True)
    if result.signal is not None:
        raise InputError("stopped; run the demo again")
    log = CsvLog(RunDirectory(out).log, result.steps).rows()
    loss, _ = pretraining_report(log, []).curves
    (heldout,) = result.heldout.values() or [{}]
    return ShortPretraining(
        result.steps,
        result.tokens,
        heldout.get("loss"),
        dataclasses.replace(loss, title="pre-training: masked LM loss"),
    )
