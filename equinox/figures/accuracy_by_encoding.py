"""Final test error or perplexity less that of FP32, by encoding.

Runs are paired by seed: a small dot is a pair, the bar the 90 % confidence interval of the mean
difference, the gray band the margin that was stated not to matter. A filled mark is equivalent to
FP32 by two one-sided tests at level 0.05, a cross differs, a hollow mark is undecided; words say
how many runs diverged, an arrow points at what lies beyond the axis, and a row without a mark was
not trained. The thesis states that
8-bit mantissas with 16-bit storage (hbfp8_16) train as FP32 does. Stored weights are rounded to
nearest unless the name says stochastic. Fashion-MNIST stands in for CIFAR-100, SVHN and ImageNet,
and the State of the Union addresses for Penn Treebank.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from equinox.figures._differences import (
    as_points,
    draw_margin,
    draw_outcome,
    outcome_handles,
    panels_by_task,
)
from equinox.figures._lines import top_legend
from equinox.figures._select import final_epochs, of_several_tasks, require
from equinox.figures._style import look, metric, ordered

TABLES = ("equivalence", "accuracy")

_FARTHEST = 6.0  # an axis ends at this multiple of the margin; what is beyond gets an arrow


def plot(
    published: Mapping[str, float], equivalence: pd.DataFrame, accuracy: pd.DataFrame
) -> Figure:
    """Draw the difference to FP32 after the last epoch: a row per encoding, a panel per task."""
    del published  # its numbers are about other data
    rows = of_several_tasks(require(equivalence, "equivalence", "any encoding beside fp32"))
    encodings, tasks = ordered(rows["encoding"]), ordered(rows["task"])
    figure, panels = panels_by_task(tasks, encodings, row_in=0.15)
    final = final_epochs(accuracy)
    for task, axes in panels.items():
        of_task = rows[rows["task"] == task].set_index("encoding")
        _draw_task(axes, task, of_task, final[final["task"] == task], encodings)
    top_legend(figure, columns=3, handles=outcome_handles(rows["outcome"]))
    return figure


def _draw_task(
    axes: Axes, task: str, rows: pd.DataFrame, final: pd.DataFrame, encodings: list[str]
) -> None:
    first = rows.iloc[0]
    unit = as_points(first["metric"])
    margin = 100 * first["margin"]
    end = _FARTHEST * margin
    draw_margin(axes, margin, vertical=True)
    for name in (name for name in encodings if name in rows.index):
        row, place = rows[rows.index == name].iloc[0], encodings.index(name)
        pairs = _pairs(final, name, relative=first["metric"] == "perplexity")
        draw_outcome(axes, row, place, pairs, color=look(name).color, end=end)
    label, scale = metric(first["metric"])
    reference = f"fp32: {scale * first['fp32_value']:.3g}{' %' if scale != 1 else ''}"
    axes.set_title(f"{look(final['task'].iloc[0]).label} ({reference})")
    axes.set_xlabel(f"{label.split(' (')[0]} less fp32's ({unit})")
    low, high = axes.dataLim.intervalx
    low, high = max(-2 * end, min(low, -margin)), min(2 * end, max(high, margin))
    axes.set_xlim(low - 0.3 * margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def _pairs(final: pd.DataFrame, encoding: str, *, relative: bool) -> pd.Series:
    """Return the differences of the runs that did not diverge, in % or points."""
    by_seed = final[final["status"] == "ok"].set_index(["encoding", "seed"])["value"]
    if not {"fp32", encoding} <= set(by_seed.index.get_level_values("encoding")):
        return pd.Series(dtype=float)
    reference = by_seed.loc["fp32"]
    change: pd.Series = by_seed.loc[encoding] - reference
    share: pd.Series = change / reference if relative else change
    return 100 * share.dropna()
