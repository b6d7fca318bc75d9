"""How an experiment and the scale that it changes are drawn beside each other."""

from collections.abc import Iterable

import pandas as pd

from equinox.figures._style import BLUE, GRAY, VERMILION, Look

_COLORS = (GRAY, VERMILION, BLUE)
_MARKERS = ("s", "D", "o")


def experiment_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return how each of `names` is drawn, the scale (without an @) first."""
    first = sorted(set(names), key=lambda name: ("@" in name, name))
    return {
        name: Look(
            label=name,
            color=_COLORS[index % len(_COLORS)],
            marker=_MARKERS[index % len(_MARKERS)],
        )
        for index, name in enumerate(first)
    }


def in_all(rows: pd.DataFrame, column: str) -> list[str]:
    """Return the values of `column` that the rows of every experiment have; all if none is."""
    sets = [set(mine[column]) for _, mine in rows.groupby("experiment")]
    return sorted(set.intersection(*sets) or set.union(*sets))
