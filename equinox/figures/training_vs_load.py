"""Training throughput over the load of inference, by design.

Relative to a dedicated training accelerator of the same budget, under the priority scheduler; a
panel is how long an incomplete batch waits before it issues with padding, which decides how many
cycles are left; bands are the range of seeds, the dotted line is what the Equinox paper reports as
the most. The thesis states that high-throughput designs leave training the most.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, mark_level, top_legend
from equinox.figures._select import operating_points, over_seeds, require
from equinox.figures._style import COLUMN_IN, PAGE_IN, look, new_figure, ordered

TABLES = ("colocation",)
PUBLISHED = ("equinox.training_share",)


def plot(published: Mapping[str, float], colocation: pd.DataFrame) -> Figure:
    """Draw relative training throughput over load: a line per design, a panel per timeout."""
    rows = operating_points(colocation, schedulings=("priority",), batching="")
    rows = require(rows[rows["batching"] != "full"], "colocation", "adaptive batching")
    batchings = ordered(rows["batching"])
    figure = new_figure(PAGE_IN if len(batchings) > 1 else COLUMN_IN, 2.6)
    panels = figure.subplots(1, len(batchings), sharey=True, squeeze=False)[0]
    for axes, batching in zip(panels, batchings, strict=True):
        _draw_panel(axes, rows[rows["batching"] == batching], published)
        axes.set_title(f"batching: {look(batching).label}")
    panels[0].margins(y=0.12)
    panels[0].set_ylim(0, None)
    panels[0].set_ylabel("Training throughput (% of dedicated)")
    top_legend(figure, columns=4 if len(batchings) > 1 else 2)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, published: Mapping[str, float]) -> None:
    for design in ordered(rows["design"]):
        mine = rows[rows["design"] == design]
        draw_line(axes, over_seeds(mine, "load", "training_relative", scale=100), look(design))
    if "equinox.training_share" in published:
        level = published["equinox.training_share"]
        mark_level(axes, level, f"published: up to {level:g} %")
    axes.set_xlabel("Load (share of saturation rate)")
