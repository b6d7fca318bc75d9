"""Tail latency against the throughput that inference reaches, up to saturation.

A line is a design with the priority scheduler and adaptive batches, bands are 95 % intervals over
seeds; a dotted line is where full batches back to back saturate it. Further right serves more
requests with one machine, further down serves them sooner. The thesis' point is the distance
between the latency-optimal design and that of 500 µs.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, log_if_wide, top_legend
from equinox.figures._select import operating_points, require, with_interval
from equinox.figures._style import COLUMN_IN, look, new_figure, ordered

TABLES = ("operating_points", "designs")

_TERA = 1e12


def plot(published: Mapping[str, float], points: pd.DataFrame, designs: pd.DataFrame) -> Figure:
    """Draw p99 latency over inference throughput: a color per design."""
    del published  # the ratio of throughputs is in the sensitivity figure
    rows = operating_points(points, schedulings=("priority",))
    rows = require(rows.dropna(subset=["p99_latency_us"]), "operating_points", "a p99_latency_us")
    encoding = rows["encoding"].iloc[0]
    known = designs[designs["encoding"] == encoding]
    limits = require(known, "designs", f"encoding {encoding}").set_index("design")
    saturation = limits["throughput_op_per_s"] / _TERA
    figure = new_figure(COLUMN_IN, 3.0)
    axes = figure.subplots()
    for design in ordered(rows["design"]):
        mine = rows[rows["design"] == design]
        series = with_interval(mine, "load", "p99_latency_us")
        reached = mine.groupby("load")["inference_op_per_s"].mean() / _TERA
        draw_line(axes, series.set_axis(reached.loc[series.index].to_numpy()), look(design))
        if design in saturation:
            most = float(saturation[design])
            axes.axvline(most, color=look(design).color, linestyle=":", linewidth=0.9, zorder=1)
    log_if_wide(axes)
    axes.set_xlim(0, None)
    axes.set(xlabel="Inference throughput (TOp/s)", ylabel="99th-percentile latency (µs)")
    top_legend(figure, columns=2)
    return figure
