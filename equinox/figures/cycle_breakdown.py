"""What the cycles of the matrix unit are spent on, over load.

The 500 µs design with inference alone, and with training under the priority scheduler. The thesis
argues that online services leave most cycles idle and that training can have them. Padding is rows
of a batch without a request; stalled is work that waits for operands or results.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import top_legend
from equinox.figures._select import REFERENCE_DESIGN, operating_points
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("operating_points",)

_SHARES = ("inference_share", "padding_share", "training_share", "stalled_share", "idle_share")


def plot(published: Mapping[str, float], points: pd.DataFrame) -> Figure:
    """Draw stacked shares of cycles over load: a panel per scheduling policy."""
    del published  # none is about cycles
    rows = operating_points(
        points, schedulings=("inference_only", "priority"), design=REFERENCE_DESIGN
    )
    policies = ordered(rows["scheduling"])
    figure = new_figure(PAGE_IN, 2.4)
    panels = figure.subplots(1, len(policies), sharey=True, squeeze=False)[0]
    for axes, policy in zip(panels, policies, strict=True):
        _draw_shares(axes, rows[rows["scheduling"] == policy])
        axes.set_title(f"{look(REFERENCE_DESIGN).label} design, {look(policy).label}")
    panels[0].set_ylabel("MMU cycles (%)")
    top_legend(figure, columns=5)
    return figure


def _draw_shares(axes: Axes, rows: pd.DataFrame) -> None:
    percent = 100 * rows.groupby("load")[list(_SHARES)].mean()
    looks = [look(name) for name in _SHARES]
    positions = range(len(percent))
    start = pd.Series(0.0, index=percent.index)
    for name, style in zip(_SHARES, looks, strict=True):
        axes.bar(
            positions, percent[name], bottom=start, width=0.85, color=style.color, label=style.label
        )
        start += percent[name]
    axes.set_xticks(positions, [f"{load:g}" for load in percent.index])
    axes.set(xlabel="Load (share of saturation rate)", ylim=(0, 100))
    axes.grid(visible=False, axis="x")
