"""Parts that several figures draw: lines with intervals, marked values, legends, log axes."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.typing import LineStyleType

from equinox.figures._style import BLACK, Look

_WIDE = 4.0  # a log axis has enough round numbers to label from this ratio of its ends on


def draw_line(axes: Axes, series: pd.DataFrame, look: Look, *, width: float | None = None) -> None:
    """Draw mean over the index of `series`, with a band from low to high.

    Where lines may coincide, each has a smaller `width` (pt) than those drawn before: `widths`.
    """
    seaborn.lineplot(
        x=series.index,
        y=series["mean"],
        color=look.color,
        marker=look.marker,
        markersize=None if width is None else 2.5 + width,
        linewidth=width,
        markeredgewidth=0,
        label=look.label,
        legend=False,
        ax=axes,
    )
    axes.fill_between(
        series.index, series["low"], series["high"], color=look.color, alpha=0.2, linewidth=0
    )


def widths(count: int) -> list[float]:
    """Return the widths (pt) of `count` lines of which the later ones may cover the earlier."""
    return [1.2 + 0.6 * (count - 1 - index) for index in range(count)]


def mark_level(
    axes: Axes, value: float, text: str, *, above: bool = True, right: bool = False
) -> None:
    """Draw a dotted horizontal line at `value`, named at its left or right end."""
    axes.axhline(value, color=BLACK, linestyle=":", linewidth=0.8, zorder=1)
    if axes.get_ylim()[1] < value:  # where the limits of the axis are set already
        axes.set_ylim(top=1.05 * value)
    axes.annotate(
        text,
        (0.98 if right else 0.02, value),
        xycoords=axes.get_yaxis_transform(),
        ha="right" if right else "left",
        xytext=(0, 1.5 if above else -1.5),
        textcoords="offset points",
        va="bottom" if above else "top",
        fontsize=6,
    )


def mark_unbounded(axes: Axes) -> None:
    """Say so where no finite latency was drawn: queues grow at every load."""
    if not any(np.size(line.get_ydata(orig=True)) for line in axes.get_lines()):
        axes.text(
            *(0.5, 0.75, "grows without bound\nat every load"),
            transform=axes.transAxes,
            ha="center",
            va="center",
        )


def plain_numbers() -> FuncFormatter:
    """Return a formatter that writes 1000, not 10 to the 3, on a log axis."""
    return FuncFormatter(lambda value, _: f"{value:g}")


def log_if_wide(axes: Axes) -> None:
    """Make the y axis logarithmic, labeled in plain numbers, if what is drawn spans enough.

    What panels that share the axis draw counts.
    """
    drawn = [panel.dataLim.intervaly for panel in axes.get_shared_y_axes().get_siblings(axes)]
    low, high = min(ends[0] for ends in drawn), max(ends[1] for ends in drawn)
    if low <= 0 or high < _WIDE * low:
        return
    axes.set_yscale("log")
    fine = (1, 2, 3, 5, 7) if high < 20 * low else (1, 2, 5)
    axes.yaxis.set_major_locator(LogLocator(subs=fine if high < 200 * low else (1,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(plain_numbers())


def entry(
    label: str, color: str, *, linestyle: LineStyleType = "-", marker: str = "none"
) -> Line2D:
    """Return a legend entry that no drawn line has by itself."""
    return Line2D([], [], color=color, linestyle=linestyle, marker=marker, label=label)


def top_legend(
    figure: Figure, *, columns: int, title: str = "", handles: Iterable[Artist] = ()
) -> None:
    """Name every labeled line once, or `handles`, above all panels."""
    entries: dict[str, Artist] = {str(handle.get_label()): handle for handle in handles}
    if not entries:
        for axes in figure.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                entries.setdefault(label, handle)
    figure.legend(
        handles=list(entries.values()),
        labels=list(entries),
        loc="outside upper center",
        ncols=columns,
        title=title or None,
        title_fontsize=7.5,
    )
