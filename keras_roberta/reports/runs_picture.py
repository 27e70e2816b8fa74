"""The scores of several training runs, as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np

from keras_roberta.reports.headings import heading

_INK, _PALE = "#1f4e79", "#9dbbd8"


def draw_runs(
    path: str | Path, settings: Sequence[tuple[str, Sequence[float]]], score: str, title: str
) -> None:
    """Writes a PNG with a column for each setting.

    In it is a dot for each of its runs, a line at their mean and a bar one standard deviation to
    either side.

    Args:
        settings: pairs of a name and the scores of its runs; those that are no number are left out.
        score: what was measured.
    """
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(
        figsize=(2.5 + 0.9 * len(settings), 3.2), layout="constrained"
    )
    axes = figure.subplots()
    axes.use_sticky_edges = False  # bars would end the axis at a dot
    axes.margins(y=0.1)
    for place, (_, scores) in enumerate(settings):
        values = np.array([value for value in scores if np.isfinite(value)])
        if not len(values):
            continue
        mean, spread = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
        axes.bar(place, 2 * spread, bottom=mean - spread, width=0.5, color=_PALE, alpha=0.5)
        axes.hlines(mean, place - 0.25, place + 0.25, color=_INK)
        # Side by side, so that runs of one score are seen.
        shift = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else 0.0
        axes.plot(place + shift, values, "o", markersize=5, color=_INK, alpha=0.8)
    axes.set_xticks(range(len(settings)), [name for name, _ in settings])
    axes.set_xlim(-0.6, len(settings) - 0.4)
    axes.set_ylabel(heading(score), fontsize=8)
    axes.set_xlabel("learning rate", fontsize=8)
    axes.tick_params(labelsize=8, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.savefig(path, dpi=150, format="png")
