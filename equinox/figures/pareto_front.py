"""Inference throughput against the service time of a full batch.

A line is the front of one encoding: designs that no other beats in both; markers are the named
designs, dotted lines the limits that two of them are named after. The thesis states that relaxing
latency, with arrays optimized for batching, reaches near-optimal throughput within the same area
and power.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equinox.figures._lines import entry, plain_numbers, top_legend
from equinox.figures._select import REFERENCE_ENCODING, most_frequent, named_limits_us, require
from equinox.figures._style import BLACK, COLUMN_IN, GRAY, look, new_figure, ordered

TABLES = ("pareto", "designs")

_TERA = 1e12


def plot(published: Mapping[str, float], pareto: pd.DataFrame, designs: pd.DataFrame) -> Figure:
    """Draw throughput over service time: a front per encoding, a marker per named design."""
    del published  # its throughputs are ratios, which the sensitivity figure shows
    require(pareto, "pareto", "any encoding")
    figure = new_figure(COLUMN_IN, 3.0)
    axes = figure.subplots()
    for encoding in ordered(pareto["encoding"]):
        front = pareto[pareto["encoding"] == encoding].sort_values("service_time_us")
        throughput = front["throughput_op_per_s"] / _TERA
        style = look(encoding)
        axes.step(
            *(front["service_time_us"], throughput),
            where="post",
            color=style.color,
            label=style.label,
        )
    for limit_us in named_limits_us(designs["design"]).values():
        axes.axvline(limit_us, color=GRAY, linestyle=":", linewidth=0.8, zorder=1)
        axes.annotate(
            *(f"{limit_us:g} µs", (limit_us, 1)),
            xycoords=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=6,
        )
    names = _mark_designs(axes, designs[designs["encoding"].isin(pareto["encoding"])])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(plain_numbers())
    axes.set_ylim(0, None)
    axes.margins(x=0.06)
    axes.set(xlabel="Service time of a full batch (µs)", ylabel="Inference throughput (TOp/s)")
    handles = [*axes.get_legend_handles_labels()[0], *names]
    top_legend(figure, columns=3, handles=handles)
    return figure


def _mark_designs(axes: Axes, designs: pd.DataFrame) -> list[Line2D]:
    """Draw the designs that were chosen from fronts; return a legend entry for each name."""
    if designs.empty:
        return []
    known = REFERENCE_ENCODING in set(designs["encoding"])
    main = REFERENCE_ENCODING if known else most_frequent(designs["encoding"])
    family = set(designs.loc[designs["encoding"] == main, "design"]) - {"dedicated_training"}
    shown = designs[designs["design"].isin(family)]
    for _, row in shown.iterrows():
        axes.plot(
            *(row["service_time_us"], row["throughput_op_per_s"] / _TERA),
            color=look(row["encoding"]).color,
            marker=look(row["design"]).marker,
            markersize=5.5,
            markeredgecolor=BLACK,
            markeredgewidth=0.5,
            zorder=3,
        )
    return [_open_marker(name) for name in ordered(family)]


def _open_marker(design: str) -> Line2D:
    line = entry(look(design).label, BLACK, linestyle="none", marker=look(design).marker)
    line.set(markersize=5.5, markerfacecolor="white", markeredgewidth=0.5)
    return line
