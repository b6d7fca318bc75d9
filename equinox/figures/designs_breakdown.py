"""Area and power of the named designs, by component.

Power is at full utilization; all designs have the same budget. The Equinox paper puts the
controller at next to nothing of both, and reports what the uniform encoding adds over a fixed-point
inference accelerator, which is shown beside the family.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import top_legend
from equinox.figures._select import REFERENCE_ENCODING, most_frequent, require
from equinox.figures._style import PAGE_IN, look, new_figure, ordered

TABLES = ("breakdown",)


def plot(published: Mapping[str, float], breakdown: pd.DataFrame) -> Figure:
    """Draw stacked bars of area and of power: a bar per design, a color per component."""
    del published  # overheads are ratios of designs, which the sensitivity figure shows
    shown = _one_encoding_a_design(require(breakdown, "breakdown", "any design"))
    figure = new_figure(PAGE_IN, 1.4 + 0.22 * shown["design"].nunique())
    left, right = figure.subplots(1, 2, sharey=True)
    _stack(left, shown, "area_mm2")
    _stack(right, shown, "power_w")
    left.set(xlabel="Area (mm²)", ylabel="Design")
    right.set_xlabel("Power (W)")
    top_legend(figure, columns=5)
    return figure


def _one_encoding_a_design(breakdown: pd.DataFrame) -> pd.DataFrame:
    """Return designs of the reference encoding, and those that only exist in another."""
    known = REFERENCE_ENCODING in set(breakdown["encoding"])
    main = REFERENCE_ENCODING if known else most_frequent(breakdown["encoding"])
    family = set(breakdown.loc[breakdown["encoding"] == main, "design"])
    only = breakdown[~breakdown["design"].isin(family)]
    first = only.groupby("design")["encoding"].transform("min")
    return pd.concat([breakdown[breakdown["encoding"] == main], only[only["encoding"] == first]])


def _stack(axes: Axes, shown: pd.DataFrame, quantity: str) -> None:
    designs = ordered(shown["design"])
    table = shown.pivot_table(index="design", columns="component", values=quantity, fill_value=0.0)
    table = table.loc[:, shown.groupby("component")[["area_mm2", "power_w"]].max().max(axis=1) > 0]
    start = np.zeros(len(designs))
    for component in ordered(table.columns):
        length = table.loc[designs, component].to_numpy()
        style = look(component)
        axes.barh(range(len(designs)), length, left=start, color=style.color, label=style.label)
        start += length
    axes.set_yticks(range(len(designs)), [look(name).label for name in designs])
    axes.set_ylim(len(designs) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
