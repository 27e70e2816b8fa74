"""`keras-roberta prepare`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import Corpus, Overwrite, check_corpus, check_tokenizer, expand_home
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.prepare_run import PrepareRunOptions


def prepare(
    corpus: Corpus,
    tokenizer: Annotated[
        str, Option(help="A tokenizer's directory, or hf://org/name.", callback=expand_home)
    ],
    out: Annotated[Path, Option(help="Directory for the shards.")],
    options: PrepareOptions,
    run: PrepareRunOptions,
    runner: Annotated[
        str | None, Option(help="Run by Apache Beam: DirectRunner, FlinkRunner, …")
    ] = None,
    runner_option: Annotated[
        list[str] | None, Option(help="One of Beam's own: --flink_master=host:8081. Repeat it.")
    ] = None,
    overwrite: Overwrite = False,
):
    """Tokenise a corpus into shards for pre-training.

    Example: keras-roberta prepare --corpus text/ --tokenizer tok/ --out shards/
    """
    if runner_option and runner is None:
        raise InputError("--runner-option is for a --runner of Apache Beam; name one")
    check_corpus(corpus)
    check_tokenizer(tokenizer)
    from keras_roberta.cli.printing import print_values
    from keras_roberta.cli.progress_bars import ProgressBars
    from keras_roberta.jobs.prepare.summary import summary

    if runner is None:
        from keras_roberta.jobs.prepare.one_machine import prepare

        with ProgressBars() as progress:
            prepare(
                corpus,
                tokenizer,
                out,
                options,
                overwrite=overwrite,
                processes=run.processes,
                progress=progress,
            )
    else:
        from keras_roberta.jobs.prepare import beam

        beam.prepare(
            corpus,
            tokenizer,
            out,
            options,
            overwrite=overwrite,
            runner=runner,
            runner_options=runner_option or (),
        )
    print_values({"shards": str(out), **summary(out, run.language_alpha)})
