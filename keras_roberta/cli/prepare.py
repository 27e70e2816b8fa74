"""`keras-roberta prepare`"""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from keras_roberta.cli import corpus as corpus_options


def prepare(
    corpus: corpus_options.Corpus,
    tokenizer: Annotated[str, Option(help="A tokenizer's directory, or hf://org/name.")],
    out: Annotated[Path, Option(help="Directory for the shards.")],
    documents: corpus_options.Documents = "block",
    languages_from: corpus_options.LanguagesFrom = "none",
    text_field: corpus_options.TextField = "text",
    language_field: corpus_options.LanguageField = "language",
    labels_field: Annotated[
        str, Option(help="Field of token labels in JSON lines: [[start, end, class], …].")
    ] = "labels",
    token_labels: Annotated[
        str,
        Option(help="Classes for the objective tokens: language, script, or names: O,PER,LOC."),
    ] = "language",
    sentences: Annotated[
        Literal["prose", "line"], Option(help="Where sentences end: full stops, or line breaks.")
    ] = "prose",
    heldout: Annotated[
        float, Option(min=0, max=1, help="Share of the documents that are held out.")
    ] = 0.01,
    near_duplicates: Annotated[
        float, Option(min=0, max=1, help="Drop documents this much alike; 0 keeps them.")
    ] = 0.8,
    max_document_bytes: Annotated[
        int, Option(min=16, help="Longer documents are cut at white space.")
    ] = 1_000_000,
    language_alpha: corpus_options.LanguageAlpha = 0.7,
    processes: Annotated[
        int | None, Option(min=1, help="Processes.", show_default="one a core")
    ] = None,
    runner: Annotated[
        str | None, Option(help="Run by Apache Beam: DirectRunner, FlinkRunner, …")
    ] = None,
    runner_option: Annotated[
        list[str] | None, Option(help="One of Beam's own: --flink_master=host:8081. Repeat it.")
    ] = None,
    overwrite: corpus_options.Overwrite = False,
):
    """Tokenise a corpus into shards for pre-training."""
    from keras_roberta.cli.printing import print_values
    from keras_roberta.data.corpus.corpora import CorpusOptions
    from keras_roberta.data.corpus.prepare_options import PrepareOptions
    from keras_roberta.errors import InputError

    if runner_option and runner is None:
        raise InputError("--runner-option is for a --runner of Apache Beam; name one")
    named = token_labels in ("language", "script")
    options = PrepareOptions(
        CorpusOptions(
            documents, languages_from, text_field, language_field, labels_field, max_document_bytes
        ),
        sentences=sentences,
        heldout=heldout,
        near_duplicates=near_duplicates,
        token_labels=token_labels if named else tuple(token_labels.split(",")),
    )
    if runner is None:
        from keras_roberta.jobs.prepare import one_machine as recipe

        with _Bars() as progress:
            recipe.prepare(corpus, tokenizer, out, options, overwrite, processes, progress)
    else:
        from keras_roberta.jobs.prepare import beam

        beam.prepare(corpus, tokenizer, out, options, overwrite, runner, runner_option or ())
    print_values({"shards": str(out), **_summary(out, language_alpha)})


def _summary(out, alpha):
    """What a user wants to know of shards: tokens, shares, what was dropped, padding."""
    from keras_roberta.data.corpus.language_sampling import language_shares
    from keras_roberta.data.corpus.shards import open_shards
    from keras_roberta.data.pretraining.packed_rows import Rows

    shards = open_shards(out)
    train = {name: count["tokens"] for name, count in shards.counts["train"].items()}
    held_out = sum(count["tokens"] for count in shards.counts["heldout"].values())
    values = {"training tokens": sum(train.values()), "held-out tokens": held_out}
    values |= {name.replace("_", " "): n for name, n in shards.manifest["dropped"].items()}
    if not held_out:
        values["held-out tokens"] = "0: too few documents, raise --heldout"
    if len(train) > 1:
        shares = language_shares(train, alpha)
        values |= {
            f"{name}: tokens, share drawn": f"{train[name]} {shares[name]:.3f}" for name in train
        }
    largest = max(train, key=train.get)
    for length in (128, 512):
        # Of one shard: planning a large corpus would take a while.
        rows = Rows(shards, "train", largest, "full-sentences", length, max_shards=1)
        values[f"padding in rows of {length}"] = round(rows.padding, 4)
    return values


class _Bars:
    """A progress bar for each pass."""

    def __enter__(self):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        self._bars = Progress(
            "{task.description}",
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._tasks = {}
        self._bars.start()
        return self._show

    def __exit__(self, *_):
        self._bars.stop()

    def _show(self, description, done, total):
        if description not in self._tasks:
            self._tasks[description] = self._bars.add_task(description, total=total)
        self._bars.update(self._tasks[description], completed=done)
