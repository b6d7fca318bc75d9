"""Training throughput over the load of inference, by design.

Relative to a dedicated training accelerator of the same budget, under the priority scheduler;
bands are the range of seeds, the dotted line is what the Equinox paper reports as the most. The
thesis states that high-throughput designs leave training the most.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, mark_level, top_legend
from equinox.figures._select import operating_points, over_seeds
from equinox.figures._style import COLUMN_IN, look, new_figure, ordered

TABLES = ("colocation",)
PUBLISHED = ("equinox.training_share",)


def plot(published: Mapping[str, float], colocation: pd.DataFrame) -> Figure:
    """Draw relative training throughput over load: a line per design."""
    rows = operating_points(colocation, schedulings=("priority",))
    figure = new_figure(COLUMN_IN, 2.6)
    axes = figure.subplots()
    for design in ordered(rows["design"]):
        mine = rows[rows["design"] == design]
        draw_line(axes, over_seeds(mine, "load", "training_relative", scale=100), look(design))
    if "equinox.training_share" in published:
        level = published["equinox.training_share"]
        mark_level(axes, level, f"published: up to {level:g} %")
    axes.margins(y=0.12)
    axes.set_ylim(0, None)
    axes.set(
        xlabel="Load (share of saturation rate)",
        ylabel="Training throughput (% of dedicated)",
    )
    top_legend(figure, columns=2)
    return figure
