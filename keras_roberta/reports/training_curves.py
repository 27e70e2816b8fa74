"""What a training run leaves behind, as a report: its curves and its last scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_roberta.reports.contents import Curve, Report, Row
from keras_roberta.reports.headings import heading

_VALIDATION = "val_"  # Keras's prefix
_MOST_LANGUAGES = 12  # lines that can be told apart


def finetuning_report(
    history: Sequence[Mapping[str, float]],
    scores: Mapping[str, float | None] | None = None,
    *,
    name: str = "model",
    title: str | None = None,
    facts: Mapping[str, object] | None = None,
) -> Report:
    """The report of a fine-tuning.

    Args:
        history: a dict an epoch, of `epoch` and what Keras reports: `loss`, the metrics, and the
            same with "val_" in front on the dev data.
        scores: of the model on the dev data, as its schema's `scores` gives them; or None.
        name: of the model.
        facts: more for the JSON file.
    """
    names = list(dict.fromkeys(key.removeprefix(_VALIDATION) for row in history for key in row))
    curves = []
    for metric in names:
        if metric in ("epoch", "learning_rate"):
            continue
        lines = {
            "training": _points(history, metric),
            "dev": _points(history, _VALIDATION + metric),
        }
        lines = {name: points for name, points in lines.items() if points}
        name_of_curve = heading(metric)
        if list(lines) == ["dev"]:  # a line by itself has no legend
            name_of_curve += ", dev"
        curves.append(Curve(name_of_curve, lines, x="epoch"))
    rows = [Row(name, dict(scores))] if scores else []
    return Report(title, rows, curves, dict(facts or {}))


def pretraining_report(
    log: Sequence[Mapping[str, str]],
    evaluations: Sequence[Mapping[str, str]],
    title: str | None = None,
) -> Report:
    """The training loss, the held-out loss of each language, and the learning rate.

    Args:
        log, evaluations: rows of the run's tables, as `CsvLog.rows` gives them.
    """
    lines = {"training": _points(log, "loss", "step")}
    languages = list(dict.fromkeys(row["language"] for row in evaluations))[:_MOST_LANGUAGES]
    for language in languages:
        rows = [row for row in evaluations if row["language"] == language]
        lines[f"held out, {language}"] = _points(rows, "loss", "step")
    rate = {"learning rate": _points(log, "learning_rate", "step")}
    return Report(title, curves=[Curve("loss", lines), Curve("learning rate", rate)])


def _points(rows, name, x="epoch"):
    return [(int(row[x]), float(row[name])) for row in rows if name in row]
