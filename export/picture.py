"""A comparison as a picture."""

import matplotlib.figure
import numpy as np
from matplotlib.ticker import MaxNLocator

from keras_roberta.files.atomic_write import atomic_file

_INK, _PALE, _MUTED = "#1f4e79", "#9dbbd8", "#666666"
_PANELS = {  # field of a `Row` -> title, format
    "accuracy": ("accuracy", ".3f"),
    "agreement": ("agreement with Keras", ".3f"),
    "megabytes": ("size (MB)", ".1f"),
    "median_ms": ("latency, one text (ms)", ".2f"),
}


def draw(path, rows, loss_curve=None, title=None):
    """Writes a PNG: one panel of bars for each thing measured, and the loss of pre-training.

    Args:
        path: the file to write.
        rows: list of `Row`. Those with an agreement are dark, a line runs from median to 95th
            percentile where there is one.
        loss_curve: pairs of step and loss, or None.
        title: a line above all, or None.
    """
    fields = [name for name in _PANELS if any(getattr(row, name) is not None for row in rows)]
    count = len(fields) + bool(loss_curve)
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(
        figsize=(1.5 + 2.9 * count, 1.2 + 0.4 * len(rows)), layout="constrained"
    )
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    if loss_curve:
        _curve(panels.pop(0), loss_curve)
    for axes, field in zip(panels, fields, strict=True):
        _bars(axes, rows, field, named=axes is panels[0])
    if title:
        figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def _curve(axes, points):
    steps, losses = zip(*points, strict=True)
    axes.plot(steps, losses, color=_INK, linewidth=1.5)
    axes.set_title("pre-training: masked LM loss", fontsize=9, loc="left")
    axes.set_xlabel("step", fontsize=8, color=_MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    _plain(axes)


def _bars(axes, rows, field, named):
    title, form = _PANELS[field]
    rows = rows[::-1]  # barh counts from the bottom
    found = [getattr(row, field) for row in rows]
    values = np.array([value or 0 for value in found])
    ends = values.copy()
    if field == "median_ms":
        ends = np.array([row.p95_ms or value for row, value in zip(rows, values, strict=True)])
    colors = [_PALE if row.agreement is None else _INK for row in rows]
    axes.barh(range(len(rows)), values, color=colors, height=0.65)
    axes.hlines(range(len(rows)), values, ends, color=_MUTED)
    for i, value in enumerate(found):
        text = "–" if value is None else format(value, form)
        axes.annotate(
            text, (max(ends[i], 0), i), (3, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(rows)), map(_label, rows) if named else [""] * len(rows))
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlim(min(0, *values), 1.3 * max(0, *ends) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    _plain(axes)


def _label(row):
    """A row's name, and under it the length and the threads that it was timed at."""
    length = row.sequence_length and f"{row.sequence_length} tokens"
    threads = row.threads and f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    return "\n".join(filter(None, [row.name, ", ".join(filter(None, [length, threads]))]))


def _plain(axes):
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=0)
