"""Training beside inference in an experiment and in the scale that it changes.

Tail latency (upper row) and training relative to a dedicated accelerator of the same budget (lower
row) over load, a column for each design, under the priority scheduler with adaptive batches; bands
are 95 % intervals over seeds. Where a point is missing, a queue grows without bound. Load is
relative to what saturates the design in question, so that lines that coincide stand for the same
conclusion on another machine.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._experiments import experiment_looks, in_all
from equinox.figures._lines import draw_line, log_if_wide, top_legend
from equinox.figures._select import REFERENCE_WORKLOAD, operating_points, require, with_interval
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("colocation_comparison",)

_ROWS = (  # column, label, factor from the table's unit to the axis'
    ("p99_latency_us", "p99 latency (µs)", 1.0),
    ("training_relative", "Training (% of dedicated)", 100.0),
)


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw p99 latency and relative training over load: a column a design, a color a run."""
    del published  # what is compared are two results of this evaluation
    require(points, "colocation_comparison", "any design")
    services = in_all(points, "workload")
    service = REFERENCE_WORKLOAD if REFERENCE_WORKLOAD in services else services[0]
    looks = experiment_looks(points["experiment"])
    of_service = points[points["workload"] == service]
    rows = pd.concat(  # each has arrivals of its own
        operating_points(mine, schedulings=("priority",), workload=service)
        for _, mine in of_service.groupby("experiment")
    )
    designs = ordered(rows["design"])
    figure = new_figure(PAGE_IN, 3.4)
    grid = figure.subplots(len(_ROWS), len(designs), sharex=True, sharey="row", squeeze=False)
    for line, (column, label, scale) in zip(grid, _ROWS, strict=True):
        for axes, design in zip(line, designs, strict=True):
            for name, style in looks.items():
                mine = rows[(rows["experiment"] == name) & (rows["design"] == design)]
                series = with_interval(mine, "load", column, scale=scale)
                if len(series):
                    draw_line(axes, series, style)
            axes.set(xlabel="", ylabel="")
        line[0].set_ylabel(label)
    log_if_wide(grid[0][0])
    grid[1][0].set_ylim(0, None)
    for upper, lower, design in zip(*grid, designs, strict=True):
        upper.set_title(f"{look(design).label}, {look(service).label}")
        lower.set_xlabel("Load (of saturation)")
    top_legend(figure, columns=len(looks))
    return figure
