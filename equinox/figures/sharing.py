"""Several services on one accelerator: the tail latency of each, and training beside them.

Columns are mixes of services, named with the requests of a batch where they are fewer than the
rows of the array. Upper row: solid lines share the machine with training under the priority
scheduler, dashed ones do not train; dotted is the latency target of the service of that color.
Lower row: training relative to a dedicated accelerator; bands are 95 % intervals over seeds. Where
a point is missing, a queue grows without bound. A batch that runs is not interrupted, so that what
a service waits for is the longest batch of the others.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import draw_line, entry, log_if_wide, top_legend
from equinox.figures._mixes import mix_titles
from equinox.figures._select import require, select_order, with_interval
from equinox.figures._style import BLACK, PAGE_IN, Look, look, new_figure, ordered

TABLES = ("sharing",)

_PER_MS = 1e-3  # ms in a us


def plot(published: Mapping[str, float], sharing: pd.DataFrame) -> Figure:
    """Draw p99 latency and training over the load of each mix: a column per mix."""
    del published  # none is about several services
    rows = select_order(require(sharing, "sharing", "any mix"))
    rows = rows[rows["scheduling"].isin(["priority", "inference_only"])]
    rows = require(rows, "sharing", "scheduling priority or inference_only")
    titles, services = mix_titles(rows), ordered(rows["workload"])
    figure = new_figure(PAGE_IN, 3.8)
    grid = figure.subplots(
        2, len(titles), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 2)
    )
    for upper, lower, (mix, title) in zip(*grid, titles.items(), strict=True):
        mine = rows[rows["mix"] == mix]
        upper.set_title(title)
        _draw_latencies(upper, mine)
        _draw_training(lower, mine)
        lower.set_xlabel("Load of all (of saturation)")
    grid[0][0].set_ylabel("99th-percentile\nlatency (ms)")
    grid[1][0].set_ylabel("Training\n(% of dedicated)")
    grid[1][0].set_ylim(0, None)
    log_if_wide(grid[0][0])
    handles = [entry(look(s).label, look(s).color, marker=look(s).marker) for s in services]
    handles += [
        entry("with training", BLACK),
        entry("without", BLACK, linestyle="--"),
        entry("target", BLACK, linestyle=":"),
    ]
    top_legend(figure, columns=len(handles), handles=handles)
    return figure


def _draw_latencies(axes: Axes, rows: pd.DataFrame) -> None:
    for service in ordered(rows["workload"]):
        mine, drawn = rows[rows["workload"] == service], look(service)
        shared = mine[mine["scheduling"] == "priority"]
        if len(shared):
            draw_line(axes, with_interval(shared, "load", "p99_latency_us", scale=_PER_MS), drawn)
        alone = mine[mine["scheduling"] == "inference_only"]
        mean_ms = with_interval(alone, "load", "p99_latency_us", scale=_PER_MS)["mean"]
        axes.plot(mean_ms.index, mean_ms, color=BLACK, linestyle="--", linewidth=0.8, zorder=3)
        for target_us in mine["latency_target_us"].dropna().unique():
            axes.axhline(target_us * _PER_MS, color=drawn.color, linestyle=":", linewidth=0.9)
    axes.set(xlabel="", ylabel="")  # outer panels get theirs


def _draw_training(axes: Axes, rows: pd.DataFrame) -> None:
    trained = rows[rows["scheduling"] == "priority"].drop_duplicates("load")  # same for all
    series = with_interval(trained, "load", "training_relative", scale=100)
    draw_line(axes, series, Look(label="training", color=BLACK, marker="o"))
    axes.set(xlabel="", ylabel="")
