"""Final error less that of FP32 over the bits of stored weights, by their rounding.

The optimizer keeps weights in block floating point of this width and rounds what it has updated, to
nearest or stochastically. To nearest, updates smaller than half a step are lost; stochastically,
they survive on average. The thesis stores 16 bits, and the authors' emulator rounds stochastically:
the lines tell how much of the need for wide storage is due to that choice. Bars are 90 % confidence
intervals of runs paired by seed, the gray band is the margin stated not to matter. Fashion-MNIST
stands in for the thesis's data.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._differences import as_points, draw_margin
from equinox.figures._select import most_frequent, require
from equinox.figures._style import BLUE, COLUMN_IN, VERMILION, look, new_figure

TABLES = ("equivalence",)

_COLORS = {"nearest": BLUE, "stochastic": VERMILION}
_SHIFT = {"nearest": -0.08, "stochastic": 0.08}


def plot(published: Mapping[str, float], equivalence: pd.DataFrame) -> Figure:
    """Draw the difference to FP32 over storage bits: a panel per mantissa, a line per rounding."""
    del published  # states no error of narrow storage
    rows = equivalence[equivalence["blocks"] == "sample"]
    rows = require(rows[rows["difference"].notna()], "equivalence", "an encoding with blocks")
    rows = rows[rows["gradient_rounding"] == most_frequent(rows["gradient_rounding"])]
    widths = rows.groupby(["task", "mantissa_bits"])["storage_bits"].nunique()
    task = str(widths.groupby("task").sum().idxmax())
    of_task = widths[widths.index.get_level_values("task") == task].droplevel("task")
    swept = sorted(of_task.sort_values(ascending=False, kind="stable").index[:2])
    rows = rows[(rows["task"] == task) & rows["mantissa_bits"].isin(swept)]
    rows = rows.drop_duplicates(["mantissa_bits", "storage_bits", "storage_rounding"])
    figure = new_figure(COLUMN_IN, 2.4)
    panels = figure.subplots(1, len(swept), squeeze=False, sharey=True)[0]
    for axes, bits in zip(panels, swept, strict=True):
        draw_margin(axes, 100 * float(rows["margin"].max()), vertical=False)
        for rounding, mine in rows[rows["mantissa_bits"] == bits].groupby("storage_rounding"):
            _draw_line(axes, mine.sort_values("storage_bits"), str(rounding))
        axes.set_title(f"{bits}-bit mantissa")
        axes.set_xlabel("Stored (bits)")
        axes.set_xticks(sorted(rows["storage_bits"].unique()))
    metric = str(rows["metric"].iloc[0])
    panels[0].set_ylabel(f"{metric.capitalize()} less fp32's ({as_points(metric)})")
    figure.suptitle(f"{look(task).label}, {look(rows['dataset'].iloc[0]).label}", fontsize=8)
    panels[-1].legend(title="Stored weights", fontsize=6, title_fontsize=6)
    return figure


def _draw_line(axes: Axes, rows: pd.DataFrame, rounding: str) -> None:
    value, low, high = (100 * rows[name] for name in ("difference", "low", "high"))
    axes.errorbar(
        rows["storage_bits"] + _SHIFT.get(rounding, 0.0),
        value,
        yerr=[(value - low).fillna(0), (high - value).fillna(0)],
        color=_COLORS.get(rounding),
        marker="o",
        capsize=2,
        label=rounding,
    )
