"""Final error less that of FP32 over the bits of a mantissa, by tile.

Block floating point with wide storage; a mantissa's bits count its sign. Bars are 90 % confidence
intervals of the mean difference of runs paired by seed, and the gray band is the margin that was
stated not to matter. The HBFP paper finds tiles of 24 and 64 as good as FP32, and 4-bit mantissas
worse (what they cost on CIFAR-100 is marked). Tiles here cut weights, activations and gradients
alike; "sample" is the usual choice, tiles of 24x24 for weights and one exponent a sample for the
rest. Fashion-MNIST stands in.
"""

import re
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._differences import as_points, draw_margin
from equinox.figures._lines import top_legend
from equinox.figures._select import most_frequent, require
from equinox.figures._style import COLUMN_IN, CYCLE, look, new_figure

TABLES = ("equivalence",)
PUBLISHED = ("hbfp.mantissa4",)

_STORAGE_BITS = 16  # of hybrid block floating point
_PUBLISHED_BITS = 4  # of a mantissa, in the statement


def plot(published: Mapping[str, float], equivalence: pd.DataFrame) -> Figure:
    """Draw the difference to FP32 over mantissa bits for the task with most points of the sweep."""
    rows = equivalence[equivalence["storage_bits"] == _STORAGE_BITS]
    rows = rows[(rows["tile"] != "value") & (rows["storage_rounding"] == "nearest")]
    rows = rows[rows["difference"].notna()]
    rows = require(rows, "equivalence", f"a block encoding with {_STORAGE_BITS}-bit storage")
    rows = rows[rows["gradient_rounding"] == most_frequent(rows["gradient_rounding"])]
    task = str(rows.groupby("task")["encoding"].nunique().idxmax())
    rows = rows[rows["task"] == task]
    rows = rows.assign(cut=rows["tile"].where(rows["blocks"] != "sample", "sample"))
    rows = rows.drop_duplicates(["cut", "mantissa_bits"])
    figure = new_figure(COLUMN_IN, 2.6)
    axes = figure.subplots()
    metric = equivalence.loc[equivalence["task"] == task, "metric"].iloc[0]
    draw_margin(axes, 100 * float(rows["margin"].max()), vertical=False)
    cuts = sorted(rows["cut"].unique(), key=_values_in_tile)
    for index, cut in enumerate(cuts):
        shift = 0.09 * (index - (len(cuts) - 1) / 2)
        _draw_cut(axes, rows[rows["cut"] == cut], shift, CYCLE[index % len(CYCLE)])
    if "hbfp.mantissa4" in published and metric == "error":
        _mark_published(axes, published["hbfp.mantissa4"])
    axes.set_xticks(sorted(rows["mantissa_bits"].unique()))
    axes.set(xlabel="Mantissa (bits)", ylabel=f"{metric.capitalize()} less fp32's")
    axes.set_ylabel(f"{metric.capitalize()} less fp32's ({as_points(metric)})")
    axes.set_title(f"{look(task).label}, {look(rows['dataset'].iloc[0]).label}")
    top_legend(figure, columns=3)
    return figure


def _draw_cut(axes: Axes, rows: pd.DataFrame, shift: float, color: str) -> None:
    rows = rows.sort_values("mantissa_bits")
    value, low, high = (100 * rows[name] for name in ("difference", "low", "high"))
    names = {"tensor": "whole tensor", "sample": "sample"}
    cut = rows["cut"].iloc[0]
    axes.errorbar(
        rows["mantissa_bits"] + shift,
        value,
        yerr=[(value - low).fillna(0), (high - value).fillna(0)],
        color=color,
        marker="o",
        capsize=2,
        label=names.get(cut, f"tile {cut}"),
    )


def _mark_published(axes: Axes, increase: float) -> None:
    high = axes.get_ylim()[1]
    beyond = increase > high
    axes.annotate(
        f"published at {_PUBLISHED_BITS} bits: +{increase:g}" + (" ↑" if beyond else ""),
        (0.98, 0.97) if beyond else (_PUBLISHED_BITS, increase),
        xycoords="axes fraction" if beyond else "data",
        ha="right" if beyond else "left",
        va="top" if beyond else "center",
        fontsize=6,
    )


def _values_in_tile(tile: str) -> tuple[float, str]:
    sides = [int(side) for side in re.findall(r"\d+", tile)]
    return (float(sides[0] * sides[-1]) if sides else float("inf"), tile)
