"""Final error or perplexity less that of FP32 in an experiment and in the scale that it changes.

A row for each encoding of the experiment, a panel for each task that it trains; lines are 90 %
confidence intervals of runs paired by seed, the gray band is the margin that was stated not to
matter. A run that the scale has with the same seeds is the same run. An encoding that only one of
the two was trained in has one mark.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from equinox.figures._differences import as_points, draw_margin, draw_outcome, outcome_handles
from equinox.figures._experiments import experiment_looks
from equinox.figures._lines import entry, top_legend
from equinox.figures._select import require
from equinox.figures._style import PAGE_IN, Look, look, metric, new_figure, ordered

TABLES = ("accuracy_comparison",)

_FARTHEST = 10.0  # margins from zero, beyond which a difference is told in words
_APART = 0.4  # of a row, between the marks of two experiments
_PANELS_A_ROW = 3


def plot(published: Mapping[str, float], comparison: pd.DataFrame) -> Figure:
    """Draw the difference to FP32: a row an encoding, a panel a task, a color an experiment."""
    del published  # what is compared are two results of this evaluation
    own = comparison[comparison["experiment"].str.contains("@")]
    require(own, "accuracy_comparison", "an experiment")
    tasks, encodings = ordered(own["task"]), ordered(own["encoding"])
    rows = comparison[comparison["task"].isin(tasks) & comparison["encoding"].isin(encodings)]
    looks = experiment_looks(rows["experiment"])
    lines = -(-len(tasks) // _PANELS_A_ROW)
    figure = new_figure(PAGE_IN, 0.6 + lines * (0.75 + 0.26 * len(encodings)))
    columns = min(len(tasks), _PANELS_A_ROW)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes, task in zip(panels.flat, tasks, strict=False):
        _draw_task(axes, rows[rows["task"] == task], encodings, looks)
        axes.set_title(look(task).label)
    for axes in panels.flat[len(tasks) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(encodings)), [look(name).label for name in encodings])
        axes.set_ylim(len(encodings) - 0.5, -0.5)
        axes.set_ylabel("Encoding")
    handles = [entry(style.label, style.color) for style in looks.values()]
    handles += outcome_handles(rows["outcome"])
    top_legend(figure, columns=len(handles), handles=handles)
    return figure


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
