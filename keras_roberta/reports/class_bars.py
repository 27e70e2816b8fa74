"""How well each class is found, as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure

from keras_roberta.schemas.metrics import ClassScores

_MOST_CLASSES = 40  # that are readable on a page
_LONGEST_NAME = 24
_F1, _MUTED = "#9dbbd8", "#666666"


def draw_classes(path: str | Path, classes: Sequence[ClassScores], title: str) -> None:
    """Writes a PNG: a bar for each class as long as its F1, marks at precision and recall.

    Of many classes those with the most texts, the most frequent first.
    """
    shown = sorted(classes, key=lambda one: -one.support)[:_MOST_CLASSES]
    if len(shown) < len(classes):
        title += f" (the {len(shown)} most frequent of {len(classes)} classes)"
    # The figure's own canvas, not pyplot: no window, no global state.
    figure = matplotlib.figure.Figure(figsize=(7, 1.4 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    places = range(len(shown))
    axes.barh(places, [one.f1 for one in shown], color=_F1, height=0.65, label="F1")
    for name, marker, values in (
        ("precision", "<", [one.precision for one in shown]),
        ("recall", ">", [one.recall for one in shown]),
    ):
        axes.plot(values, places, marker, markersize=4, color=_MUTED, label=name, clip_on=False)
    for place, one in zip(places, shown, strict=True):
        axes.annotate(
            f"{one.f1:.2f}", (0, place), (3, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(places, [_label(one) for one in shown], parse_math=False)
    axes.set_ylim(len(shown) - 0.4, -0.6)  # the first on top
    axes.set_xlim(0, 1)
    axes.tick_params(labelsize=8, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8, frameon=False, ncols=3, loc="outside lower right")
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.savefig(path, dpi=150, format="png")


def _label(one):
    name = one.label if len(one.label) <= _LONGEST_NAME else f"{one.label[: _LONGEST_NAME - 1]}…"
    return f"{name} ({one.support})"
