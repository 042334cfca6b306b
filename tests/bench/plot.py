"""Plot of the figures: each relative to its goal, with the spread of its runs."""

from __future__ import annotations

import pathlib
import re

import matplotlib

matplotlib.use("svg")
# Equal figures give equal drawings, and the text of a drawing can be searched.
matplotlib.rcParams.update({"svg.hashsalt": "cruntime", "svg.fonttype": "none", "font.size": 9})

from lab import Figure
from matplotlib import pyplot

_MET, _MISSED = "#2a7f62", "#b5483a"


def plot(figures: list[Figure], path: pathlib.Path) -> None:
    """Draw each figure relative to its goal: 1 is the goal."""
    rows = [(figure, *_goal(figure)) for figure in reversed(figures)]
    canvas, axes = pyplot.subplots(figsize=(9, 0.32 * len(rows) + 1), layout="constrained")
    for place, (figure, at_least, goal) in enumerate(rows):
        parts = [goal / value if at_least else value / goal for value in figure.values if value]
        middle = goal / figure.median if at_least else figure.median / goal
        axes.barh(place, middle, color=_MET if middle <= 1 else _MISSED, height=0.6)
        if len(parts) > 1:
            axes.plot([min(parts), max(parts)], [place, place], color="black", linewidth=1)
    axes.axvline(1, color="black", linewidth=1, linestyle="dashed")
    axes.set_yticks(range(len(rows)), [f"{row[0].name}  ({row[0].unit})" for row in rows])
    axes.set_xlabel("part of what the goal allows; the line: least and most of the runs")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, metadata={"Date": None})


def _goal(figure: Figure) -> tuple[bool, float]:
    """Return whether the goal is a minimum, and its value."""
    comparison, number = re.fullmatch(r"(<=|>=) ([\d.]+)", figure.goal).groups()
    return comparison == ">=", float(number)
