"""A day over a fleet of accelerators.

Load, the training that idle cycles give in units of dedicated training accelerators, tail latency
where requests go, and power; colors are ways to spread requests, dashed lines the fleet without
training, dotted lines that fleet and the dedicated accelerators that train as much. The thesis
argues that services leave much of a fleet idle and that this capacity can train.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from equinox.figures._lines import entry, top_legend
from equinox.figures._select import REFERENCE_DESIGN, most_frequent, require
from equinox.figures._style import BLACK, COLUMN_IN, look, new_figure, ordered

TABLES = ("fleet",)

_QUANTITIES = (
    ("load", "Load (share of\nsaturation rate)", 1.0),
    ("reclaimed_accelerators", "Reclaimed\n(accelerators)", 1.0),
    ("p99_latency_us", "p99 latency (µs)", 1.0),
    ("power_w", "Power (kW)", 1e-3),
)
_STYLES: Mapping[str, LineStyleType] = {"inference_only": "--", "priority": "-"}


def plot(published: Mapping[str, float], fleet: pd.DataFrame) -> Figure:
    """Draw three quantities over the hours of a day: a color per balancer, a style per policy."""
    del published  # none is about a fleet
    require(fleet, "fleet", "any design")
    known = REFERENCE_DESIGN in set(fleet["design"])
    design = REFERENCE_DESIGN if known else most_frequent(fleet["design"])
    rows = fleet[fleet["design"] == design].sort_values("time_h")
    policies = ordered(rows["scheduling"])
    styles = {name: _STYLES.get(name, "-.") for name in policies}
    figure = new_figure(COLUMN_IN, 4.8)
    panels = figure.subplots(len(_QUANTITIES), 1, sharex=True)
    for axes, (quantity, label, scale) in zip(panels, _QUANTITIES, strict=True):
        for (balancer, scheduling), mine in rows.groupby(["balancer", "scheduling"]):
            known = mine[np.isfinite(mine[quantity])]
            axes.plot(
                *(known["time_h"], known[quantity] * scale),
                color=BLACK if quantity == "load" else look(str(balancer)).color,
                linestyle="-" if quantity == "load" else styles[str(scheduling)],
            )
            if quantity == "power_w" and scheduling != "inference_only":
                apart_kw = mine["separate_power_w"] * scale
                axes.plot(mine["time_h"], apart_kw, color=look(str(balancer)).color, linestyle=":")
        axes.set_ylabel(label)
        axes.set_ylim(0, None)
    count = rows["accelerators"].max()
    panels[0].set_title(f"{count:,} accelerators, {look(design).label} design")
    panels[-1].set_xlabel("Time of day (h)")
    panels[-1].set_xticks(range(0, 25, 4))
    figure.align_ylabels()
    handles = [entry(look(name).label, look(name).color) for name in ordered(rows["balancer"])]
    handles += [entry(look(name).label, BLACK, linestyle=styles[name]) for name in policies]
    handles.append(entry("on separate machines", BLACK, linestyle=":"))
    top_legend(figure, columns=2, handles=handles)
    return figure
