"""Training throughput over the load of inference, by service and design.

Relative to a dedicated training accelerator of the same budget, under the priority scheduler; each
service trains its own network. In the upper row incomplete batches issue after a service time, in
the lower one only full batches do; shaded bands are 95 % intervals over seeds, the dotted line is
the most that the Equinox paper reports. Padded batches and rows that a training batch leaves empty
are what is missing; the dedicated machine is the best for the LSTM, so that others may train more.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, mark_level, top_legend
from equinox.figures._select import operating_points, require, with_interval
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("operating_points",)
PUBLISHED = ("equinox.training_share",)

_BATCHINGS = ("adaptive", "full")


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw relative training throughput over load: a line per design, a column per service."""
    rows = operating_points(points, schedulings=("priority",), batching="", workload="")
    rows = rows[rows["batching"].isin(_BATCHINGS)]
    rows = require(rows, "operating_points", f"batching {' or '.join(_BATCHINGS)}")
    batchings, services = ordered(rows["batching"]), ordered(rows["workload"])
    figure = new_figure(PAGE_IN, 1.0 + 1.5 * len(batchings))
    grid = figure.subplots(len(batchings), len(services), sharex=True, sharey=True, squeeze=False)
    for line, batching in zip(grid, batchings, strict=True):
        for axes, service in zip(line, services, strict=True):
            mine = rows[(rows["batching"] == batching) & (rows["workload"] == service)]
            _draw_panel(axes, mine, published)
        line[0].set_ylabel(f"{look(batching).label}\n(% of dedicated)")
    for axes, service in zip(grid[0], services, strict=True):
        axes.set_title(look(service).label)
    grid[0][0].set_ylim(0, None)
    for axes in grid[-1]:
        axes.set_xlabel("Load (of saturation)")
    top_legend(figure, columns=4)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, published: Mapping[str, float]) -> None:
    for design in ordered(rows["design"]):
        mine = rows[rows["design"] == design]
        draw_line(axes, with_interval(mine, "load", "training_relative", scale=100), look(design))
    axes.set(xlabel="", ylabel="")  # outer panels get theirs
    if "equinox.training_share" in published:
        level = published["equinox.training_share"]
        mark_level(axes, level, f"published: {level:g} %", right=True)
