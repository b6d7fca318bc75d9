"""What the published ratios rest on.

Left: throughput of the 500 µs design over the latency-optimal one, with one constant at a time at
its low or high value, or with another choice for an assumption. Right: every ratio with all
constants drawn at once; star: the published value. The works give one number for each; the
intervals show which of them the unpublished constants decide.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from equinox.figures._lines import entry, top_legend
from equinox.figures._select import require
from equinox.figures._style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PAGE_IN,
    SKY,
    VERMILION,
    new_figure,
)
from equinox.units import label

TABLES = ("sensitivity",)
PUBLISHED = (
    "equinox.throughput_500us",
    "equinox.encoding_power",
    "equinox.encoding_area",
    "equinox.controller",
)

_TORNADO = "throughput_500us"
_MOST_CONSTANTS = 14  # in the tornado; the rest change less
_LABELS: Mapping[str, tuple[str, float]] = {  # quantity: axis label, factor from table to axis
    "throughput_500us": ("Throughput, 500 µs over min. latency (×)", 1.0),
    "near_optimal": ("Throughput, 500 µs over unconstrained (×)", 1.0),
    "encoding_power": ("Power of the uniform encoding (+%)", 100.0),
    "encoding_area": ("Area of the uniform encoding (+%)", 100.0),
    "controller_area": ("Controller (% of area)", 100.0),
    "controller_power": ("Controller (% of power)", 100.0),
    "energy_like_fixed8": ("Energy per operation, hbfp8 over int8 (×)", 1.0),
    "hbfp8_over_bf16": ("Throughput, hbfp8 over bf16 (×)", 1.0),
}
_CLAIM_OF = {"controller_area": "controller", "controller_power": "controller"}


def plot(published: Mapping[str, float], sensitivity: pd.DataFrame) -> Figure:
    """Draw a tornado of the 500 us ratio beside the Monte Carlo intervals of all quantities."""
    draws = sensitivity[sensitivity["study"] == "monte_carlo"].dropna(subset=["value"])
    draws = draws[~draws["quantity"].str.endswith("_searched")]  # design_choices shows them
    one_by_one = sensitivity["study"].isin(["one_at_a_time", "choice"])
    tornado = sensitivity[one_by_one & (sensitivity["quantity"] == _TORNADO)]
    require(pd.concat([draws, tornado]), "sensitivity", f"monte_carlo, or of {_TORNADO} otherwise")
    quantities = sorted(draws["quantity"].unique(), key=_position)
    bars = min(tornado["constant"].nunique(), _MOST_CONSTANTS)
    figure = new_figure(PAGE_IN, max(1.2 + 0.17 * bars, 0.5 + 0.55 * len(quantities)))
    grid = figure.add_gridspec(max(len(quantities), 1), 2)
    if bars:
        left = figure.add_subplot(grid[:, 0] if quantities else grid[:, :])
        _draw_tornado(left, tornado, _baseline(sensitivity))
    for row, name in enumerate(quantities):
        axes = figure.add_subplot(grid[row, 1] if bars else grid[row, :])
        values = draws.loc[draws["quantity"] == name, "value"].to_numpy()
        mark = published.get(f"equinox.{_CLAIM_OF.get(name, name)}")
        _draw_strip(axes, name, values, mark)
    top_legend(figure, columns=4, handles=_legend())
    return figure


def _position(quantity: str) -> tuple[int, str]:
    known = list(_LABELS)
    return (known.index(quantity) if quantity in known else len(known), quantity)


def _baseline(sensitivity: pd.DataFrame) -> float:
    study, quantity = sensitivity["study"], sensitivity["quantity"]
    rows = sensitivity[(study == "baseline") & (quantity == _TORNADO)].dropna(subset=["value"])
    require(rows, "sensitivity", f"the baseline of {_TORNADO}")
    return float(rows["value"].iloc[0])


def _largest(tornado: pd.DataFrame, start: float) -> list[str]:
    """Return the constants that change the quantity most from `start`, the largest change first.

    Where no design fits, the change is infinite.
    """
    change = (tornado["value"] - start).abs().fillna(np.inf).groupby(tornado["constant"]).max()
    by_change = change.rename_axis("constant").reset_index(name="change")
    by_change = by_change.sort_values(["change", "constant"], ascending=[False, True])
    return [str(name) for name in by_change["constant"].iloc[:_MOST_CONSTANTS]]


def _draw_tornado(axes: Axes, tornado: pd.DataFrame, start: float) -> None:
    constants = _largest(tornado, start)
    for row, name in enumerate(constants):
        for _, setting in tornado[tornado["constant"] == name].iterrows():
            value = setting["value"]
            if pd.isna(value):
                axes.plot(start, row, "x", color=VERMILION, zorder=4)
            elif setting["study"] == "choice":
                axes.plot(value, row, "D", color=GREEN, markersize=3, zorder=3)
            else:
                color, half = (SKY, 0.16) if setting["setting"] == "low" else (BLUE, -0.16)
                axes.barh(row - half, value - start, height=0.3, left=start, color=color)
    axes.axvline(start, color=BLACK, linewidth=0.8)
    axes.set_yticks(range(len(constants)), [label(name) for name in constants])
    axes.set_ylim(len(constants) - 0.4, -0.6)
    axes.tick_params(axis="y", labelsize=6)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel=_LABELS[_TORNADO][0], ylabel="Constant or choice")


def _draw_strip(axes: Axes, name: str, values: np.ndarray, mark: float | None) -> None:
    label, scale = _LABELS.get(name, (f"{name.replace('_', ' ').capitalize()} (×)", 1.0))
    values = values * scale
    # Multiples of the golden ratio spread the dots evenly, and alike each time.
    height = np.arange(len(values)) * 0.618034 % 1 - 0.5
    axes.scatter(values, 0.6 * height, s=3, color=SKY, alpha=0.5, linewidth=0)
    low, median, high = np.percentile(values, [5, 50, 95])
    axes.hlines(0, low, high, color=BLUE, linewidth=2.5)
    axes.plot(median, 0, "o", color="white", markeredgecolor=BLUE, markersize=4.5, zorder=3)
    if mark is not None:
        axes.plot(mark, 0, "*", color=ORANGE, markeredgecolor=BLACK, markeredgewidth=0.4,
                  markersize=8, zorder=4)  # fmt: skip
    axes.set(yticks=[], ylim=(-0.6, 0.6), xlabel=label)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.labelpad = 1


def _legend() -> list[Line2D]:
    median = entry("median", BLUE, linestyle="none", marker="o")
    median.set_markerfacecolor("white")
    interval = entry("5–95 %", BLUE)
    interval.set_linewidth(2.5)
    return [
        entry("low", SKY, linestyle="none", marker="s"),
        entry("high", BLUE, linestyle="none", marker="s"),
        entry("other choice", GREEN, linestyle="none", marker="D"),
        entry("no design fits", VERMILION, linestyle="none", marker="x"),
        entry("draw", SKY, linestyle="none", marker="."),
        median,
        interval,
        entry("published", ORANGE, linestyle="none", marker="*"),
    ]
