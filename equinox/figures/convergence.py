"""Test error or perplexity over the epochs of training.

A line is the mean of the seeds of one encoding, the band its 90 % confidence interval, a cross the
last value of an encoding with diverged runs; a line that leaves its panel gets worse, a band that
does is of few seeds or of seeds that differ much. The thesis
states an accuracy similar to single precision; where that holds, hbfp8_16 follows the line of fp32.
Fashion-MNIST and the State of the Union addresses stand in for the data of the thesis.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from equinox.figures._lines import draw_line, top_legend
from equinox.figures._select import mean_intervals, of_several_tasks, require
from equinox.figures._style import PAGE_IN, look, metric, new_figure, ordered

TABLES = ("accuracy",)

_PANELS_A_ROW = 3
_ROOM = 1.3  # a panel ends at this multiple of fp32 after the first epoch


def plot(published: Mapping[str, float], accuracy: pd.DataFrame) -> Figure:
    """Draw the metric over epochs: a line per encoding, a panel per task."""
    del published  # its numbers are about final values on other data
    rows = of_several_tasks(require(accuracy, "accuracy", "any run"))
    tasks = ordered(rows["task"])
    lines = -(-len(tasks) // _PANELS_A_ROW)
    figure = new_figure(PAGE_IN, 0.8 + 2.0 * lines)
    panels = figure.subplots(lines, min(len(tasks), _PANELS_A_ROW), squeeze=False).flat
    for axes, task in zip(panels, tasks, strict=False):
        _draw_task(axes, rows[rows["task"] == task])
    for axes in panels[len(tasks) :]:
        axes.set_visible(False)
    top_legend(figure, columns=3)
    return figure


def _draw_task(axes: Axes, rows: pd.DataFrame) -> None:
    label, scale = metric(rows["metric"].iloc[0])
    for name in ordered(rows["encoding"]):
        mine = rows[rows["encoding"] == name]
        series = mean_intervals(mine, "epoch", "value", scale=scale)
        draw_line(axes, series, look(name))
        if (mine["status"] == "diverged").any() and len(series):
            end = (series.index[-1], series["mean"].iloc[-1])
            axes.plot(*end, color=look(name).color, marker="x", markersize=7)
    start = rows.loc[(rows["encoding"] == "fp32") & (rows["epoch"] == 1), "value"].max() * scale
    if axes.dataLim.y1 > _ROOM * start:  # a run that gets worse leaves the panel
        least = min(float(np.nanmin(line.get_ydata())) for line in axes.lines)
        axes.set_ylim(0.8 * least, _ROOM * start)
    axes.set_title(f"{look(rows['task'].iloc[0]).label}, {look(rows['dataset'].iloc[0]).label}")
    axes.set(xlabel="Training (epochs)", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
