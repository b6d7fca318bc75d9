"""What came out here for each claim: one function of the tables for each id that can be judged.

To add a claim, add its row to config/published.yaml and a function of the same id here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd
from scipy import stats

Tables = Mapping[str, pd.DataFrame]

PERCENT = 100.0
TRAINING_DESIGN = "500us"  # the design that the paper trains on
TRAINING_SERVICE = "lstm_2048_25"  # and the inference service beside it
HBFP = "hbfp8_16"


class NotComputedError(ValueError):
    """The tables of this scale do not hold what a claim is computed from."""


@final
@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A value with its interval (NaN where there is none), in the unit of its claim."""

    value: float
    low: float = np.nan
    high: float = np.nan
    table: str
    how: str

    def scaled(self, factor: float) -> "Measurement":
        """Return the measurement in a unit that is `factor` times smaller."""
        value, low, high = (factor * end for end in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)


Measure = Callable[[Tables], Measurement]
MEASURES: dict[str, Measure] = {}


def measures(claim_id: str) -> Callable[[Measure], Measure]:
    """Register a function as the one that measures `claim_id`."""

    def register(function: Measure) -> Measure:
        MEASURES[claim_id] = function
        return function

    return register


def mean_interval(values: pd.Series, *, table: str, how: str) -> Measurement:
    """Return the mean of independent `values` with its 95 % confidence interval (Student's t)."""
    mean, n = float(values.mean()), len(values)
    if n < 2 or not np.isfinite(mean):
        return Measurement(value=mean, table=table, how=how)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Measurement(value=mean, low=mean - half, high=mean + half, table=table, how=how)


# --- encoding


def _judged(tables: Tables, encoding: str, metric: str = "error") -> pd.DataFrame:
    """Return the comparisons with FP32 of `encoding` on tasks of this metric.

    Raises:
        NotComputedError: there are none.
    """
    rows = tables["equivalence"]
    rows = rows[(rows["metric"] == metric) & (rows["encoding"] == encoding)]
    return _some(rows, f"no run of {encoding}, beside one of fp32, at this scale")


def _some(rows: pd.DataFrame, what_is_missing: str) -> pd.DataFrame:
    if rows.empty:
        raise NotComputedError(what_is_missing)
    return rows


def _described(row: pd.Series) -> str:
    words = f"{row['task']} on {row['dataset']}, {row['encoding']}, {row['seeds']} seeds paired "
    words += f"with fp32, weights stored with {row['storage_rounding']} rounding"
    return words + (f", {row['diverged']} diverged" if row["diverged"] else "")


def difference_to_fp32(row: pd.Series) -> Measurement:
    """Return the mean difference of a row of table `equivalence`, infinite if a run diverged."""
    how = _described(row)
    if row["diverged"]:
        return Measurement(value=np.inf, table="equivalence", how=how)
    return Measurement(
        value=row["difference"], low=row["low"], high=row["high"], table="equivalence", how=how
    )


def distance_to_fp32(row: pd.Series) -> Measurement:
    """Return how far, in either direction, the metric of a row may be from FP32's.

    Its upper bound is below the margin if and only if the two one-sided tests find equivalence.
    """
    signed = difference_to_fp32(row)
    ends = abs(signed.low), abs(signed.high)
    crosses = signed.low <= 0 <= signed.high
    side = "better" if signed.value < 0 else "worse"
    p_value = "" if np.isnan(row["p_value"]) else f", p = {row['p_value']:.2g}"
    return Measurement(
        value=abs(signed.value),
        low=0.0 if crosses else min(ends),
        high=max(ends),
        table=signed.table,
        how=f"{signed.how}; {side} than fp32; equivalence tests: {row['outcome']}{p_value}",
    )


def _farthest(rows: pd.DataFrame) -> Measurement:
    """Return the distance to FP32 whose upper bound is largest among `rows`."""
    found = [distance_to_fp32(row) for _, row in rows.iterrows()]
    farthest = max(found, key=lambda item: item.value if np.isnan(item.high) else item.high)
    equivalent = int((rows["outcome"] == "equivalent").sum())
    how = f"{farthest.how}; the farthest of {len(rows)}, of which {equivalent} are equivalent"
    return replace(farthest, how=how).scaled(PERCENT)


@measures("hbfp.like_fp32_images")
def _like_fp32_images(tables: Tables) -> Measurement:
    return _farthest(_judged(tables, HBFP))


@measures("hbfp.like_fp32_text")
def _like_fp32_text(tables: Tables) -> Measurement:
    return _farthest(_judged(tables, HBFP, "perplexity"))


@measures("hbfp.mantissa4")
def _mantissa4(tables: Tables) -> Measurement:
    found = [difference_to_fp32(row) for _, row in _judged(tables, "hbfp4_16").iterrows()]
    return max(found, key=lambda item: item.value).scaled(PERCENT)


@measures("hbfp.tile_within")
def _tile_within(tables: Tables) -> Measurement:
    rows = tables["equivalence"]
    if not (rows["tile"] == "64x64").any():
        raise NotComputedError("no run with tiles of 64 at this scale")
    usual = (rows["mantissa_bits"] == 8) & (rows["storage_bits"] == 16)
    usual &= (rows["gradient_rounding"] == "stochastic") & (rows["storage_rounding"] == "nearest")
    kept = rows[(rows["metric"] == "error") & rows["tile"].isin(["24x24", "64x64"]) & usual]
    return _farthest(_some(kept, "no run of hbfp8 with tiles at this scale"))


def _final_metric(tables: Tables, task: str, encoding: str) -> Measurement:
    """Return the metric of a task after its last epoch, with the interval over seeds."""
    rows = tables["accuracy"]
    rows = rows[(rows["task"] == task) & (rows["encoding"] == encoding)]
    rows = _some(rows, f"the task {task} was not trained at this scale: {_AT_FULL_SCALE}")
    last = rows[rows["epoch"] == rows["epoch"].max()]
    values = last["value"].where(last["status"] == "ok", np.inf)
    how = f"{task} on {last['dataset'].iloc[0]}, {encoding}, {len(last)} seeds"
    found = mean_interval(values, table="accuracy", how=how)
    return found.scaled(PERCENT) if (last["metric"] == "error").all() else found


def _register_published(dataset: str, network: str, task: str) -> None:
    """Register the final metrics of one of the thesis's networks on its own data."""

    def register(encoding: str) -> None:
        MEASURES[f"hbfp.{dataset}.{network}.{encoding}"] = lambda tables: _final_metric(
            tables, f"{dataset}_{task}", encoding
        )

    for encoding in ("fp32", HBFP, "hbfp12_16"):
        register(encoding)


_AT_FULL_SCALE = (
    "run `snakemake accuracy claims --config scale=full data_dir=FOLDER` on GPUs, with its data in "
    "FOLDER (docs/full_scale.md); at scale default, small networks on data that come with the "
    "product stand in for it in hbfp.like_fp32_images and hbfp.like_fp32_text"
)
_register_published("cifar100", "resnet50", "resnet50")
_register_published("cifar100", "wrn28_10", "wrn28_10")
_register_published("cifar100", "densenet40", "densenet40")
_register_published("svhn", "resnet50", "resnet50")
_register_published("svhn", "wrn16_8", "wrn16_8")
_register_published("svhn", "densenet40", "densenet40")
_register_published("imagenet", "resnet50", "resnet50")
_register_published("ptb", "lstm", "awd_lstm")


_PUBLISHED_MODEL = "authors_chip"  # the composition that the published ratios are of


def _density_ratios(
    tables: Tables, column: str, over: str, encoding: str, block: int
) -> dict[str, float]:
    """Return the ratio in each composition of components (`model` of table density) that has it."""
    density = tables["density"]
    rows = density[density["block"] == block]
    costs = rows.pivot(index="encoding", columns="model", values=column)
    missing = {over, encoding} - set(costs.index)
    if missing or _PUBLISHED_MODEL not in costs:
        wanted = sorted(missing) or _PUBLISHED_MODEL
        raise NotComputedError(f"table density has no {wanted} at block {block}")
    return dict((costs.loc[over] / costs.loc[encoding]).dropna())


def _register_density(claim_id: str, column: str, over: str, encoding: str, block: int) -> None:
    def ratio(tables: Tables) -> Measurement:
        ratios = _density_ratios(tables, column, over, encoding, block)
        each = ", ".join(f"{name} {value:.3g}" for name, value in sorted(ratios.items()))
        return Measurement(
            value=ratios[_PUBLISHED_MODEL],
            low=min(ratios.values()),
            high=max(ratios.values()),
            table="density",
            how=f"{column} of {over} over {encoding}, block {block}, composed as the authors' chip; "
            f"interval: the range of compositions ({each})",
        )

    MEASURES[claim_id] = ratio


_register_density("hbfp.density_hbfp4_fp32", "area_um2", "fp32", "hbfp4_16", 16)
_register_density("hbfp.density_hbfp4_bf16", "area_um2", "bf16", "hbfp4_16", 16)
_register_density("hbfp.bandwidth", "operand_bit", "fp32", HBFP, 576)
_register_density("hbfp.model_size", "storage_bit", "fp32", HBFP, 576)


# --- design space and hardware


_OF_ONE_MACHINE = " of the default's 500 us design and its fixed-point twin, not chosen anew"
_STATED = dict.fromkeys(("encoding_area", "encoding_power", "energy_like_fixed8"), _OF_ONE_MACHINE)


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
        raise NotComputedError(f"no design fits the budget, so that {quantity} has no value")
    low, high = np.percentile(draws, [5, 95]) if len(draws) else (np.nan, np.nan)
    return Measurement(
        value=float(baseline.iloc[0]),
        low=float(low),
        high=float(high),
        table="sensitivity",
        how="; ".join(
            [
                f"{quantity}{_STATED.get(quantity, '')}",
                f"interval: 5 to 95 % of {len(draws)} draws of all constants",
                *_chosen_anew(tables["sensitivity"], quantity, factor),
                *_moved_most(rows),
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


def _moved_most(rows: pd.DataFrame) -> list[str]:
    """Return the two constants or choices that change a quantity most, with its range over each."""
    alone = rows[rows["study"].isin(["one_at_a_time", "choice"])].dropna(subset=["value"])
    if alone.empty:
        return []
    ends = alone.groupby("constant")["value"].agg(["min", "max"])
    widest = (ends["max"] - ends["min"]).sort_values(ascending=False, kind="stable").index[:2]
    named = [
        f"{name} ({ends.loc[name, 'min']:.3g} to {ends.loc[name, 'max']:.3g})" for name in widest
    ]
    return [f"moved most by {' and '.join(named)}, alone"]


def _decided_by(sobol: pd.DataFrame, quantity: str) -> list[str]:
    """Return the two constants of the largest total Sobol index, with it."""
    shares = sobol[sobol["quantity"] == _VARIES_LIKE.get(quantity, quantity)]
    shares = shares.dropna(subset=["total"]).sort_values("total", ascending=False, kind="stable")
    named = [f"{row.constant} ({row.total:.2f})" for row in shares[:2].itertuples()]
    return [f"largest total Sobol index: {' and '.join(named)}"] if named else []


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


# --- co-location


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
    named = [f"{name} {PERCENT * value:.1f} %" for name, value in largest.items()]
    return f"; other services: {', '.join(named)}"
