"""How often answers of like probability are right, as a picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.figure
import numpy as np

from keras_roberta.schemas.calibration import Reliability

_INK, _GAP, _PALE, _MUTED = "#1f4e79", "#e6a39a", "#9dbbd8", "#666666"


def draw_reliability(path: str | Path, panels: Mapping[str, Reliability], title: str) -> None:
    """Writes a PNG with a reliability diagram for each panel (Guo et al., 2017, figure 1).

    Above, a bar for each bin as high as the share of right answers, and in red the gap to the mean
    probability; below, how many answers the bin holds.

    Args:
        panels: by title.
    """
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(figsize=(3.6 * len(panels) + 0.4, 4.4), layout="constrained")
    columns = figure.subplots(2, len(panels), squeeze=False, sharex=True, height_ratios=(3, 1))
    for (name, found), above, below in zip(panels.items(), *columns, strict=True):
        _draw(above, below, name, found)
    columns[0][0].set_ylabel("share of right answers", fontsize=8)
    columns[1][0].set_ylabel("answers", fontsize=8)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.savefig(path, dpi=150, format="png")


def _draw(above, below, name, found):
    widths = found.upper - found.lower
    bars = {"align": "edge", "width": widths, "linewidth": 0.5, "edgecolor": "white"}
    above.bar(found.lower, found.accuracy, color=_PALE, **bars)
    low = np.minimum(found.accuracy, found.confidence)
    gaps = np.abs(found.accuracy - found.confidence)
    above.bar(found.lower, gaps, bottom=low, color=_GAP, alpha=0.7, label="gap", **bars)
    above.plot([0, 1], [0, 1], "--", color=_MUTED, linewidth=1)
    above.set(xlim=(0, 1), ylim=(0, 1))
    above.set_title(f"{name}calibration error {found.error:.3f}", fontsize=9, loc="left")
    above.legend(fontsize=8, frameon=False, loc="upper left")
    below.bar(found.lower, found.counts, color=_INK, **bars)
    below.set_xlabel("probability of the answer", fontsize=8)
    for axes in (above, below):
        axes.tick_params(labelsize=8, length=0)
        axes.spines[["top", "right"]].set_visible(False)
