"""Differences to FP32 as figures draw them: in points or %, with margin, interval and outcome."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equinox.figures._lines import entry
from equinox.figures._style import BLACK, GRAY, PAGE_IN, look, new_figure

_PANELS_A_ROW = 3
OUTCOMES = {  # outcome: marker, and whether it is filled
    "equivalent": ("o", True),
    "inconclusive": ("o", False),
    "different": ("X", True),
}


def panel_rows(tasks: int) -> int:
    """Return how many rows of panels `tasks` take."""
    return -(-tasks // _PANELS_A_ROW)


def panels_by_task(
    tasks: Sequence[str], encodings: Sequence[str], *, row_in: float
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure and its panels by task, each with a row of `row_in` for every encoding."""
    lines, columns = panel_rows(len(tasks)), min(len(tasks), _PANELS_A_ROW)
    figure = new_figure(PAGE_IN, 0.6 + lines * (0.75 + row_in * len(encodings)))
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in panels.flat[len(tasks) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(encodings)), [look(name).label for name in encodings])
        axes.set_ylim(len(encodings) - 0.5, -0.5)
        axes.set_ylabel("Encoding")
    return figure, dict(zip(tasks, panels.flat, strict=False))


def as_points(metric: str) -> str:
    """Return the unit of a difference of `metric`, which is 100 times that of the table."""
    return "%" if metric == "perplexity" else "points"


def draw_margin(axes: Axes, margin: float, *, vertical: bool) -> None:
    """Shade differences within ±`margin`, which do not matter: along x if `vertical`, else y."""
    span, line = (axes.axvspan, axes.axvline) if vertical else (axes.axhspan, axes.axhline)
    span(-margin, margin, color=GRAY, alpha=0.2, linewidth=0)
    line(0, color=BLACK, linewidth=0.7)


def draw_outcome(
    axes: Axes, row: pd.Series, place: float, pairs: pd.Series, *, color: str, end: float
) -> None:
    """Draw a row of table `equivalence` along x, at height `place`; beyond `end`, in words."""
    words = []
    if row["diverged"]:
        words.append(f"{row['diverged']} of {row['seeds']} diverged")
    else:
        value, low, high = (100 * row[name] for name in ("difference", "low", "high"))
        if value > end:
            words.append(f"+{value:.3g} →")
        else:
            axes.plot(pairs, [place] * len(pairs), ".", color=color, alpha=0.5, markersize=2.5)
            axes.hlines(place, low, high, color=color, linewidth=1.2)
            marker, filled = OUTCOMES[row["outcome"]]
            axes.plot(
                *(value, place, marker),
                color=color,
                markersize=4.5,
                markerfacecolor=color if filled else "white",
            )
    axes.annotate(
        *("  ".join(words), (0.98, place)),
        xycoords=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        fontsize=6,
    )


def outcome_handles(outcomes: Iterable[str]) -> list[Line2D]:
    """Return legend entries for the marks of `outcomes`."""
    drawn = set(outcomes)
    handles = []
    for name, (marker, filled) in OUTCOMES.items():
        if name in drawn:
            handle = entry(f"{name}", BLACK, linestyle="none", marker=marker)
            handle.set_markerfacecolor(BLACK if filled else "white")
            handles.append(handle)
    return handles
