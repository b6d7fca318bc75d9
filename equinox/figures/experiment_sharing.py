"""Services that share an accelerator, in an experiment and in the scale that it changes.

Columns are mixes of services that both have, or all if there are none, named with the requests of
a batch where they are fewer than the rows of the array. Tail latency of each service (upper row)
and training relative to a dedicated accelerator of the same budget (lower row) over the load of
the mix, under the priority scheduler; bands are 95 % intervals over seeds. Where a point is
missing, a queue grows without bound.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._experiments import experiment_looks, in_all
from equinox.figures._lines import draw_line, entry, log_if_wide, top_legend
from equinox.figures._mixes import mix_titles
from equinox.figures._select import require, select_order, with_interval
from equinox.figures._style import BLACK, PAGE_IN, Look, look, new_figure, ordered

TABLES = ("sharing_comparison",)

_PER_MS = 1e-3  # ms in a us


def plot(published: Mapping[str, float], rows: pd.DataFrame) -> Figure:
    """Draw p99 latency and training over the load of each mix: a column a mix, a color a run."""
    del published  # what is compared are two results of this evaluation
    rows = rows[rows["scheduling"] == "priority"]
    rows = require(rows, "sharing_comparison", "scheduling priority")
    rows = pd.concat(select_order(mine) for _, mine in rows.groupby("experiment"))
    mixes, looks = in_all(rows, "mix"), experiment_looks(rows["experiment"])
    titles = mix_titles(rows)
    figure = new_figure(PAGE_IN, 3.6)
    grid = figure.subplots(2, len(mixes), sharex=True, sharey="row", squeeze=False)
    for upper, lower, mix in zip(*grid, mixes, strict=True):
        upper.set_title(titles[mix])
        lower.set_xlabel("Load of all (of saturation)")
        for name, style in looks.items():
            mine = rows[(rows["mix"] == mix) & (rows["experiment"] == name)]
            _draw_run(upper, lower, mine, style)
    grid[0][0].set_ylabel("99th-percentile\nlatency (ms)")
    grid[1][0].set_ylabel("Training\n(% of dedicated)")
    grid[1][0].set_ylim(0, None)
    log_if_wide(grid[0][0])
    handles = [entry(style.label, style.color) for style in looks.values()]
    services = ordered(rows.loc[rows["mix"].isin(mixes), "workload"])
    handles += [
        entry(look(name).label, BLACK, linestyle="none", marker=look(name).marker)
        for name in services
    ]
    top_legend(figure, columns=len(handles), handles=handles)
    return figure


def _draw_run(upper: Axes, lower: Axes, rows: pd.DataFrame, style: Look) -> None:
    for service in ordered(rows["workload"]):
        mine = rows[rows["workload"] == service]
        series = with_interval(mine, "load", "p99_latency_us", scale=_PER_MS)
        if len(series):
            drawn = Look(label=service, color=style.color, marker=look(service).marker)
            draw_line(upper, series, drawn)
    trained = rows.drop_duplicates("load")  # the same for all services
    series = with_interval(trained, "load", "training_relative", scale=100)
    if len(series):
        draw_line(lower, series, Look(label=style.label, color=style.color, marker="none"))
    for axes in (upper, lower):
        axes.set(xlabel=axes.get_xlabel() if axes is lower else "", ylabel="")
