"""Final error less that of FP32 in narrow floating point, over bits of exponent and fraction.

Every value has an exponent of its own, without scales, and saturates at the largest number; what is
below the smallest one vanishes. The thesis argues that the width of the exponent decides whether
such a format trains, and the fraction less so: hence one wide exponent that a block shares. A cell
is the mean of runs paired by seed, in points of error; "div." counts those that diverged.
Fashion-MNIST stands in for the thesis's data.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from equinox.figures._differences import as_points
from equinox.figures._select import require
from equinox.figures._style import BLACK, COLUMN_IN, look, new_figure

TABLES = ("equivalence",)

_DARK = 0.2  # a cell from this share of the largest value on has white letters


def plot(published: Mapping[str, float], equivalence: pd.DataFrame) -> Figure:
    """Draw a cell per width of exponent and fraction, for the task with most of them."""
    del published  # is about other data
    rows = equivalence[(equivalence["tile"] == "value") & (equivalence["exponent_bits"] < 9)]
    rows = require(rows, "equivalence", "an encoding in floating point without scales")
    task = str(rows.groupby("task")["encoding"].nunique().idxmax())
    rows = rows[rows["task"] == task].assign(fraction_bits=rows["mantissa_bits"] - 1)
    rows = rows.drop_duplicates(["exponent_bits", "fraction_bits"])
    cells = rows.pivot(index="fraction_bits", columns="exponent_bits", values="difference") * 100
    diverged = rows.pivot(index="fraction_bits", columns="exponent_bits", values="diverged")
    figure = new_figure(COLUMN_IN, 0.9 + 0.35 * len(cells))
    axes = figure.subplots()
    top = float(np.nanmax(np.abs(cells.to_numpy()), initial=1.0))
    norm = SymLogNorm(linthresh=0.5, vmin=-top, vmax=top)
    axes.imshow(cells, cmap="RdBu_r", norm=norm, aspect="auto", origin="lower", alpha=0.75)
    for (line, column), value in np.ndenumerate(cells.to_numpy()):
        runs = float(diverged.to_numpy(float)[line, column])
        number = f"{value:+.2g}".replace("-", "−")
        text = f"{runs:.0f} div." if runs > 0 else "" if np.isnan(value) else number
        color = "white" if abs(value) > _DARK * top else BLACK
        axes.text(column, line, text, ha="center", va="center", fontsize=7, color=color)
    axes.grid(visible=False)
    axes.set_xticks(range(len(cells.columns)), [str(bits) for bits in cells.columns])
    axes.set_yticks(range(len(cells)), [str(bits) for bits in cells.index])
    axes.set(xlabel="Exponent (bits)", ylabel="Fraction (bits)")
    metric = str(rows["metric"].iloc[0])
    data = look(rows["dataset"].iloc[0]).label
    axes.set_title(
        f"{metric.capitalize()} less fp32's ({as_points(metric)}): {look(task).label}, {data}"
    )
    return figure
