"""Batching policies in the 500 us design.

Tail latency and the share of cycles that training gets, over load, under the priority scheduler;
bands are the range of seeds. Requests wait long for a full batch when load is low; adaptive
batching, as in the Equinox paper, issues an incomplete batch instead and pays for it with padding.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, log_if_wide, top_legend
from equinox.figures._select import REFERENCE_DESIGN, operating_points, over_seeds
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("colocation",)


def plot(published: Mapping[str, float], colocation: pd.DataFrame) -> Figure:
    """Draw p99 latency and training's share of cycles over load: a line per batching policy."""
    del published  # none is about batching
    rows = operating_points(
        colocation, schedulings=("priority",), batching="", design=REFERENCE_DESIGN
    )
    figure = new_figure(PAGE_IN, 2.4)
    left, right = figure.subplots(1, 2)
    for policy in ordered(rows["batching"]):
        mine = rows[rows["batching"] == policy]
        draw_line(left, over_seeds(mine, "load", "p99_latency_us"), look(policy))
        draw_line(right, over_seeds(mine, "load", "training_share", scale=100), look(policy))
    log_if_wide(left)
    left.set(xlabel="Load (share of saturation rate)", ylabel="99th-percentile latency (µs)")
    right.set(xlabel="Load (share of saturation rate)", ylabel="MMU cycles for training (%)")
    right.set_ylim(0, None)
    title = f"{look(REFERENCE_DESIGN).label} design, priority scheduler"
    top_legend(figure, columns=4, title=title)
    return figure
