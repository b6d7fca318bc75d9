"""Scheduling policies in the 500 µs design.

Tail latency of inference and training throughput relative to a dedicated training accelerator,
over load; bands are 95 % intervals, lines that coincide lie on wider ones, the dotted line is the
most training that the Equinox paper reports. The thesis chooses a hardware scheduler that gives
inference priority, so that its latency stays that of inference alone; fair sharing shows what
priority is worth.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._lines import (
    draw_line,
    log_if_wide,
    mark_level,
    mark_unbounded,
    top_legend,
    widths,
)
from equinox.figures._select import REFERENCE_DESIGN, operating_points, with_interval
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("operating_points",)
PUBLISHED = ("equinox.training_share",)


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw p99 latency and relative training throughput over load: a line per policy."""
    rows = operating_points(points, design=REFERENCE_DESIGN)
    figure = new_figure(PAGE_IN, 2.5)
    left, right = figure.subplots(1, 2)
    policies = ordered(rows["scheduling"])
    for policy, width in zip(policies, widths(len(policies)), strict=True):
        mine = rows[rows["scheduling"] == policy]
        latency_us = with_interval(mine, "load", "p99_latency_us")
        if len(latency_us):  # without inference there is no latency
            draw_line(left, latency_us, look(policy), width=width)
        training = with_interval(mine, "load", "training_relative", scale=100)
        draw_line(right, training, look(policy), width=width)
        if len(training) == 1:  # training alone does not depend on load
            right.axhline(training["mean"].iloc[0], color=look(policy).color, linestyle="--")
    mark_unbounded(left)
    log_if_wide(left)
    left.set(xlabel="Load (share of saturation rate)", ylabel="99th-percentile latency (µs)")
    right.set(xlabel="Load (share of saturation rate)", ylabel="Training (% of dedicated)")
    right.set_ylim(0, None)
    if "equinox.training_share" in published:
        level = published["equinox.training_share"]
        mark_level(right, level, f"published, priority: {level:g} %", above=False, right=True)
    top_legend(figure, columns=5, title=f"{look(REFERENCE_DESIGN).label} design")
    return figure
