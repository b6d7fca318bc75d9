"""Multiply-accumulates per area, relative to fp32.

Over the values that share an exponent and an accumulator, for each way to compose a processing
element. The authors report, from synthesis with blocks of 16, how much denser 4-bit mantissas are
than fp32 (star) and than bf16 (ring: relative to the panel's own bf16). Density grows with the
block until what the block shares no longer matters. Of lines that coincide, the first is wider.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from equinox.figures._lines import plain_numbers, top_legend
from equinox.figures._select import require
from equinox.figures._style import BLACK, PAGE_IN, look, new_figure, ordered

TABLES = ("density",)
PUBLISHED = ("hbfp.density_hbfp4_fp32", "hbfp.density_hbfp4_bf16")

_PUBLISHED_BLOCK = 16  # of the statements
_APART = 0.03  # of a value: less is not seen, and the first of two lines is drawn wider
_LINE_PT, _MARKER_PT = 1.2, 3.5  # of a line that covers none


def plot(published: Mapping[str, float], density: pd.DataFrame) -> Figure:
    """Draw area of fp32 over area, by block: a line per encoding, a panel per model."""
    require(density[density["encoding"] == "fp32"], "density", "fp32, which others are relative to")
    models = ordered(density["model"])
    figure = new_figure(PAGE_IN, 2.8)
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axes, model in zip(panels, models, strict=True):
        area_um2 = density[density["model"] == model].pivot_table(
            index="block", columns="encoding", values="area_um2"
        )
        what = f"fp32 in model {model}"
        require(area_um2.loc[:, area_um2.columns == "fp32"].T, "density", what)
        _draw_model(axes, area_um2.rdiv(area_um2["fp32"], axis=0))
        _mark_published(axes, area_um2, published)
        axes.set_title(look(model).label)
    panels[0].set_ylabel("MACs per area over fp32 (×)")
    top_legend(figure, columns=3)
    return figure


def _draw_model(axes: Axes, relative: pd.DataFrame) -> None:
    names = ordered(relative.columns)
    for index, name in enumerate(names):
        style, line = look(name), relative[name].dropna()
        covered = sum(_coincide(line, relative[later]) for later in names[index + 1 :])
        axes.plot(
            *(line.index, line),
            color=style.color,
            marker=style.marker,
            markersize=_MARKER_PT * (1 + covered),
            linewidth=_LINE_PT * (1 + 1.5 * covered),
            label=style.label,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(relative.index, [str(block) for block in relative.index], rotation=45)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(plain_numbers())
    axes.set_xlabel("Block (values)")


def _coincide(one: pd.Series, other: pd.Series) -> bool:
    """Return whether two lines cover each other at every block that both have."""
    apart = (one / other - 1).abs().dropna()
    return len(apart) > 0 and bool((apart < _APART).all())


def _mark_published(axes: Axes, area_um2: pd.DataFrame, published: Mapping[str, float]) -> None:
    for id_, base, marker, face in (
        ("hbfp.density_hbfp4_fp32", "fp32", "*", BLACK),
        ("hbfp.density_hbfp4_bf16", "bf16", "o", "none"),
    ):
        if id_ in published and base in area_um2 and _PUBLISHED_BLOCK in area_um2.index:
            area = area_um2.loc[_PUBLISHED_BLOCK]
            axes.plot(
                *(_PUBLISHED_BLOCK, published[id_] * area["fp32"] / area[base]),
                color=BLACK,
                marker=marker,
                markerfacecolor=face,
                markersize=6 if marker == "*" else 9,
                linestyle="none",
                label=f"published hbfp4, against {base}",
                zorder=4,
            )
