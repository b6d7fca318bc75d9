"""Claims on the encoding: accuracy of training, arithmetic density."""

from dataclasses import replace

import numpy as np
import pandas as pd

from equinox.report.measures.measurement import (
    HBFP,
    MEASURES,
    PERCENT,
    Measurement,
    NotComputedError,
    Tables,
    mean_interval,
    measures,
)


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
#: Columns and compositions of the table density in words.
_COSTS = {
    "area_um2": "area of a multiply-accumulate",
    "operand_bit": "bits of an operand",
    "storage_bit": "bits of a stored weight",
}
_COMPOSITIONS = {
    "authors_chip": "authors' chip",
    "authors_pe": "authors' processing element",
    "equinox": "this model",
}


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
        each = ", ".join(
            f"{_COMPOSITIONS[name]} {value:.3g}" for name, value in sorted(ratios.items())
        )
        return Measurement(
            value=ratios[_PUBLISHED_MODEL],
            low=min(ratios.values()),
            high=max(ratios.values()),
            table="density",
            how=f"{_COSTS[column]}: {over} over {encoding}, block {block}, as the authors' chip; "
            f"interval: the range of compositions ({each})",
        )

    MEASURES[claim_id] = ratio


_register_density("hbfp.density_hbfp4_fp32", "area_um2", "fp32", "hbfp4_16", 16)
_register_density("hbfp.density_hbfp4_bf16", "area_um2", "bf16", "hbfp4_16", 16)
_register_density("hbfp.bandwidth", "operand_bit", "fp32", HBFP, 576)
_register_density("hbfp.model_size", "storage_bit", "fp32", HBFP, 576)
