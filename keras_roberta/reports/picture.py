"""A report as a picture: a panel for each curve and for each thing that was measured."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np
from matplotlib.ticker import MaxNLocator

from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.reports.contents import Curve, Report, Row
from keras_roberta.reports.headings import heading, score_names

_INK, _PALE, _MUTED = "#1f4e79", "#9dbbd8", "#666666"
_AROUND, _A_ROW, _OF_CURVES = 1.2, 0.4, 3.0  # heights in inches
_MOST_IN_A_ROW = 4
_FEW_POINTS = 20  # are marked
_MOST_LINES = 13  # of a curve, that can be told apart


@dataclasses.dataclass(frozen=True)
class _Bars:
    """A panel of bars; `ends` is where a thin line from the bar's end stops."""

    title: str
    form: str
    values: Sequence[float | None]
    ends: Sequence[float | None]


def draw(path: str | Path, report: Report):
    """Writes the `picture` as a PNG."""
    with atomic_file(path) as temporary:
        picture(report).savefig(temporary, dpi=150, format="png")


def picture(report: Report) -> matplotlib.figure.Figure:
    """A figure with a panel for each curve, then for each thing that was measured.

    Bars of models that are compared with a reference are dark, the others pale; of latencies a
    line runs from the median to the 95th percentile.
    """
    rows, bars = report.rows, _panels(report.rows)
    count = len(report.curves) + len(bars)
    num_columns = count if count <= _MOST_IN_A_ROW else math.ceil(count / 2)
    num_columns, num_lines = max(num_columns, 1), max(math.ceil(count / max(num_columns, 1)), 1)
    height = max(_AROUND + _A_ROW * len(rows), _OF_CURVES if report.curves else 0.0)
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(
        figsize=(1.5 + 2.9 * num_columns, height * num_lines), layout="constrained"
    )
    panels = list(figure.subplots(num_lines, num_columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.set_axis_off()
    for axes, curve in zip(panels, report.curves, strict=False):
        _draw_curve(axes, curve)
    for number, panel in enumerate(bars, len(report.curves)):
        # The first panel of a line, and the first of all, say which bar is whose.
        named = number % num_columns == 0 or number == len(report.curves)
        _draw_bars(panels[number], rows, panel, named, (height - _AROUND) / _A_ROW)
    if report.title:
        figure.suptitle(report.title, fontsize=11, x=0.01, ha="left")
    return figure


def _panels(rows: Sequence[Row]) -> list[_Bars]:
    agreement = [row.agreement for row in rows]
    change = [row.largest_change for row in rows]
    slow = [row.p95_ms or row.median_ms for row in rows]
    panels = [
        *(
            _plain_bars(heading(name), ".3f", [row.scores.get(name) for row in rows])
            for name in score_names(rows)
        ),
        _plain_bars("agreement with the reference", ".3f", agreement),
        # Where answers can be equal, the agreement says more.
        *([] if _any(agreement) else [_plain_bars("largest change", ".2g", change)]),
        _plain_bars("size (MB)", ".1f", [row.megabytes for row in rows]),
        _Bars("latency, one text (ms)", ".2f", [row.median_ms for row in rows], slow),
    ]
    return [panel for panel in panels if _any(panel.values)]


def _plain_bars(title, form, values):
    return _Bars(title, form, values, values)


def _any(values):
    return any(value is not None for value in values)


def _draw_curve(axes, curve: Curve):
    lines = list(curve.lines.items())[:_MOST_LINES]
    for number, (name, points) in enumerate(lines):
        x, y = zip(*points, strict=True) if points else ((), ())
        axes.plot(
            x,
            y,
            **_line_style(number, len(lines)),
            linewidth=1.5,
            marker="." if len(points) < _FEW_POINTS else None,
            label=name,
        )
    if len(lines) > 1:
        axes.legend(fontsize=7, frameon=False, ncols=1 + (len(lines) > 5))
    axes.set_title(curve.title, fontsize=9, loc="left")
    axes.set_xlabel(curve.x, fontsize=8, color=_MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    _plain(axes)


def _line_style(number, count):
    if count <= 2:
        return {"color": (_INK, "#c0504d")[number]}
    if number == 0:  # the training, to which the others are compared
        return {"color": _MUTED}
    return {"color": f"C{(number - 1) % 10}", "linestyle": "-" if number <= 10 else "--"}


def _draw_bars(axes, rows, panel: _Bars, named, room):
    # barh counts from the bottom.
    found, rows = panel.values[::-1], rows[::-1]
    values = np.array([_finite(value) for value in found])
    ends = np.array([_finite(value) for value in panel.ends[::-1]])
    colors = [_PALE if row.largest_change is None else _INK for row in rows]
    axes.barh(range(len(rows)), values, color=colors, height=0.65)
    axes.hlines(range(len(rows)), values, ends, color=_MUTED)
    for i, value in enumerate(found):
        text = "–" if value is None else format(value, panel.form)
        axes.annotate(
            text, (max(ends[i], 0), i), (3, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_ylim(len(rows) - 0.4 - max(room, len(rows) + 0.2), len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), map(_label, rows) if named else [""] * len(rows))
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.set_xlim(min(0, *values), 1.3 * max(0, *ends) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    _plain(axes)


def _finite(value):
    return value if value is not None and np.isfinite(value) else 0.0


def _label(row: Row):
    """A row's name, and under it the length and the threads that it was timed at."""
    length = row.sequence_length and f"{row.sequence_length} tokens"
    threads = row.threads and f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    return "\n".join(filter(None, [row.name, ", ".join(filter(None, [length, threads]))]))


def _plain(axes):
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=0)
    axes.yaxis.get_offset_text().set_fontsize(8)
