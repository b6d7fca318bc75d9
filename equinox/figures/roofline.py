"""Named designs under their rooflines: inference and training.

Operations for each byte that the bounding memory moves, against throughput; a line is the roof of
one design, its marker what the timing model attains. Inference reads weights from SRAM, once for
all rows of an array, so that tall arrays leave the slope; training streams operands from DRAM. The
thesis argues that batching moves inference from bound by memory to bound by compute.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from equinox.figures._lines import entry, plain_numbers, top_legend
from equinox.figures._select import REFERENCE_ENCODING, most_frequent, require
from equinox.figures._style import BLACK, PAGE_IN, look, new_figure, ordered

TABLES = ("roofline",)

_TERA = 1e12
_MARGIN = 3.0  # an axis goes on by this factor beyond what is drawn


def plot(published: Mapping[str, float], roofline: pd.DataFrame) -> Figure:
    """Draw throughput over operational intensity: a panel a phase, a color a design."""
    del published  # the thesis' statement is in words
    require(roofline, "roofline", "any design")
    known = REFERENCE_ENCODING in set(roofline["encoding"])
    encoding = REFERENCE_ENCODING if known else most_frequent(roofline["encoding"])
    rows = roofline[roofline["encoding"] == encoding]
    phases = sorted(rows["phase"].unique())
    figure = new_figure(PAGE_IN, 2.7)
    panels = figure.subplots(1, len(phases), sharey=True, squeeze=False)[0]
    for axes, phase in zip(panels, phases, strict=True):
        _draw_phase(axes, rows[rows["phase"] == phase])
        axes.set_title(f"{phase.capitalize()}, {encoding}")
    panels[0].set_ylabel("Throughput (TOp/s)")
    designs = ordered(rows["design"])
    handles = [entry(look(d).label, look(d).color, marker=look(d).marker) for d in designs]
    top_legend(figure, columns=5, handles=handles)
    return figure


def _draw_phase(axes: Axes, rows: pd.DataFrame) -> None:
    ridges = rows["peak_op_per_s"] / rows["byte_per_s"]
    first = min(rows["op_per_byte"].min(), ridges.min()) / _MARGIN
    last = max(rows["op_per_byte"].max(), ridges.max()) * _MARGIN
    for _, row in rows.set_index("design").loc[ordered(rows["design"])].iterrows():
        style = look(str(row.name))
        peak, slope = row["peak_op_per_s"] / _TERA, row["byte_per_s"] / _TERA
        bend = max(row["peak_op_per_s"] / row["byte_per_s"], first)
        axes.plot(
            *([first, bend, last], [min(slope * first, peak), peak, peak]),
            color=style.color,
            linewidth=0.9,
            label=style.label,
        )
        axes.plot(
            *(row["op_per_byte"], row["attained_op_per_s"] / _TERA),
            color=style.color,
            marker=style.marker,
            markersize=5,
            markeredgecolor=BLACK,
            markeredgewidth=0.5,
            zorder=3,
        )
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if axis is axes.yaxis else (1,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(plain_numbers())
    axes.set_xlabel(f"Operational intensity (op per byte of {rows['memory'].iloc[0]})")
