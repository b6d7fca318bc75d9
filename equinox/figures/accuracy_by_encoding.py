"""Final test error or perplexity by encoding.

A dot is a seed, the bar their range, the tick their mean, the dashed line the mean of fp32; an
arrow points at a mean beyond the axis. The HBFP paper reports that 8-bit mantissas with 16-bit
storage (hbfp8_16) end where fp32 does, within half a point. Fashion-MNIST stands in for CIFAR-100,
SVHN and ImageNet, and the State of the Union addresses for Penn Treebank: compare differences, not
values.
"""

from collections.abc import Mapping

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from equinox.figures._select import final_epochs, require, without_tile_variants
from equinox.figures._style import PAGE_IN, look, metric, new_figure, ordered

TABLES = ("accuracy",)


_ROOM = 1.6  # width of an axis with words at its right, over that without
_WIDEST = 1.6  # an axis ends at this multiple of the best mean; what is beyond gets an arrow


def plot(published: Mapping[str, float], accuracy: pd.DataFrame) -> Figure:
    """Draw the metric after the last epoch: a row per encoding, a panel per task."""
    del published  # its numbers are about other data
    runs = final_epochs(without_tile_variants(require(accuracy, "accuracy", "any run")))
    encodings = ordered(runs["encoding"])
    tasks = ordered(runs["task"])
    figure = new_figure(PAGE_IN, 0.7 + 0.2 * len(encodings))
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        of_task = runs[runs["task"] == task]
        label, scale = metric(of_task["metric"].iloc[0])
        _draw_task(axes, of_task.assign(value=of_task["value"] * scale), encodings)
        axes.set_title(f"{look(task).label}, {look(of_task['dataset'].iloc[0]).label}")
        axes.set_xlabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    panels[0].set_yticks(range(len(encodings)), [look(name).label for name in encodings])
    panels[0].set_ylim(len(encodings) - 0.5, -0.5)
    panels[0].set_ylabel("Encoding")
    return figure


def _draw_task(axes: Axes, runs: pd.DataFrame, encodings: list[str]) -> None:
    means = runs[runs["status"] == "ok"].groupby("encoding")["value"].mean().dropna()
    end = _WIDEST * means.min()
    for row, name in enumerate(encodings):
        mine = runs[runs["encoding"] == name]
        values = mine.loc[mine["status"] == "ok", "value"].dropna()
        notes = []
        if len(values) and means[name] < end:
            _draw_seeds(axes, name, row, values)
        elif len(values):
            notes.append(f"{means[name]:.3g} →")
        if diverged := int((mine["status"] == "diverged").sum()):
            notes.append(f"{diverged} of {len(mine)} diverged")
        axes.annotate(
            *("  ".join(notes), (0.99, row)),
            xycoords=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=6,
        )
    if "fp32" in means and means["fp32"] < end:
        axes.axvline(means["fp32"], color=look("fp32").color, linestyle="--", linewidth=0.7)
    axes.margins(x=0.08)
    if (means >= end).any():
        axes.set_xlim(None, max(end, axes.dataLim.x1))
    if (runs["status"] == "diverged").any():  # room for the words
        low, high = axes.get_xlim()
        axes.set_xlim(low, low + _ROOM * (high - low))


def _draw_seeds(axes: Axes, name: str, row: int, values: pd.Series) -> None:
    color, rows = look(name).color, [row] * len(values)
    seaborn.lineplot(x=values, y=rows, color=color, alpha=0.4, linewidth=2.5, ax=axes)
    seaborn.scatterplot(x=values, y=rows, color=color, s=9, linewidth=0, zorder=3, ax=axes)
    axes.vlines(values.mean(), row - 0.3, row + 0.3, color=color, linewidth=1.2)
