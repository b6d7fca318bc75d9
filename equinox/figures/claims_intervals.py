"""Every judged claim: what came out here, over what was published.

A dot is our value, its line the interval (95 % over seeds, or 5 to 95 % over draws of the hardware
constants), the band what the claim accepts, all divided by the published value, or by the limit of
a claim in words, which the brackets at the right hold; an arrow points at what lies beyond the
axis. At one, both are the same.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import entry, top_legend
from equinox.figures._select import require
from equinox.figures._style import BLACK, PAGE_IN, PALE, look, new_figure
from equinox.units import UNIT_SIGNS

TABLES = ("claims",)

_FIRST, _LAST = -0.25, 2.25
_VERDICTS = ("reproduced", "partly", "not_reproduced")


def plot(published: Mapping[str, float], claims: pd.DataFrame) -> Figure:
    """Draw value and interval over the published value: a row per judged claim."""
    del published  # the table has them
    rows = claims[claims["verdict"].isin(_VERDICTS)].dropna(subset=["reproduced"])
    accepted = rows[["accepted_low", "accepted_high"]].mean(axis=1)
    rows = rows.assign(base=rows["published"].fillna(accepted))
    rows = require(rows[rows["base"] != 0].dropna(subset=["base"]), "claims", "a judged claim")
    rows = rows.sort_values(["chapter", "id"], kind="stable").reset_index(drop=True)
    figure = new_figure(PAGE_IN, 0.9 + 0.19 * len(rows))
    axes = figure.subplots()
    for position, row in rows.iterrows():
        _draw_claim(axes, int(str(position)), row)
    axes.annotate(
        *("here (published)", (_LAST + 0.08, -0.75)),
        va="center",
        ha="left",
        fontsize=6,
        weight="bold",
    )
    axes.axvline(1, color=BLACK, linestyle=":", linewidth=0.8, zorder=2)
    axes.set_yticks(range(len(rows)), rows["title"])
    axes.set(ylim=(len(rows) - 0.4, -1.1), xlim=(_FIRST, _LAST + 1.0))
    axes.set_xticks(np.arange(0, _LAST, 0.5))
    axes.set(xlabel="Reproduced over published (×)", ylabel="Claim")
    axes.grid(visible=False, axis="y")
    kinds = [look(name) for name in _VERDICTS]
    handles = [entry(k.label, k.color, linestyle="none", marker=k.marker) for k in kinds]
    band = entry("accepted", PALE)
    band.set_linewidth(5)
    top_legend(figure, columns=4, handles=[*handles, band])
    return figure


def _draw_claim(axes: Axes, position: int, row: pd.Series) -> None:
    base, style = row["base"], look(row["verdict"])
    ends = row[["accepted_low", "accepted_high"]].astype(float) / base
    first, last = np.clip(
        [ends.iloc[0] if ends.notna().iloc[0] else _FIRST,
         ends.iloc[1] if ends.notna().iloc[1] else _LAST], _FIRST, _LAST)  # fmt: skip
    axes.barh(position, last - first, left=first, height=0.8, color=PALE, alpha=0.7, zorder=0)
    value = row["reproduced"] / base
    if not np.isnan(row["low"]):
        low, high = row["low"] / base, row["high"] / base
        axes.hlines(
            position, *np.clip([low, high], _FIRST, _LAST), color=style.color, linewidth=1.6
        )
        for end, beyond, marker in ((_FIRST, low < _FIRST, "<"), (_LAST, high > _LAST, ">")):
            if beyond:
                axes.plot(end, position, marker, color=style.color, markersize=3)
    inside = _FIRST <= value <= _LAST
    axes.plot(
        *(np.clip(value, _FIRST, _LAST), position),
        color=style.color,
        marker=style.marker if inside else (">" if value > _LAST else "<"),
        markersize=4.5,
        zorder=3,
    )
    unit = UNIT_SIGNS.get(row["unit"], row["unit"])
    words = f"{row['reproduced']:.3g} {unit}"
    goal = f"{row['published']:.4g}" if not np.isnan(row["published"]) else f"in words, {base:.3g}"
    axes.annotate(
        *(f"{words} ({goal})", (_LAST + 0.08, position)), va="center", ha="left", fontsize=6
    )
