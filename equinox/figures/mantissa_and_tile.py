"""Final error over the bits of a mantissa, by tile.

Block floating point with wide storage; a mantissa's bits count its sign, bars are the range of
seeds, and the gray band is that of fp32. The HBFP paper finds tiles of 24 and 64 within half a
point of fp32, and that 4-bit mantissas cost several points (in words in the figure: on CIFAR-100,
far above this axis). Tiles here cut weights, activations and gradients alike.
Fashion-MNIST stands in.
"""

import re
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import top_legend
from equinox.figures._select import final_epochs, most_frequent, over_seeds, require
from equinox.figures._style import COLUMN_IN, CYCLE, GRAY, look, metric, new_figure

TABLES = ("accuracy",)
PUBLISHED = ("hbfp.mantissa4",)

_STORAGE_BITS = 16  # of hybrid block floating point
_PUBLISHED_BITS = 4  # of a mantissa, in the statement


def plot(published: Mapping[str, float], accuracy: pd.DataFrame) -> Figure:
    """Draw the final metric over mantissa bits for the task with most points of the sweep."""
    final = final_epochs(require(accuracy, "accuracy", "any run"))
    wide = final[(final["storage_bits"] == _STORAGE_BITS) & (final["tile"] != "value")]
    require(wide, "accuracy", f"a block encoding with {_STORAGE_BITS}-bit storage")
    swept = wide[wide["blocks"].isin(["tile", "tensor"])]  # all operands are cut alike
    wide = swept if len(swept) else wide[wide["blocks"] == most_frequent(wide["blocks"])]
    task = str(wide.groupby("task")["encoding"].nunique().idxmax())
    wide, final = wide[wide["task"] == task], final[final["task"] == task]
    label, scale = metric(final["metric"].iloc[0])

    figure = new_figure(COLUMN_IN, 2.5)
    axes = figure.subplots()
    tiles = sorted(wide["tile"].unique(), key=_values_in_tile)
    for index, tile in enumerate(tiles):
        shift = 0.07 * (index - (len(tiles) - 1) / 2)
        _draw_tile(axes, wide[wide["tile"] == tile], scale, shift, CYCLE[index % len(CYCLE)])
    baseline = final.loc[final["encoding"] == "fp32", "value"].dropna() * scale
    if len(baseline):
        axes.axhspan(baseline.min(), baseline.max(), color=GRAY, alpha=0.35, label="fp32")
        axes.axhline(baseline.mean(), color=GRAY, linewidth=0.8)
    if "hbfp.mantissa4" in published and len(baseline) and final["metric"].iloc[0] == "error":
        increase = published["hbfp.mantissa4"]
        axes.annotate(
            f"published at {_PUBLISHED_BITS} bits:\n+{increase:g} points ↑",
            (0.98, 0.97),
            xycoords="axes fraction",
            ha="right",
            va="top",
            fontsize=6,
        )
    axes.set_xticks(sorted(wide["mantissa_bits"].unique()))
    axes.set(xlabel="Mantissa (bits)", ylabel=label)
    axes.set_title(f"{look(task).label}, {look(final['dataset'].iloc[0]).label}")
    top_legend(figure, columns=3)
    return figure


def _draw_tile(axes: Axes, rows: pd.DataFrame, scale: float, shift: float, color: str) -> None:
    series = over_seeds(rows, "mantissa_bits", "value", scale=scale)
    spread = [series["mean"] - series["low"], series["high"] - series["mean"]]
    tile = rows["tile"].iloc[0]
    axes.errorbar(
        series.index + shift,
        series["mean"],
        yerr=spread,
        color=color,
        marker="o",
        capsize=2,
        label="whole tensor" if tile == "tensor" else f"tile {tile}",
    )


def _values_in_tile(tile: str) -> tuple[float, str]:
    sides = [int(side) for side in re.findall(r"\d+", tile)]
    return (float(sides[0] * sides[-1]) if sides else float("inf"), tile)
