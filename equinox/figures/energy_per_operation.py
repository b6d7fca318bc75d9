"""Energy and area of a multiply-accumulate, by encoding.

One processing element of the hardware model at its nominal voltage. A bar is at the largest block
of values that share an exponent and an accumulator, the line reaches to the smallest: what sharing
saves. The thesis states that HBFP has the energy of fixed point of the same width, and its density.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._select import require
from equinox.figures._style import BLACK, PAGE_IN, look, new_figure, ordered

TABLES = ("density",)

_PANELS = {"energy_pj": "Energy of a MAC (pJ)", "area_um2": "Area of a MAC (µm²)"}


def plot(published: Mapping[str, float], density: pd.DataFrame) -> Figure:
    """Draw energy and area of a multiply-accumulate: a bar per encoding."""
    del published  # statements on energy are about whole designs
    rows = density.dropna(subset=list(_PANELS))
    require(rows, "density", "a model with energies")
    rows = rows[rows["model"] == ordered(rows["model"])[0]]
    encodings = ordered(rows["encoding"])
    figure = new_figure(PAGE_IN, 0.7 + 0.2 * len(encodings))
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, (column, label) in zip(panels, _PANELS.items(), strict=True):
        _draw_bars(axes, rows.pivot_table(index="encoding", columns="block", values=column))
        axes.set_xlabel(label)
    blocks = f"blocks of {rows['block'].max()} (line: down to {rows['block'].min()})"
    panels[0].set_title(f"{look(rows['model'].iloc[0]).label.capitalize()}, {blocks}", loc="left")
    panels[0].set_yticks(range(len(encodings)), [look(name).label for name in encodings])
    panels[0].set_ylim(len(encodings) - 0.5, -0.5)
    panels[0].set_ylabel("Encoding")
    return figure


def _draw_bars(axes: Axes, costs: pd.DataFrame) -> None:
    for row, name in enumerate(ordered(costs.index)):
        of_encoding = costs.loc[name].dropna()
        shared, alone = of_encoding.iloc[-1], of_encoding.iloc[0]
        style = look(name)
        axes.barh(row, shared, height=0.7, color=style.color, label=style.label)
        axes.hlines(row, min(shared, alone), max(shared, alone), color=BLACK, linewidth=1)
        axes.annotate(
            *(f"{shared:.3g}" if shared < 1000 else f"{shared:.0f}", (max(shared, alone), row)),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
        )
    axes.margins(x=0.12)
    axes.set_xlim(0, None)
    axes.grid(visible=False, axis="y")
