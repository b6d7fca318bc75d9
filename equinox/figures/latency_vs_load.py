"""Tail latency of inference over load, by design.

Solid lines share the machine with training under the priority scheduler, dashed black lines run
inference alone; bands are 95 % intervals, batches are adaptive. The thesis states that
training does not affect inference tail latency: the lines should coincide. The dotted line is the
service time of the thesis' main design, for the service that it is about.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._lines import (
    draw_line,
    entry,
    log_if_wide,
    mark_level,
    mark_unbounded,
    top_legend,
)
from equinox.figures._select import (
    REFERENCE_DESIGN,
    REFERENCE_WORKLOAD,
    named_limits_us,
    operating_points,
    require,
    with_interval,
)
from equinox.figures._style import BLACK, COLUMN_IN, look, new_figure, ordered

TABLES = ("operating_points",)


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw p99 latency over load: a color per design, dashed where inference runs alone."""
    del published  # the thesis' statement on latency is in words
    rows = operating_points(points, schedulings=("priority", "inference_only"))
    rows = require(rows.dropna(subset=["p99_latency_us"]), "operating_points", "a p99_latency_us")
    designs = ordered(rows["design"])
    figure = new_figure(COLUMN_IN, 3.0)
    axes = figure.subplots()
    for design in designs:
        of_design = rows[rows["design"] == design]
        shared = of_design[of_design["scheduling"] == "priority"]
        draw_line(axes, with_interval(shared, "load", "p99_latency_us"), look(design))
        alone = of_design[of_design["scheduling"] == "inference_only"]
        mean_us = with_interval(alone, "load", "p99_latency_us")["mean"]
        axes.plot(mean_us.index, mean_us, color=BLACK, linestyle="--", linewidth=0.8, zorder=3)
    mark_unbounded(axes)
    if (rows["workload"] == REFERENCE_WORKLOAD).any():  # the thesis has it for no other service
        target = named_limits_us(pd.Series([REFERENCE_DESIGN]))[REFERENCE_DESIGN]
        mark_level(axes, target, f"service time target {target:g} µs", above=False)
    log_if_wide(axes)
    axes.set(xlabel="Load (share of saturation rate)", ylabel="99th-percentile latency (µs)")
    handles = [entry(look(d).label, look(d).color, marker=look(d).marker) for d in designs]
    handles.append(entry(look("inference_only").label, BLACK, linestyle="--"))
    top_legend(figure, columns=3, handles=handles)
    return figure
