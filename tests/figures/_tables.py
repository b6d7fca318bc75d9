"""Tables that fit their declarations: names from here, everything else drawn at random."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from equinox.columns import Column
from equinox.tables import TABLES, check_table

_ENCODINGS = (
    *("fp32", "bf16", "hbfp12_16", "hbfp8_16", "hbfp6_16", "hbfp4_16", "bfp8"),
    *("hbfp8_tile8", "hbfp4_tile8"),
)
_DESIGNS = ("min_latency", "50us", "500us", "unconstrained")
_KEYS: Mapping[str, Mapping[str, Sequence[object]]] = {
    "accuracy": {
        "task": ("mlp", "resnet", "lstm"),
        "encoding": _ENCODINGS,
        "seed": (0, 1, 2),
        "epoch": (1, 2, 3),
    },
    "equivalence": {
        "task": ("mlp", "resnet", "lstm"),
        "encoding": (*_ENCODINGS[1:], "hbfp4_4", "float_e5m2", "float_e5m3"),
    },
    "density": {
        "model": ("authors_pe", "authors_chip", "equinox"),
        "encoding": _ENCODINGS[:6],
        "block": (4, 16, 64, 576),
    },
    "pareto": {
        "encoding": ("hbfp8_16", "bf16", "int8"),
        "rows": (1, 8, 64),
        "width": (8, 16),
        "voltage_v": (0.6, 0.7),
    },
    "designs": {"design": _DESIGNS, "encoding": ("hbfp8_16", "bf16", "int8")},
    "comparison": {
        "experiment": ("default", "default@more_power"),
        "design": _DESIGNS,
        "encoding": ("hbfp8_16", "bf16"),
    },
    "accuracy_comparison": {
        "experiment": ("default", "default@mx"),
        "task": ("mlp", "resnet", "lstm"),
        "encoding": (*_ENCODINGS[1:], "mxint8"),
    },
    "colocation_comparison": {
        "experiment": ("default", "default@more_power"),
        "design": ("50us", "500us"),
        "encoding": ("hbfp8_16",),
        "workload": ("lstm_2048_25", "resnet50"),
        "training_task": ("own",),
        "arrivals": ("poisson",),
        "batching": ("adaptive",),
        "scheduling": ("inference_only", "priority"),
        "load": (0.1, 0.5, 0.9),
    },
    "sharing_comparison": {
        "experiment": ("default", "default@more_power"),
        "mix": ("some", "others"),
        "design": ("500us",),
        "encoding": ("hbfp8_16",),
        "workload": ("lstm_2048_25", "resnet50"),
        "training_task": ("own",),
        "arrivals": ("poisson",),
        "batching": ("shortened",),
        "order": ("listed",),
        "scheduling": ("inference_only", "priority"),
        "load": (0.1, 0.5, 0.9),
    },
    "breakdown": {
        "design": (*_DESIGNS, "fixed_point_inference"),
        "encoding": ("hbfp8_16",),
        "component": ("multipliers", "registers", "sram", "hbm_interface", "scheduler", "new_one"),
    },
    "roofline": {
        "design": _DESIGNS,
        "encoding": ("hbfp8_16", "bf16"),
        "phase": ("inference", "training"),
    },
    "claims": {"id": tuple(f"hbfp.some.claim_{i}" for i in range(12))},
    "sensitivity": {
        "study": ("one_at_a_time", "monte_carlo"),
        "constant": tuple(f"a_constant_with_quite_a_long_name_{i}" for i in range(20)),
        "setting": ("low", "high"),
        "quantity": (
            *("throughput_500us", "near_optimal", "encoding_power", "encoding_area"),
            *("controller_area", "controller_power", "energy_like_fixed8", "hbfp8_over_bf16"),
        ),
    },
    "sobol": {
        "quantity": ("throughput_500us", "near_optimal", "encoding_power", "controller_area"),
        "constant": tuple(f"a_constant_{i}" for i in range(20)),
    },
    "colocation": {
        "design": _DESIGNS,
        "encoding": ("hbfp8_16",),
        "workload": ("lstm_2048_25",),
        "training_task": ("lstm_2048_25",),
        "arrivals": ("poisson",),
        "batching": ("adaptive", "full"),
        "scheduling": ("inference_only", "priority", "fair", "training_only"),
        "load": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
        "seed": (0, 1),
    },
    "operating_points": {
        "design": ("min_latency", "50us", "500us", "unconstrained"),
        "encoding": ("hbfp8_16",),
        "workload": ("lstm_2048_25", "resnet50"),
        "training_task": ("own",),
        "arrivals": ("poisson",),
        "batching": ("adaptive", "full", "shortened"),
        "scheduling": ("inference_only", "priority", "fair", "software", "training_only"),
        "load": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95),
    },
    "colocation_sensitivity": {
        "parameter": (
            *("baseline", "training_batch", "dram_gb_per_s", "instruction_folds"),
            *("instruction_reduction", "arrivals", "adaptive_timeout"),
        ),
        "setting": ("1.0", "2.0", "1000.0", "512"),
        "scheduling": ("inference_only", "priority"),
        "load": (0.1, 0.3, 0.5, 0.7, 0.9),
    },
    "sharing": {
        "mix": ("some", "others", "others_again"),
        "design": ("500us",),
        "encoding": ("hbfp8_16",),
        "workload": ("lstm_2048_25", "resnet50", "bert_base_128"),
        "training_task": ("own",),
        "arrivals": ("poisson",),
        "batching": ("shortened",),
        "order": ("listed", "deadline"),
        "scheduling": ("inference_only", "priority"),
        "load": (0.1, 0.5, 0.9),
    },
    "fleet": {
        "balancer": ("even", "pack"),
        "design": ("500us",),
        "scheduling": ("inference_only", "priority"),
        "interval": tuple(range(12)),
    },
}
_WORDS = {"status": "ok", "metric": "error", "storage_rounding": "nearest", "blocks": "sample"}
_WORDS["gradient_rounding"] = "stochastic"


@cache
def random_table(name: str, seed: int = 0) -> pd.DataFrame:
    """Return a full table `name` that `check_table` accepts."""
    generator = np.random.default_rng(seed)
    keys = _KEYS[name]
    frame = pd.DataFrame(list(product(*keys.values())), columns=list(keys))
    for column in TABLES[name].columns:
        if column.name not in frame:
            frame[column.name] = _draw(column, len(frame), generator)
    return check_table(_ADJUST.get(name, lambda same: same)(frame), name)


def _draw(column: Column, rows: int, generator: np.random.Generator) -> object:
    if column.kind == "text":
        return _WORDS.get(column.name, "something")
    low = max(column.low, 0.0)
    high = min(column.high, low + 5000.0)
    values = low + (high - low) * generator.uniform(0.05, 1.0, rows)
    return values.astype(int) if column.kind == "integer" else values


def _adjust_equivalence(frame: pd.DataFrame) -> pd.DataFrame:
    names = list(frame.columns)
    frame = _adjust_accuracy(frame.assign(seed=0, epoch=0, train_loss=0.0))
    text = frame["metric"] == "perplexity"
    frame = frame.assign(
        margin=np.where(text, 0.02, 0.005),
        difference=frame["difference"] / 1e5,
        diverged=frame["encoding"].isin(["bfp8"]).astype(int),
    )
    frame["low"], frame["high"] = frame["difference"] - 0.003, frame["difference"] + 0.003
    frame.loc[frame["diverged"] > 0, ["difference", "low", "high"]] = np.nan
    frame.loc[frame["encoding"] == "hbfp4_16", "outcome"] = "different"
    frame["outcome"] = frame["outcome"].replace("something", "equivalent")
    frame["fp32_value"] = np.where(text, 60.0, 0.14)
    return frame[names]


def _adjust_accuracy(frame: pd.DataFrame) -> pd.DataFrame:
    frame["dataset"] = np.where(frame["task"] == "lstm", "sotu", "fashion_mnist")
    frame["metric"] = np.where(frame["task"] == "lstm", "perplexity", "error")
    frame["value"] /= np.where(frame["task"] == "lstm", 10, 20_000)
    bits = {"fp32": 24, "bf16": 8, "bfp8": 8, "hbfp12_16": 12, "hbfp6_16": 6}
    by_prefix = frame["encoding"].str.extract(r"hbfp(\d+)")[0]
    bits |= {"float_e5m2": 3, "float_e5m3": 4, "mxint8": 8}
    frame["exponent_bits"] = np.where(frame["encoding"].str.startswith("float"), 5, 10)
    frame["mantissa_bits"] = frame["encoding"].map(bits).fillna(by_prefix.astype(float)).astype(int)
    tiles = {"fp32": "value", "bf16": "value", "bfp8": "tensor"}
    tiles |= dict.fromkeys(("float_e5m2", "float_e5m3"), "value")
    frame["tile"] = frame["encoding"].map(tiles).fillna("24x24")
    frame.loc[frame["encoding"].str.contains("tile8"), "tile"] = "8x8"
    storage = {"fp32": 24, "bf16": 24, "bfp8": 8, "hbfp4_4": 4}
    frame["storage_bits"] = frame["encoding"].map(storage).fillna(16).astype(int)
    diverged = (frame["encoding"] == "bfp8") & (frame["seed"] == 1) & (frame["epoch"] == 3)
    frame.loc[diverged, ["value", "train_loss"]] = np.nan
    frame.loc[diverged, "status"] = "diverged"
    return frame


def _adjust_sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    draws = frame["study"] == "monte_carlo"
    frame.loc[draws, "setting"] = frame.index[draws].astype(str)
    frame.loc[draws, "constant"] = "all"
    frame.loc[frame.index[~draws][:3], "value"] = np.nan
    baseline = frame[draws].drop_duplicates("quantity")
    baseline = baseline.assign(study="baseline", constant="none", setting="none")
    return pd.concat([frame, baseline, *_choices(baseline)])


def _choices(baseline: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the same quantities under a few banks and widths."""
    found = [
        baseline.assign(study="choice", constant="bank", setting=name, constant_value=value)
        for name, value in (("cacti_64k_32", 0.5), ("cacti_64k_64", 1.0), ("epfl_64k_32", 0.5))
    ]
    searched = baseline.assign(quantity=baseline["quantity"] + "_searched")
    for constant in ("width", "width, block_accumulator=fp32"):
        found += [
            searched.assign(study="choice", constant=constant, setting=str(w), constant_value=w)
            for w in (8, 16, 32)
        ]
    return found


def _adjust_sobol(frame: pd.DataFrame) -> pd.DataFrame:
    for order in ("first", "total"):
        share = frame[order] / 5000
        frame = frame.assign(
            **{order: share, f"{order}_low": share - 0.1, f"{order}_high": share + 0.1}
        )
    return frame


def _adjust_colocation(frame: pd.DataFrame) -> pd.DataFrame:
    shares = [column for column in frame if column.endswith("_share") and column != "dram_share"]
    frame[shares] = frame[shares].div(frame[shares].sum(axis=1), axis=0)
    frame["training_relative"] = (frame["training_relative"] / 5000).clip(0, 1)
    latencies = [column for column in frame if "_latency_us" in column]
    frame.loc[frame["scheduling"] == "training_only", latencies] = np.nan
    frame.loc[frame["scheduling"] == "inference_only", "training_task"] = "none"
    return frame


def _adjust_points_of_load(frame: pd.DataFrame) -> pd.DataFrame:
    shares = [column for column in frame if column.endswith("_share") and column != "dram_share"]
    frame[shares] = frame[shares].div(frame[shares].sum(axis=1), axis=0)
    for name, scale in (("training_relative", 5000), ("p99_increase", 50_000)):
        frame[name] /= scale
        frame[f"{name}_low"], frame[f"{name}_high"] = 0.9 * frame[name], 1.1 * frame[name]
    for column in [name for name in frame if name.endswith("_latency_us")]:
        frame[f"{column}_low"], frame[f"{column}_high"] = 0.9 * frame[column], 1.1 * frame[column]
    latencies = [column for column in frame if "_latency_us" in column]
    frame.loc[frame["scheduling"] == "training_only", latencies] = np.nan
    frame.loc[(frame["scheduling"] == "software") & (frame["load"] > 0.9), latencies] = np.inf
    return frame


def _adjust_sharing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sizes of batches and the targets of services, in place of those of rows."""
    by_4 = (frame["mix"] == "others") & (frame["workload"] == "bert_base_128")
    targets = {"lstm_2048_25": 2000.0, "resnet50": 50_000.0}
    return _adjust_points_of_load(
        frame.assign(
            max_batch=np.where(by_4, 4, 86), latency_target_us=frame["workload"].map(targets)
        )
    )


def _adjust_fleet(frame: pd.DataFrame) -> pd.DataFrame:
    frame["time_h"] = 2.0 * frame["interval"]
    frame["accelerators"] = 10_000
    return frame


def _adjust_points(frame: pd.DataFrame) -> pd.DataFrame:
    frame["throughput_op_per_s"] *= 1e11
    return frame


def _adjust_claims(frame: pd.DataFrame) -> pd.DataFrame:
    verdicts = ["reproduced", "partly", "not_reproduced", "not_run"]
    frame["verdict"] = np.resize(verdicts, len(frame))
    frame["title"] = [f"A claim in a few words, like this: {i}" for i in range(len(frame))]
    frame["unit"] = np.resize(["percent", "x"], len(frame))
    frame["accepted_low"] = frame["published"] - 1
    frame["accepted_high"] = frame["published"] + 1
    in_words = np.arange(len(frame)) % 5 == 0
    frame.loc[in_words, ["published", "accepted_low"]] = np.nan
    frame["low"], frame["high"] = 0.9 * frame["reproduced"], 1.2 * frame["reproduced"]
    frame.loc[frame["verdict"] == "not_run", ["reproduced", "low", "high"]] = np.nan
    return frame


def _adjust_roofline(frame: pd.DataFrame) -> pd.DataFrame:
    frame["memory"] = np.where(frame["phase"] == "training", "DRAM", "SRAM")
    for name in ("peak_op_per_s", "roof_op_per_s", "attained_op_per_s"):
        frame[name] *= 1e11
    frame["byte_per_s"] *= 1e9
    return frame


_ADJUST = {
    "claims": _adjust_claims,
    "roofline": _adjust_roofline,
    "pareto": _adjust_points,
    "designs": _adjust_points,
    "comparison": _adjust_points,
    "accuracy_comparison": _adjust_equivalence,
    "colocation_comparison": _adjust_points_of_load,
    "accuracy": _adjust_accuracy,
    "equivalence": _adjust_equivalence,
    "sensitivity": _adjust_sensitivity,
    "sobol": _adjust_sobol,
    "colocation": _adjust_colocation,
    "operating_points": _adjust_points_of_load,
    "colocation_sensitivity": _adjust_points_of_load,
    "sharing": _adjust_sharing,
    "sharing_comparison": _adjust_sharing,
    "fleet": _adjust_fleet,
}
