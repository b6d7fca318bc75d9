"""Final error or perplexity less that of FP32 in an experiment and in the scale that it changes.

A row for each encoding of the experiment that is not the same in both, those that change most if
they are more than a page; a panel for each task that it trains. Lines are 90 % confidence intervals
of runs paired by seed, the gray band is the margin that was stated not to matter. A run that the
scale has with the same seeds is the same run. An encoding that only one of the two was trained in
has one mark.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from equinox.figures._differences import (
    as_points,
    draw_margin,
    draw_outcome,
    outcome_handles,
    panel_rows,
    panels_by_task,
)
from equinox.figures._experiments import experiment_looks
from equinox.figures._lines import entry, top_legend
from equinox.figures._select import require
from equinox.figures._style import Look, look, metric, ordered

TABLES = ("accuracy_comparison",)

_FARTHEST = 10.0  # margins from zero, beyond which a difference is told in words
_APART = 0.4  # of a row, between the marks of two experiments
_MOST_ROWS = 28  # of all panels below each other: a page


def plot(published: Mapping[str, float], comparison: pd.DataFrame) -> Figure:
    """Draw the difference to FP32: a row an encoding, a panel a task, a color an experiment."""
    del published  # what is compared are two results of this evaluation
    own = comparison[comparison["experiment"].str.contains("@")]
    require(own, "accuracy_comparison", "an experiment")
    tasks = ordered(own["task"])
    rows = comparison[comparison["task"].isin(tasks)]
    rows = rows[rows["encoding"].isin(own["encoding"])]
    encodings = _most_changed(rows, _MOST_ROWS // panel_rows(len(tasks)))
    rows = rows[rows["encoding"].isin(encodings)]
    tasks = ordered(rows["task"])
    looks = experiment_looks(rows["experiment"])
    figure, panels = panels_by_task(tasks, encodings, row_in=0.26)
    for task, axes in panels.items():
        _draw_task(axes, rows[rows["task"] == task], encodings, looks)
        axes.set_title(look(task).label)
    handles = [entry(style.label, style.color) for style in looks.values()]
    handles += outcome_handles(rows["outcome"])
    top_legend(figure, columns=len(handles), handles=handles)
    return figure


def _most_changed(rows: pd.DataFrame, most: int) -> list[str]:
    """Return at most `most` encodings that are not the same in all experiments, in usual order.

    Those whose difference changes most, in margins, on some task; what one experiment lacks, or
    diverged in, comes first. If all are the same, the first ones.
    """
    margins = (rows["difference"] / rows["margin"]).where(rows["diverged"] == 0)
    each = rows.assign(margins=margins).set_index(["encoding", "task", "experiment"])["margins"]
    table = each.unstack("experiment")
    change = table.max(axis=1) - table.min(axis=1)
    change = change.mask(table.isna().any(axis=1) & table.notna().any(axis=1), np.inf).fillna(0.0)
    largest = change.groupby("encoding").max().sort_values(ascending=False, kind="stable")
    changed = largest[largest > 0].index[:most]
    return ordered(changed) if len(changed) else ordered(rows["encoding"])[:most]


def _draw_task(
    axes: Axes, rows: pd.DataFrame, encodings: list[str], looks: Mapping[str, Look]
) -> None:
    margin = 100 * float(rows["margin"].max())
    end = _FARTHEST * margin
    draw_margin(axes, margin, vertical=True)
    for index, (name, style) in enumerate(looks.items()):
        shift = _APART * (index - (len(looks) - 1) / 2)
        for _, row in rows[rows["experiment"] == name].iterrows():
            place = encodings.index(row["encoding"]) + shift
            draw_outcome(axes, row, place, pd.Series(dtype=float), color=style.color, end=end)
    kind = str(rows["metric"].iloc[0])
    axes.set_xlabel(f"{metric(kind)[0].split(' (')[0]} less fp32's ({as_points(kind)})")
    axes.set_xlim(min(axes.dataLim.x0, -margin) - margin, max(axes.dataLim.x1, margin) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(5))
