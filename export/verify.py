"""The check that each export passes before its file appears: does it answer as the task does?"""

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.export.check_offsets import check_offsets, check_whole_texts
from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.export.options import in_twos, names_in_twos, one_a_question
from keras_roberta.export.padded_rows import as_features, cut, in_batches
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.models.roberta_backbone import RobertaBackbone

SENTENCES = (
    "a gem",
    "a mess from start to finish .",
    "The film is long, but its last half hour makes up for much of that.",
    "I would not send this back: it does what the page says, and it was here in two days.",
    "Größe und Gewicht stimmen, 3,5 Sterne für das Gerät 👍",
)


def verify(task, runner, *, graph, scheme):
    """Compares a written file with its task on a handful of texts.

    The texts are ordinary sentences, texts that are mostly white space or masks, and texts as long
    as each signature. A file that takes token ids is given theirs, or random ones where the task
    has no tokenizer. The places of tokens in texts are compared where the file tells them. Where a
    scheme may change answers, the inference graph is compared before its
    conversion too, by the bound of exact computation: so a wrong graph does not pass as a coarse
    one.

    Args:
        task: the task that was exported.
        runner: the `Runner` of the written file.
        graph: the task's `TaskGraph`.
        scheme: the `QuantizationScheme` whose bound the file has to keep.

    Raises:
        ExportMismatch: says what changed by how much, on which text, and the bound; or which text
            became other ids.
    """
    named_outputs = float32_task(task).named_outputs
    schema = runner.schema
    if schema.takes_options:
        named_outputs = one_a_question(named_outputs)

    def by_length(run, rows):
        pad_token_id = task.backbone.config.pad_token_id
        outputs = in_batches(run, rows, pad_token_id, schema.ragged_outputs)
        return cut(outputs, schema.ragged_outputs, list(map(len, rows)))

    def in_answers(outputs):
        return in_twos(schema, outputs) if schema.takes_options else outputs

    checks = []
    if runner.takes_text:
        texts = sample_texts(runner.metadata)
        if schema.takes_options:
            texts = texts[0], [text or "-" for text in texts[1]]  # an empty option is not there
        firsts = [schema.prefix + text for text in texts[0]]
        rows = task.preprocessor.tokenizer.encode_batch(
            firsts, texts[1], max_length=runner.max_length
        )
        outputs = runner.run_texts(*texts)
        names = [" | ".join(side[i] for side in texts if side) for i in range(len(rows))]
        _check_ids(outputs.get(runner.metadata["ids_output"]), rows, names)
        tokenizer = task.preprocessor.tokenizer
        if graph.head.gives_offsets:
            check_offsets(outputs["offsets"], tokenizer, firsts, texts[1], runner.max_length)
        if schema.stride is not None:
            check_whole_texts(runner.tokenize, tokenizer, [*texts[0], long_text(runner.metadata)])
        checks.append((rows, names, runner.finish(outputs)))
    if runner.takes_token_ids:
        names, rows = sample_rows(task, graph.head, runner)
        features = as_features(rows, task.backbone.config.pad_token_id)
        checks.append((rows, names, runner.predict_rows(features)))
    for rows, names, found in checks:
        names = names_in_twos(names) if schema.takes_options else names
        expected = in_answers(by_length(named_outputs, rows))
        if scheme.bound != SCHEMES["none"].bound:
            check_bound(
                schema,
                in_answers(schema.finish(by_length(_run(graph), rows))),
                expected,
                names=names,
                bound=SCHEMES["none"].bound,
                what="the inference graph",
            )
        check_bound(
            schema,
            in_answers(found),
            expected,
            names=names,
            bound=scheme.bound,
            what=f"quantization {scheme.name!r}",
        )


def check_bound(schema, found, expected, *, names, bound, what):
    """Raises an ExportMismatch unless outputs are within a bound of the expected ones.

    Args:
        schema: what the outputs mean.
        found, expected: named outputs of the same texts, each (texts, ...).
        names: of the texts, for the message.
        bound: `Bound`
        what: was compared, for the message.
    """
    rows = [schema.compare(_rows(found, [i]), _rows(expected, [i])) for i in range(len(names))]
    change = schema.compare(found, expected).largest_change
    if not change <= bound.largest_change:  # also where it is NaN
        worst = max(range(len(rows)), key=lambda i: rows[i].largest_change)
        raise ExportMismatch(
            f"{what}: the answer to {_short(names[worst])} is off by {change:.2g}, and the bound "
            f"is {bound.largest_change:.2g}; nothing was written"
        )
    if rows[0].agreement is None:
        return
    mean = sum(row.largest_change for row in rows) / len(rows)
    if not mean <= bound.mean_change:
        raise ExportMismatch(
            f"{what}: the answers are off by {mean:.2g} on average, and the bound is "
            f"{bound.mean_change:.2g}; nothing was written"
        )
    differ = [
        i
        for i, row in enumerate(rows)
        if (row.agreement or 0) < 1 and row.largest_change > bound.largest_change / 2
    ]
    if not differ:
        return
    alike = [i for i, row in enumerate(rows) if row.agreement == 1]
    kept = sorted(alike + differ)  # the others were nearly tied
    share = schema.compare(_rows(found, kept), _rows(expected, kept)).agreement
    if share < bound.agreement:
        raise ExportMismatch(
            f"{what}: {share:.0%} of the sample texts are answered as before, and the bound is "
            f"{bound.agreement:.0%}; {_short(names[differ[0]])} is not; nothing was written"
        )


def sample_texts(metadata):
    """Texts for the check, and their pairs or None: two lists of str."""
    masked = [f"{text[: len(text) // 2]}<mask>{text[len(text) // 2 :]}" for text in SENTENCES]
    texts = ["", " ", "\n\n two  lines\0", "a <mask> b", " <mask>  <mask>", *SENTENCES, *masked]
    for length in metadata["sequence_lengths"] or [metadata["max_sequence_length"]]:
        texts += [" ".join(SENTENCES * length)[: 3 * length], " \u65e5" * length]
    room = max(metadata["num_bytes"] or [10**6])  # what does not fit is cut, and has other ids
    texts = [text for text in texts if len(text.encode()) < room]
    return texts, texts[::-1] if metadata["pairs"] else None


def long_text(metadata):
    """A text that a file reads in several parts, and its model in several windows."""
    most = (metadata["num_bytes"] or [0])[-1] + 10 * metadata["max_sequence_length"]
    return " ".join(SENTENCES * (1 + most // len(" ".join(SENTENCES))))


def sample_rows(task, head, runner):
    """Names of rows, and rows of token ids for the check, none longer than the file takes.

    They are those of `sample_texts`, or random ones where the task has no tokenizer.
    """
    if task.preprocessor is not None:
        pairs = runner.schema.needs_pairs
        names, seconds = sample_texts({**runner.metadata, "pairs": pairs})
        tokenizer = task.preprocessor.tokenizer
        return names, tokenizer.encode_batch(names, seconds, max_length=runner.max_length)
    config = task.backbone.config
    random = np.random.default_rng(0)
    names, rows = [], []
    for length in runner.lengths:
        for count in sorted({1, length // 2, length - 2}):
            ids = head.sample_ids(random.integers(config.vocabulary_size, size=count))
            names.append(f"{count} random token ids")
            rows.append([config.start_token_id, *ids.tolist(), config.end_token_id])
    return names, rows


def float32_task(task):
    """The task itself, or a float32 copy where it computes in half precision.

    The exported graphs compute in float32, and half precision's own rounding is far coarser than
    the bounds.
    """
    if task.backbone.dtype_policy.compute_dtype == "float32":
        return task
    settings = task.get_config()
    for of_keras in ("backbone", "preprocessor", "dtype"):
        settings.pop(of_keras, None)
    copy = type(task)(
        backbone=RobertaBackbone(task.backbone.config, dtype="float32"),
        preprocessor=task.preprocessor,
        **settings,
    )
    for source, target in (
        (task.backbone.weights_by_name(), copy.backbone.weights_by_name()),
        (task.head_weights_by_name(), copy.head_weights_by_name()),
    ):
        for name, variable in target.items():
            variable.assign(keras.ops.cast(source[name], "float32"))
    return copy


def _run(graph):
    """The graph as a function of features in numpy, run operation by operation."""

    def run(features):
        inputs = {name: tf.constant(value) for name, value in features.items()}
        return {name: value.numpy() for name, value in graph(**inputs).items()}

    return run


def _check_ids(found, rows, names):
    """`found`: list of int32 arrays, padded; None where a file does not tell."""
    for i, ids in enumerate(found if found is not None else ()):
        if ids[: len(rows[i])].tolist() != list(rows[i]):
            raise ExportMismatch(
                f"the tokenizer in the file makes other ids of {_short(names[i])} than the "
                "task's; nothing was written"
            )


def _rows(outputs, indices):
    """Some rows of named outputs."""
    return {
        name: value[indices] if isinstance(value, np.ndarray) else [value[i] for i in indices]
        for name, value in outputs.items()
    }


def _short(name):
    return repr(name if len(name) <= 50 else f"{name[:49]}…")
