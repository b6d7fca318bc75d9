"""The named designs of an experiment beside those of the scale that it changes.

One encoding; a row for each design, a marker for the scale and for the experiment. The four numbers
are what a change of budget, constants or workload does to the conclusions. Results of the scale
itself stay as they are.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from equinox.figures._experiments import experiment_looks
from equinox.figures._lines import plain_numbers, top_legend
from equinox.figures._select import REFERENCE_ENCODING, most_frequent, require
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("comparison",)

_MARKER_PT, _WIDER_PT = 3.5, 2.5  # of the last one; those that it may cover are wider
_PANELS = {  # column: label and factor from the table's unit to the axis'
    "throughput_op_per_s": ("Inference (TOp/s)", 1e-12),
    "training_op_per_s": ("Training (TOp/s)", 1e-12),
    "service_time_us": ("Service time (µs)", 1.0),
    "power_w": ("Power (W)", 1.0),
}


def plot(published: Mapping[str, float], comparison: pd.DataFrame) -> Figure:
    """Draw four numbers of each named design: a panel a number, a marker an experiment."""
    del published  # what is compared are two results of this evaluation
    require(comparison, "comparison", "any design")
    known = REFERENCE_ENCODING in set(comparison["encoding"])
    encoding = REFERENCE_ENCODING if known else most_frequent(comparison["encoding"])
    shown = comparison[comparison["encoding"] == encoding]
    designs = ordered(shown["design"])
    looks = experiment_looks(shown["experiment"])
    figure = new_figure(PAGE_IN, 1.1 + 0.25 * len(designs))
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    panels[2].set_xscale("log")
    panels[2].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[2].xaxis.set_minor_locator(NullLocator())
    panels[2].xaxis.set_major_formatter(plain_numbers())
    for axes, (column, (label, factor)) in zip(panels, _PANELS.items(), strict=True):
        for later, (name, style) in zip(reversed(range(len(looks))), looks.items(), strict=True):
            values = shown[shown["experiment"] == name].set_index("design")[column] * factor
            axes.plot(
                [values.get(design) for design in designs],
                range(len(designs)),
                color=style.color,
                marker=style.marker,
                markersize=_MARKER_PT + _WIDER_PT * later,
                linestyle="none",
                alpha=0.8,
                label=name,
            )
        axes.set_xlabel(label)
        if axes.get_xscale() == "linear":
            axes.set_xlim(0, 1.08 * axes.dataLim.xmax)
    panels[0].set_yticks(range(len(designs)), [look(name).label for name in designs])
    panels[0].set_ylim(len(designs) - 0.5, -0.5)
    panels[0].set_ylabel("Design")
    top_legend(figure, columns=len(looks))
    return figure
