"""A comparison as a picture."""

import matplotlib.figure
from matplotlib.ticker import MaxNLocator

from keras_roberta.atomic_write import atomic_file

_INK, _PALE, _MUTED = "#1f4e79", "#9dbbd8", "#666666"


def draw(path, rows, loss_curve=None, title=None):
    """Writes a PNG: accuracy, size and latency of each model, and the loss of pre-training.

    Args:
        path: the file to write.
        rows: list of `Measured`.
        loss_curve: pairs of step and loss, or None.
        title: a line above all, or None.
    """
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(figsize=(13 if loss_curve else 10, 3.4), layout="constrained")
    panels = figure.subplots(1, 4 if loss_curve else 3)
    if loss_curve:
        _curve(panels[0], loss_curve)
    accuracy, size, latency = panels[-3:]
    _bars(accuracy, rows, "accuracy", "accuracy", ".3f", named=True)
    _bars(size, rows, "megabytes", "size (MB)", ".1f")
    _bars(latency, rows, "milliseconds", "latency, one text (ms)", ".2f")
    accuracy.set_xlim(0, 1.2)
    accuracy.set_xticks([0, 0.5, 1])
    if title:
        figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _curve(axes, points):
    steps, losses = zip(*points, strict=True)
    axes.plot(steps, losses, color=_INK, linewidth=1.5)
    axes.set_title("pre-training: masked LM loss", fontsize=9, loc="left")
    axes.set_xlabel("step", fontsize=8, color=_MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    _plain(axes)


def _bars(axes, rows, field, title, form, named=False):
    rows = rows[::-1]  # barh counts from the bottom
    found = [getattr(row, field) for row in rows]
    values = [value or 0 for value in found]
    colors = [_PALE if row.agreement is None else _INK for row in rows]
    bars = axes.barh(range(len(rows)), values, color=colors, height=0.65)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    texts = ["–" if value is None else format(value, form) for value in found]
    axes.bar_label(bars, texts, padding=3, fontsize=8)
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlim(0, 1.3 * max(values, default=1) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    if not named:
        axes.set_yticklabels([])
    _plain(axes)


def _plain(axes):
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=0)
