"""Scheduling policies in the 500 us design.

Tail latency of inference and training throughput relative to a dedicated training accelerator,
over load; bands are 95 % intervals. The thesis chooses a hardware scheduler that gives
inference priority, so that its latency stays that of inference alone; fair sharing shows what
priority is worth.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, log_if_wide, top_legend
from equinox.figures._select import REFERENCE_DESIGN, operating_points, with_interval
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("operating_points",)


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw p99 latency and relative training throughput over load: a line per policy."""
    del published  # none is about another policy than priority
    rows = operating_points(points, design=REFERENCE_DESIGN)
    figure = new_figure(PAGE_IN, 2.5)
    left, right = figure.subplots(1, 2)
    for policy in ordered(rows["scheduling"]):
        mine = rows[rows["scheduling"] == policy]
        latency_us = with_interval(mine, "load", "p99_latency_us")
        if len(latency_us):  # without inference there is no latency
            draw_line(left, latency_us, look(policy))
        training = with_interval(mine, "load", "training_relative", scale=100)
        draw_line(right, training, look(policy))
        if len(training) == 1:  # training alone does not depend on load
            right.axhline(training["mean"].iloc[0], color=look(policy).color, linestyle="--")
    log_if_wide(left)
    left.set(xlabel="Load (share of saturation rate)", ylabel="99th-percentile latency (µs)")
    right.set(
        xlabel="Load (share of saturation rate)", ylabel="Training throughput (% of dedicated)"
    )
    right.set_ylim(0, None)
    top_legend(figure, columns=5, title=f"{look(REFERENCE_DESIGN).label} design")
    return figure
