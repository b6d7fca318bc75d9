"""Claims on training beside inference."""

import numpy as np
import pandas as pd

from equinox.report.measures.measurement import (
    PERCENT,
    TRAINING_DESIGN,
    TRAINING_SERVICE,
    Measurement,
    NotComputedError,
    Tables,
    mean_interval,
    measures,
)


def _simulated(tables: Tables, scheduling: str, batchings: str = "adaptive") -> pd.DataFrame:
    """Return the simulations of the training design; `batchings` is the start of their names."""
    rows = tables["colocation"]
    rows = rows[(rows["design"] == TRAINING_DESIGN) & (rows["scheduling"] == scheduling)]
    rows = rows[rows["workload"] == TRAINING_SERVICE]
    rows = rows[rows["batching"].str.startswith(batchings)]
    if rows.empty:
        raise NotComputedError(f"no simulation of {TRAINING_DESIGN} under {scheduling}")
    return rows


@measures("equinox.training_share")
def _training_share(tables: Tables) -> Measurement:
    rows = _simulated(tables, "priority")
    means = rows.groupby(["batching", "load"], as_index=False)["training_relative"].mean()
    best = means.loc[means["training_relative"].idxmax()]
    batching, load = str(best["batching"]), float(best["load"])
    at_best = rows[(rows["batching"] == batching) & (rows["load"] == load)]["training_relative"]
    alone = _simulated(tables, "training_only")["training_relative"].mean()
    full = tables["colocation"].query(
        "design == @TRAINING_DESIGN and workload == @TRAINING_SERVICE"
        " and scheduling == 'priority' and batching == 'full'"
    )["training_relative"]
    how = (
        f"{TRAINING_DESIGN} design, priority; largest over loads and timeouts, at load {load:g} "
        f"with {batching} batching; {PERCENT * alone:.0f} % with no inference at all, "
        f"{PERCENT * full.max():.0f} % if only full batches issue{_other_services(tables)}"
    )
    return mean_interval(at_best, table="colocation", how=how).scaled(PERCENT)


def _other_services(tables: Tables) -> str:
    """Return the largest share of each other service on the training design, in words."""
    rows = tables["colocation"]
    rows = rows[(rows["design"] == TRAINING_DESIGN) & (rows["scheduling"] == "priority")]
    rows = rows[rows["workload"] != TRAINING_SERVICE]
    if rows.empty:
        return ""
    means = rows.groupby(["workload", "batching", "load"])["training_relative"].mean()
    best = means[means.groupby("workload").idxmax()].reset_index()
    named = [
        f"{name} {PERCENT * share:.0f} % ({batching})"
        for name, batching, share in best[["workload", "batching", "training_relative"]].to_numpy()
    ]
    return f"; largest of other services and batchings: {', '.join(named)}"


@measures("equinox.tail")
def _tail(tables: Tables) -> Measurement:
    point = ["load", "seed"]
    alone, beside = (
        _simulated(tables, name).query("batching == 'adaptive'").set_index(point)["p99_latency_us"]
        for name in ("inference_only", "priority")
    )
    increase = (beside / alone - 1).dropna()
    if increase.empty:
        raise NotComputedError("no load was simulated with and without training")
    load = float(increase.groupby("load").mean().idxmax())  # type: ignore[arg-type]
    how = (
        f"{TRAINING_SERVICE}, largest over loads, at load {load:g}; {TRAINING_DESIGN} design, "
        f"priority{_other_tails(tables)}"
    )
    at_worst = increase[increase.index.get_level_values("load") == load]
    return mean_interval(at_worst, table="colocation", how=how).scaled(PERCENT)


def _other_tails(tables: Tables) -> str:
    """Return the largest increase of each other service under adaptive batching, in words."""
    rows = tables["colocation"].query("design == @TRAINING_DESIGN and batching == 'adaptive'")
    rows = rows[rows["workload"] != TRAINING_SERVICE]
    p99 = rows.pivot_table(
        index=["workload", "load", "seed"], columns="scheduling", values="p99_latency_us"
    )
    if not {"priority", "inference_only"} <= set(p99.columns):
        return ""
    increase = (p99["priority"] / p99["inference_only"] - 1).groupby(["workload", "load"]).mean()
    largest = increase.groupby("workload").max()
    named = [
        f"{name} {PERCENT * value:.1f} %" if np.isfinite(value) else f"{name}, whose queue grows"
        for name, value in largest.items()
    ]
    return f"; other services: {', '.join(named)}"
