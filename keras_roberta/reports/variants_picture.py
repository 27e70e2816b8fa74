"""The exports of a search, as a picture: score against size, and against time."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib.figure

from keras_roberta.reports.headings import heading
from keras_roberta.reports.variants import Search, Variant

_INK, _CHOSEN, _MUTED = "#1f4e79", "#c0504d", "#666666"


def draw_variants(path: str | Path | BytesIO, search: Search) -> None:
    """Writes a PNG with a point for each file, the chosen one in red.

    A horizontal line is the task in Keras; dashed lines are the limits; a thin line joins the
    files of which no other is smaller and as good.
    """
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(figsize=(9, 3.6), layout="constrained")
    sizes, times = figure.subplots(1, 2, sharey=True)
    measured = [one for one in search.variants if one.row is not None]
    line = [(one.row.megabytes, _score(search, one)) for one in search.frontier]
    sizes.plot(*zip(*line, strict=True), color=_MUTED, linewidth=0.8, zorder=1)
    _draw_points(sizes, search, measured, [one.row.megabytes for one in measured])
    _draw_points(times, search, measured, [one.row.median_ms for one in measured])
    budget, reference = search.budget, search.reference.scores[search.score]
    for axes, limit, unit in ((sizes, budget.max_mb, "MB"), (times, budget.max_ms, "ms, one text")):
        right = max([*(x for line in axes.lines for x in line.get_xdata()), limit or 0])
        axes.set_xlim(0, 1.4 * right)  # room for the names
        axes.margins(y=0.15)
        axes.axhline(reference, color=_MUTED, linewidth=0.8)
        axes.annotate("Keras", (1.4 * right, reference), fontsize=8, ha="right", va="bottom")
        if budget.max_drop is not None:
            lowest = reference - budget.max_drop / search.points
            axes.axhline(lowest, color=_CHOSEN, linewidth=0.8, linestyle="--")
        if limit is not None:
            axes.axvline(limit, color=_CHOSEN, linewidth=0.8, linestyle="--")
        axes.set_xlabel(unit, fontsize=8)
        axes.tick_params(labelsize=8, length=0)
        axes.spines[["top", "right"]].set_visible(False)
    sizes.set_ylabel(heading(search.score), fontsize=8)
    figure.suptitle(search.title, fontsize=11, x=0.01, ha="left")
    figure.savefig(path, dpi=150, format="png")


def _draw_points(axes, search: Search, measured: Sequence[Variant], places: Sequence[float]):
    for one, place in zip(measured, places, strict=True):
        is_chosen = one == search.chosen
        score = _score(search, one)
        axes.plot(place, score, "o", markersize=6, color=_CHOSEN if is_chosen else _INK)
        axes.annotate(
            one.name, (place, score), (5, 4), textcoords="offset points", fontsize=8,
            parse_math=False,
        )  # fmt: skip


def _score(search, variant):
    return variant.row.scores[search.score]
