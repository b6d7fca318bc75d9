"""Which constants of the hardware model decide each claimed ratio.

Share of the variance over Monte Carlo draws (Sobol indices): what a constant explains by itself,
and with its interactions; lines: 95 % confidence. Shown are the constants that explain most by
themselves. A ratio that hardly varies, such as 500 µs over unconstrained, does so by jumps between
designs that are nearly equal, which many constants share in. The budget and the named choices
(bank, accumulator) stay as they are here.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from equinox.figures._lines import top_legend
from equinox.figures._select import require
from equinox.figures._style import BLACK, BLUE, PAGE_IN, SKY, new_figure
from equinox.units import label

TABLES = ("sobol",)

_PANELS: Mapping[str, str] = {
    "throughput_500us": "500 µs over\nmin. latency",
    "near_optimal": "500 µs over\nunconstrained",
    "encoding_power": "Power of the\nencoding",
    "encoding_area": "Area of the\nencoding",
    "controller_power": "Controller,\npower",
    "controller_area": "Controller,\narea",
}
_MOST_CONSTANTS = 16
_SMALLEST = 0.05  # first-order index, below which a constant is not shown
_SCALES = (("total", SKY, 0.8), ("first", BLUE, 0.36))  # index, color, height of its bar


def plot(published: Mapping[str, float], sobol: pd.DataFrame) -> Figure:
    """Draw a panel for each ratio: two bars for each constant."""
    del published  # shares of a variance, not values
    shown = sobol[sobol["quantity"].isin(_PANELS)].dropna(subset=["total"])
    require(shown, "sobol", "a claimed ratio that varies")
    largest = shown.groupby("constant")["first"].max().sort_values(ascending=False, kind="stable")
    constants = list(largest[largest >= _SMALLEST].index[:_MOST_CONSTANTS])
    quantities = [name for name in _PANELS if name in set(shown["quantity"])]
    figure = new_figure(PAGE_IN, 1.1 + 0.16 * len(constants))
    panels = figure.subplots(1, len(quantities), sharey=True, squeeze=False)[0]
    for axes, quantity in zip(panels, quantities, strict=True):
        rows = shown[shown["quantity"] == quantity].set_index("constant").reindex(constants)
        _draw(axes, rows)
        axes.set_title(_PANELS[quantity], fontsize=7)
    panels[0].set_yticks(range(len(constants)), [label(name) for name in constants])
    panels[0].set_ylim(len(constants) - 0.4, -0.6)
    panels[0].tick_params(axis="y", labelsize=6)
    panels[0].set_ylabel("Constant")
    figure.supxlabel("Sobol index (share of the variance)", fontsize=8)
    labels = {"first": "by itself", "total": "with interactions"}
    top_legend(
        figure,
        columns=2,
        handles=[Patch(color=color, label=labels[name]) for name, color, _ in _SCALES],
    )
    return figure


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    where = np.arange(len(rows))
    for name, color, height in _SCALES:
        axes.barh(where, rows[name].clip(lower=0), height=height, color=color)
    axes.hlines(where, rows["total_low"].clip(lower=0), rows["total_high"], BLACK, linewidth=0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.grid(visible=False, axis="y")
