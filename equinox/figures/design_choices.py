"""The claimed ratios over the choices that decide them, the published value marked.

Left: throughput of the 500 µs design over the latency-optimal one, over what a bank of SRAM reads
in a cycle for its capacity; a dot for each bank, a line through the means of each source of read
energies. Right: power and area that the uniform encoding adds, over the width of a dot-product
unit, to which the search is confined. No choice was made to meet a published value: the default is
what config/technology says.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from equinox.figures._lines import log_if_wide, mark_level, plain_numbers, top_legend
from equinox.figures._select import require
from equinox.figures._style import BLUE, GREEN, ORANGE, PAGE_IN, VERMILION, new_figure

TABLES = ("sensitivity",)
PUBLISHED = ("equinox.throughput_500us", "equinox.encoding_power", "equinox.encoding_area")

_PERCENT = 100.0
_LINES = (  # label, color and marker, in order of appearance
    (BLUE, "o"),
    (ORANGE, "s"),
    (GREEN, "^"),
    (VERMILION, "D"),
)
_OVERHEADS = {
    "encoding_power": "Power of the encoding (+%)",
    "encoding_area": "Area of the encoding (+%)",
}


def plot(published: Mapping[str, float], sensitivity: pd.DataFrame) -> Figure:
    """Draw the 500 us ratio over banks, and the overheads of the encoding over widths."""
    chosen = sensitivity[sensitivity["study"].isin(["choice", "two_choices"])]
    chosen = chosen.dropna(subset=["value", "constant_value"])
    banks = chosen[(chosen["constant"] == "bank") & (chosen["quantity"] == "throughput_500us")]
    widths = chosen[chosen["constant"].str.startswith("width")]
    require(pd.concat([banks, widths]), "sensitivity", "the choice bank or width")
    figure = new_figure(PAGE_IN, 2.7)
    left, *right = figure.subplots(1, 1 + len(_OVERHEADS))
    _draw_banks(left, banks, published.get("equinox.throughput_500us"))
    for axes, (name, label) in zip(right, _OVERHEADS.items(), strict=True):
        rows = widths[widths["quantity"] == f"{name}_searched"]
        _draw_widths(axes, rows, published.get(f"equinox.{name}"))
        axes.set_ylabel(label)
    top_legend(figure, columns=4)
    return figure


def _draw_banks(axes: Axes, banks: pd.DataFrame, mark: float | None) -> None:
    families = banks["setting"].str.partition("_")[0]
    for (color, marker), (name, rows) in zip(_LINES, banks.groupby(families), strict=False):
        means = rows.groupby("constant_value")["value"].mean()
        axes.plot(rows["constant_value"], rows["value"], marker, color=color, alpha=0.6)
        axes.plot(means.index, means, color=color, marker="none", label=f"banks of {name}")
    _finish(axes, banks, mark, "%.3g×", right=True)
    axes.set(xlabel="SRAM read (byte/cycle/KiB)", ylabel="500 µs over min. latency (×)")


def _draw_widths(axes: Axes, widths: pd.DataFrame, mark: float | None) -> None:
    lines = list(reversed(_LINES))
    for (color, marker), (name, rows) in zip(lines, widths.groupby("constant"), strict=False):
        line = rows.sort_values("constant_value")
        other = str(name).partition("=")[2]
        label = f"{other} accumulator of blocks" if other else "default accumulator of blocks"
        values = line["value"] * _PERCENT
        axes.plot(line["constant_value"], values, color=color, marker=marker, label=label)
    _finish(axes, widths, mark, "%.3g %%")
    axes.set_xlabel("Width (values)")


def _finish(
    axes: Axes, rows: pd.DataFrame, mark: float | None, text: str, *, right: bool = False
) -> None:
    ticks = sorted(rows["constant_value"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    log_if_wide(axes)
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_formatter(plain_numbers())
    if mark is not None:
        mark_level(axes, mark, f"published {text % mark}", right=right)
