"""Answers for texts with a model, on lines or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.output_checks import check_output_file
from keras_roberta.files.room import check_room
from keras_roberta.jobs.input_table import read_corpus, read_input_table
from keras_roberta.jobs.options.evaluate import GOES_WITH, PredictOptions
from keras_roberta.jobs.prediction_formats import FORMATS, ID, NO_IDS, format_of
from keras_roberta.jobs.predictor import open_predictor
from keras_roberta.options import OptionError


def predict(
    model: str | Path,
    texts: list[str] | tuple[list[str], list[str]] | None = None,
    options: PredictOptions | None = None,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Answers for texts.

    Args:
        model: see `open_predictor`.
        texts: a list, or a pair of lists, of which the second may hold the options of each
            question; left out with `data`.
        data: a table of texts instead; or a `.txt` file, see `read_input_table`.
        out: a file to write, in the format of its suffix or of the options; or None.

    Returns:
        list of dicts: the answer of the model's schema, with `all_scores` a dict of label and
        probability, then the `id` of a table's row where there is one, and what was asked: `text`,
        and `text_pair` where there is one; or what else the schema's `shown_inputs` gives. With a
        corpus `nearest` in place of an answer, see `keras_roberta.schemas.text_search.search`.

    Raises:
        InputError: names the file, column or option that does not fit.
    """
    options = options or PredictOptions()
    options.check_source(data)
    if out is None:
        return _rows(model, texts, options, data, options.format)
    format = format_of(out, options.format)
    check_output_file(out)
    with hold_output(out):
        check_room(out)
        rows = _rows(model, texts, options, data, format)
        lines = "".join(f"{line}\n" for line in FORMATS[format](rows))
        with atomic_file(out) as path:
            # Whole characters: a text may hold a half of a surrogate pair.
            path.write_text(lines, encoding="utf-8", errors="replace", newline="")
    return rows


def _rows(model, texts, options, data, format):
    table = None
    if data is not None:
        table = read_input_table(data, options.columns, labels=False).head(options.limit)
    if format == "json" and (table is None or ID not in table.columns):
        raise InputError(NO_IDS)
    corpus = None
    if options.corpus is not None:
        corpus = read_corpus(options.corpus, options.corpus_column, header=not options.no_header)
    predictor = open_predictor(model, options.tokenizer, options.threads)
    schema = predictor.schema
    if table is not None:
        texts = schema.read_inputs(table, options.columns)
    elif isinstance(texts, tuple):
        texts = tuple(part[: options.limit] for part in texts)
    else:
        texts = texts[: options.limit]
    if table is None:
        _check_options(schema, texts)
    if corpus is not None:
        rows = _nearest(predictor, texts, corpus, options)
    else:
        rows = _answers(predictor, texts, options, data)
    if table is not None and ID in table.columns:
        for row, number in zip(rows, table.column(ID), strict=True):
            row[ID] = number
    return [{**row, **shown} for row, shown in zip(rows, schema.shown_inputs(texts), strict=True)]


def _answers(predictor, texts, options, data):
    schema = predictor.schema
    outputs = predictor.outputs(texts, **_asked_besides(schema, options))
    try:
        schema.check_answered(texts, outputs)
    except InputError as error:
        raise InputError(str(error) if data is None else f"{data}: {error}") from None
    if options.threshold is not None:
        outputs = schema.at_threshold(outputs, options.threshold)
    rows = schema.answers(outputs)
    if options.all_scores:
        for row, scores in zip(rows, schema.all_scores(outputs), strict=True):
            row["all_scores"] = scores
    return rows


def _nearest(predictor, texts, corpus, options):
    """For each text the nearest texts of a corpus."""
    if predictor.search is None:
        raise OptionError("corpus", ": goes with a model that gives vectors; leave it out")
    return [{"nearest": hits} for hits in predictor.search(texts, corpus, options.top_k or 10)]


def _asked_besides(schema, options):
    """Arguments for what a model is asked for besides; see `Schema.asked_besides`."""
    values = {name: getattr(options, name) for name in GOES_WITH}
    given = {name: value for name, value in values.items() if value is not None}
    for name in given:
        if name not in schema.asked_besides:
            raise OptionError(name, f": goes with {GOES_WITH[name]}; leave it out")
    return given


def _check_options(schema, texts):
    """Raises where options or second texts are given that the model has no use for, or are not
    given though it needs them."""
    given = isinstance(texts, tuple) and bool(texts[1]) and not isinstance(texts[1][0], str)
    if given and not schema.takes_options:
        raise InputError(f"--option: the model gives {schema.name}, which has none; leave it out")
    if schema.takes_options and texts and all(isinstance(text, str) for text in texts):
        raise InputError("the model chooses: give each option as --option, or a table as --data")
    pairs = isinstance(texts, tuple) and bool(texts[1]) and not given
    if pairs and schema.takes_options:
        raise InputError("--text-pair: the model chooses of options; give each as --option")
    if pairs and not schema.takes_pairs:
        raise InputError(
            f"--text-pair: the model gives {schema.name}, of single texts; leave it out"
        )
    if schema.needs_pairs and texts and all(isinstance(text, str) for text in texts):
        raise InputError("the model reads two texts: give --text-pair, or a table as --data")
