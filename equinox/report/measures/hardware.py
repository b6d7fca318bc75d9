"""Claims on the design space and its hardware."""

import numpy as np
import pandas as pd

from equinox.report.measures.measurement import (
    MEASURES,
    PERCENT,
    Measurement,
    NotComputedError,
    Tables,
    measures,
)
from equinox.units import label

_TWIN = "the default's 500 µs design over its fixed-point twin, not chosen anew"
#: Quantities of the table sensitivity in words.
_QUANTITIES = {
    "throughput_500us": "throughput of the 500 µs design over the latency-optimal one",
    "near_optimal": "throughput of the 500 µs design over the unconstrained one",
    "encoding_area": f"increase of area, {_TWIN}",
    "encoding_power": f"increase of power, {_TWIN}",
    "energy_like_fixed8": f"energy per operation, {_TWIN}",
    "controller_area": "the controller's share of area",
    "controller_power": "the controller's share of power",
}

#: One plus the other: of the same variance.
_VARIES_LIKE = {"energy_like_fixed8": "encoding_power"}


def _studied(tables: Tables, quantity: str, factor: float = 1.0) -> Measurement:
    """Return a quantity's baseline with the 5th to 95th percentile of its Monte Carlo draws.

    It is in a unit that is `factor` times smaller than the table's.
    """
    rows = tables["sensitivity"]
    rows = rows[rows["quantity"] == quantity]
    rows = rows.assign(value=factor * rows["value"])
    baseline = rows.loc[rows["study"] == "baseline", "value"].dropna()
    draws = rows.loc[rows["study"] == "monte_carlo", "value"].dropna()
    if baseline.empty:
        what = _QUANTITIES[quantity]
        raise NotComputedError(f"no design fits the budget, so that there is no {what}")
    low, high = np.percentile(draws, [5, 95]) if len(draws) else (np.nan, np.nan)
    return Measurement(
        value=float(baseline.iloc[0]),
        low=float(low),
        high=float(high),
        table="sensitivity",
        how="; ".join(
            [
                _QUANTITIES[quantity],
                f"interval: 5 to 95 % of {len(draws)} draws of all constants",
                *_chosen_anew(tables["sensitivity"], quantity, factor),
                *_moved_most(rows, " %" if factor == PERCENT else ""),
                *_decided_by(tables["sobol"], quantity),
            ]
        ),
    )


def _chosen_anew(sensitivity: pd.DataFrame, quantity: str, factor: float) -> list[str]:
    """Return the interval over draws that choose the design anew, of a quantity that does not."""
    rows = sensitivity[sensitivity["quantity"] == f"{quantity}_searched"]
    draws = rows.loc[rows["study"] == "monte_carlo", "value"].dropna()
    if draws.empty:
        return []
    low, high = np.percentile(factor * draws, [5, 95])
    return [f"{low:.3g} to {high:.3g} with the design chosen anew in each draw"]


def _moved_most(rows: pd.DataFrame, unit: str) -> list[str]:
    """Return the two constants or choices that change a quantity most, with its range over each."""
    alone = rows[rows["study"].isin(["one_at_a_time", "choice"])].dropna(subset=["value"])
    if alone.empty:
        return []
    ends = alone.groupby("constant")["value"].agg(["min", "max"])
    widest = (ends["max"] - ends["min"]).sort_values(ascending=False, kind="stable").index[:2]
    named = [
        f"{label(name)}, to {ends.loc[name, 'min']:.3g} … {ends.loc[name, 'max']:.3g}{unit}"
        for name in widest
    ]
    return [f"moved most, each alone, by {', and by '.join(named)}"]


def _decided_by(sobol: pd.DataFrame, quantity: str) -> list[str]:
    """Return the two constants of the largest total Sobol index, with it."""
    shares = sobol[sobol["quantity"] == _VARIES_LIKE.get(quantity, quantity)]
    shares = shares.dropna(subset=["total"]).sort_values("total", ascending=False, kind="stable")
    named = [f"{label(str(row.constant))} {row.total:.2f}" for row in shares[:2].itertuples()]
    return [f"largest total Sobol indices: {', '.join(named)}"] if named else []


def _register_study(claim_id: str, quantity: str, factor: float = 1.0) -> None:
    MEASURES[claim_id] = lambda tables: _studied(tables, quantity, factor)


_register_study("equinox.throughput_500us", "throughput_500us")
_register_study("equinox.near_optimal", "near_optimal")
_register_study("equinox.encoding_power", "encoding_power", PERCENT)
_register_study("equinox.encoding_area", "encoding_area", PERCENT)
_register_study("equinox.energy_like_fixed8", "energy_like_fixed8")


@measures("equinox.controller")
def _controller(tables: Tables) -> Measurement:
    shares = [_studied(tables, f"controller_{kind}", PERCENT) for kind in ("area", "power")]
    return max(shares, key=lambda share: share.value)
