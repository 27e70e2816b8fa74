"""The check that each export passes before its file appears: does it compute what Keras does?"""

import keras
import numpy as np

from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.masked_lm import RobertaMaskedLM
from keras_roberta.tasks.text_classifier import RobertaTextClassifier

# Largest |difference of a logit|, as a share of the largest |logit| over the rows of the check.
# Measured on fine-tuned and on random models of 6 and 12 layers: 3e-6, 1e-3, and 0.09 on sentences,
# 0.18 on random ids; a wrong graph or weight gives around 1.
BOUNDS = {"none": 1e-4, "float16": 1e-2, "int8": 0.35}

SENTENCES = (
    "a gem",
    "a mess from start to finish .",
    "The film is long, but its last half hour makes up for much of that.",
    "I would not send this back: it does what the page says, and it was here in two days.",
    "Größe und Gewicht stimmen, 3,5 Sterne für das Gerät 👍",
)


class ExportMismatch(RuntimeError):
    """An exported file does not do what it should; the message says how far it is off.

    No file is left behind. It is a fault of the exporter or of the model (weights that are not
    finite, or that 8 bits cannot hold), not of the caller.
    """


def verify(task, runner, quantization):
    """Compares a written file with its task on a handful of rows.

    The rows are a few sentences, where the task has a preprocessor, and random ids: the shortest
    text, a middle one and a full one for each length of the file. A file that has the tokenizer in
    it is given the sentences as they are, and texts that fill each length.

    Args:
        task: the task that was exported.
        runner: the `Runner` of the written file.
        quantization: key of `BOUNDS`.

    Raises:
        ExportMismatch: names the deviation and the bound, or the text that became other ids.
    """
    reference = float32_task(task)
    if runner.takes_text:
        texts = sample_texts(runner.metadata)
        rows = task.preprocessor.tokenizer.encode_batch(*texts, max_length=runner.max_length)
        outputs = runner.run_texts(*texts)
        ids = outputs.get("input_ids") if runner.fills_masks else outputs.get("token_ids")
        _check_ids(ids, rows, texts)
        _check_logits(outputs, rows, reference, quantization)
    if runner.takes_token_ids:
        rows = sample_rows(task, runner.lengths)
        features = as_features(rows, task.backbone.config.pad_token_id)
        _check_logits(runner.predict(features), rows, reference, quantization)


def _check_logits(outputs, rows, reference, quantization):
    if isinstance(reference, RobertaMaskedLM):
        found, expected = mask_logits(outputs, rows, reference)
    else:
        found = outputs["logits"]
        expected = np.concatenate([_keras_logits(reference, row) for row in rows])
    deviation = relative_deviation(found, expected)
    if not deviation <= BOUNDS[quantization]:  # also where it is NaN
        raise ExportMismatch(
            f"quantization {quantization!r}: logits are off by {deviation:.2g} of the largest one, "
            f"and the bound is {BOUNDS[quantization]:.2g}; nothing was written"
        )


def mask_logits(outputs, rows, reference):
    """The logits of the candidates for each mask, and what they should be.

    Args:
        outputs: of a runner.
        rows: lists of token ids.
        reference: `RobertaMaskedLM`

    Returns:
        two float arrays (masks, 2 * top_k). Found are the candidates' logits, twice; expected the
        task's logits of those candidates, and those of its own, so that both a wrong logit and a
        better token that was left out show.
    """
    found, expected = [], []
    mask_token_id = reference.preprocessor.tokenizer.mask_token_id
    answers = zip(outputs["token_ids"], outputs["logits"], strict=True)
    for row, (candidates, logits) in zip(rows, answers, strict=True):
        positions = np.flatnonzero(np.array(row) == mask_token_id)[: len(candidates)]
        if len(positions):
            top_k = candidates.shape[-1]
            true = _keras_logits(reference, row, positions)[0]  # (masks, vocabulary_size)
            same = np.take_along_axis(true, candidates[: len(positions)], -1)
            best = -np.partition(-true, range(top_k), axis=-1)[:, :top_k]
            expected.append(np.concatenate([same, best], -1))
            found.append(np.tile(logits[: len(positions)], 2))
    return np.concatenate(found), np.concatenate(expected)


def _check_ids(found, rows, texts):
    """`found`: list of int32 arrays, padded; None where a file does not tell."""
    for i, ids in enumerate(found or ()):
        if ids[: len(rows[i])].tolist() != rows[i]:
            text = " | ".join(side[i] for side in texts if side is not None)
            raise ExportMismatch(
                f"the tokenizer in the file makes other ids of {text[:50]!r} than the task's; "
                "nothing was written"
            )


def sample_texts(metadata):
    """Texts for the check, and their pairs or None: two lists of str."""
    texts = ["", " ", "\n\n two  lines\0", "a <mask> b", " <mask>  <mask>", *SENTENCES]
    for length in metadata["sequence_lengths"] or [metadata["max_sequence_length"]]:
        texts += [" ".join(SENTENCES * length)[: 3 * length], " \u65e5" * length]
    room = max(metadata["num_bytes"] or [10**6])  # what does not fit is cut, and has other ids
    texts = [text for text in texts if len(text.encode()) < room]
    return texts, texts[::-1] if metadata["pairs"] else None


def relative_deviation(logits, expected):
    """Largest difference, as a share of the largest expected value.

    >>> relative_deviation(np.array([[1.0, -2.0]]), np.array([[1.5, -2.0]]))
    0.25
    """
    return float(np.max(np.abs(logits - expected)) / max(np.max(np.abs(expected)), 1e-6))


def sample_rows(task, lengths):
    """Rows of token ids for the check, none longer than the longest of `lengths`."""
    config = task.backbone.config
    random = np.random.default_rng(0)
    rows = []
    for length in lengths:
        for count in (1, length // 2, length - 2):
            ids = random.integers(config.vocabulary_size, size=max(count, 0))
            if isinstance(task, RobertaMaskedLM):
                ids[::5] = task.preprocessor.tokenizer.mask_token_id
            rows.append([config.start_token_id, *ids.tolist(), config.end_token_id][:length])
    if task.preprocessor is not None:
        rows += task.preprocessor.tokenizer(list(SENTENCES), max_length=max(max(lengths), 3))
    return [row for row in rows if len(row) <= max(lengths)]


def as_features(rows, pad_token_id):
    """Rows of ids as `token_ids` and `padding_mask`, int32 (rows, longest)."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]  # (rows, longest)
    token_ids = np.full(mask.shape, pad_token_id, "int32")
    token_ids[mask] = np.concatenate(rows)
    return {"token_ids": token_ids, "padding_mask": mask.astype("int32")}


def float32_task(task):
    """The task itself, or a float32 copy where it computes in half precision.

    The exported graphs compute in float32, and half precision's own rounding is far coarser than
    the bounds.
    """
    if task.backbone.dtype_policy.compute_dtype == "float32":
        return task
    config = task.backbone.config
    backbone = RobertaBackbone(config, dtype="float32")
    if isinstance(task, RobertaMaskedLM):
        copy = RobertaMaskedLM(backbone, task.preprocessor)
    else:
        copy = RobertaTextClassifier(backbone, num_classes=task.num_classes)
    for source, target in (
        (task.backbone.weights_by_name(), copy.backbone.weights_by_name()),
        (task.head_weights_by_name(), copy.head_weights_by_name()),
    ):
        for name, variable in target.items():
            variable.assign(keras.ops.cast(source[name], "float32"))
    return copy


def _keras_logits(task, row, mask_positions=None):
    """Of one row, without any padding: (1, num_classes), or (1, masks, vocabulary_size)."""
    token_ids = np.array([row], "int32")
    inputs = {"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}
    for name in task.backbone.optional_inputs:
        inputs[name] = np.zeros_like(token_ids)
    if mask_positions is not None:
        inputs["mask_positions"] = np.array([mask_positions], "int32")
    return keras.ops.convert_to_numpy(task(inputs, training=False))
