"""Batching policies in the 500 µs design.

Tail latency and the share of cycles that training gets, over load, under the priority scheduler;
shaded bands are 95 % intervals over seeds, and lines that coincide lie on wider ones. Requests wait
long for a full batch when load is low; adaptive batching, as in the Equinox paper, issues an
incomplete batch instead and pays for it with padding. A request of a recurrent network is one row
of the array, so that an incomplete batch takes as long as a full one; an image has many rows, and a
batch of few images can be shortened.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, log_if_wide, top_legend, widths
from equinox.figures._select import REFERENCE_DESIGN, operating_points, with_interval
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("operating_points",)

_SERVICES = ("lstm_2048_25", "resnet50")


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw p99 latency and training's share of cycles: a line per batching, a row per service."""
    del published  # none is about batching
    rows = operating_points(
        points, schedulings=("priority",), batching="", design=REFERENCE_DESIGN, workload=""
    )
    shown = [name for name in _SERVICES if name in set(rows["workload"])]
    services = shown or ordered(rows["workload"])[:1]
    figure = new_figure(PAGE_IN, 0.8 + 1.7 * len(services))
    grid = figure.subplots(len(services), 2, sharex=True, squeeze=False)
    for (left, right), service in zip(grid, services, strict=True):
        _draw_service(left, right, rows[rows["workload"] == service])
        left.set_ylabel(f"{look(service).label}: p99 latency (µs)")
        right.set_ylabel("MMU cycles for training (%)")
    for axes in grid[-1]:
        axes.set_xlabel("Load (share of saturation rate)")
    title = f"{look(REFERENCE_DESIGN).label} design, priority scheduler"
    top_legend(figure, columns=4, title=title)
    return figure


def _draw_service(left: Axes, right: Axes, rows: pd.DataFrame) -> None:
    names = ordered(rows["batching"])
    for batching, width in zip(names, widths(len(names)), strict=True):
        mine = rows[rows["batching"] == batching]
        latency_us = with_interval(mine, "load", "p99_latency_us")
        draw_line(left, latency_us, look(batching), width=width)
        training = with_interval(mine, "load", "training_share", scale=100)
        draw_line(right, training, look(batching), width=width)
    log_if_wide(left)
    right.set_ylim(0, None)
    for axes in (left, right):
        axes.set_xlabel("")  # the lowest panels get theirs
