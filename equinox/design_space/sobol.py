"""Which constant decides which claim: Sobol indices of the claimed ratios."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import qmc

from equinox.accelerator import CONTROLLER, Machines, Technology, Workload, area_mm2, power_w
from equinox.config.design_space import DesignSpace, limit_name
from equinox.design_space.choose import FIXED_POINT
from equinox.design_space.grid import machines_of, scan
from equinox.design_space.search import search
from equinox.design_space.sweep import serve

_TECHNOLOGIES_AT_ONCE: Final = 16
_RESAMPLES: Final = 400
_RATIOS: Final = (
    *("throughput_500us", "near_optimal", "encoding_area", "encoding_power"),
    *("controller_area", "controller_power"),
)
_OF_A_POINT: Final = ("rows", "width", "arrays", "voltage_v")


def decompose_variance(
    config: DesignSpace, technology: Technology, workload: Workload
) -> pd.DataFrame:
    """Return the Sobol indices of the claimed ratios: rows of the table sobol.

    The variance is that of Monte Carlo draws: every constant independent, by its distribution; the
    budget and the choices stay. With f(A) and f(B) a ratio over two samples of `sobol_draws` rows,
    and f(AB) over A with one column, a constant, from B:

        first  mean(f(B) (f(AB) - f(A))) / var      what the constant explains by itself
        total  mean((f(A) - f(AB))^2) / (2 var)     what is left when all others are known

    Estimates of few draws have wide intervals (95 %, bootstrap over draws), and those of an index
    near zero may be negative. Draws for which no design fits are left out. Indices are empty where
    a ratio does not vary.

    Source: Saltelli et al., Variance based sensitivity analysis of model output, Computer Physics
    Communications 181, 2010 (first); Jansen, Computer Physics Communications 117, 1999 (total).
    """
    sample = saltelli_sample(technology, config.sobol_draws, seed=config.monte_carlo_seed)
    flat = sample.reshape(-1, sample.shape[-1])
    parts = list(_evaluate(config, technology, workload, flat))
    names = list(technology.constants)
    rows: list[dict[str, Any]] = []
    for quantity in _RATIOS:
        values = np.concatenate([part[quantity] for part in parts]).reshape(sample.shape[:2])
        indices = sobol_indices(values, seed=config.monte_carlo_seed)
        rows += [
            {"quantity": quantity, "constant": name}
            | {column: numbers[index] for column, numbers in indices.items()}
            for index, name in enumerate(names)
        ]
    return pd.DataFrame(rows).astype({"draws": int})


def saltelli_sample(technology: Technology, draws: int, *, seed: int) -> Any:
    """Return constants: samples A, B, and A with each constant from B; (2 + n) x draws x n."""
    constants = technology.constants.values()
    sampler = qmc.Sobol(2 * len(constants), seed=seed)
    shares = sampler.random_base2(int(np.ceil(np.log2(draws))))
    a, b = np.split(shares, 2, axis=1)
    samples = np.stack([a, b, *([a] * len(constants))])
    for index in range(len(constants)):
        samples[2 + index, :, index] = b[:, index]
    columns = [constant.quantile(samples[..., i]) for i, constant in enumerate(constants)]
    return np.stack(columns, axis=-1)


def sobol_indices(values: Any, *, seed: int) -> dict[str, Any]:
    """Return first and total index of each constant, with bounds; `values` are f(A), f(B), f(AB).

    One row of `values` for A, B and each AB; a column a draw.
    """
    values = values[:, np.isfinite(values).all(axis=0)]
    draws = values.shape[1]
    found: dict[str, Any] = {"draws": np.full(len(values) - 2, draws)}
    again = np.random.default_rng(seed).integers(max(draws, 1), size=(_RESAMPLES, draws))
    resampled = [_indices(values[:, chosen]) for chosen in again] if draws > 1 else []
    for order, name in enumerate(("first", "total")):
        spread = np.array([pair[order] for pair in resampled])
        low, high = np.percentile(spread, [2.5, 97.5], axis=0) if len(spread) else (np.nan, np.nan)
        estimate = _indices(values)[order]
        for end, numbers in (("", estimate), ("_low", low), ("_high", high)):
            found[f"{name}{end}"] = np.broadcast_to(numbers, estimate.shape)
    return found


def _indices(values: Any) -> tuple[Any, Any]:
    a, b, ab = values[0], values[1], values[2:]
    variance = np.var(values[:2]) if values.size else 0.0
    if not values.size or variance <= np.finfo(float).eps * np.mean(values[:2] ** 2):
        return np.full(len(ab), np.nan), np.full(len(ab), np.nan)
    centered = b - values[:2].mean()  # of the same expectation, and of less variance
    first = (centered * (ab - a)).mean(axis=1) / variance
    return first, ((a - ab) ** 2).mean(axis=1) / (2 * variance)


def _evaluate(
    config: DesignSpace, technology: Technology, workload: Workload, sample: Any
) -> Iterator[dict[str, Any]]:
    """Yield the ratios of some rows of `sample` at a time; NaN where a design does not exist."""
    limit = max(config.service_limits_us, default=0)
    encoding = config.encodings[0]
    shape = search(config, technology, workload, encoding).get(limit_name(limit))
    for start in range(0, len(sample), _TECHNOLOGIES_AT_ONCE):
        columns = sample[start : start + _TECHNOLOGIES_AT_ONCE].T
        values = dict(zip(technology.constants, columns, strict=True))
        over_grid = {name: column[:, None, None] for name, column in values.items()}
        best = _best(config, technology.with_values(over_grid), workload, limit)
        if best and shape is not None:
            yield _ratios(config, technology.with_values(values), best, shape)
        else:
            yield dict.fromkeys(_RATIOS, np.full(len(columns[0]), np.nan))


def _best(
    config: DesignSpace, technologies: Technology, workload: Workload, limit_us: float
) -> dict[str, Any]:
    """Return service time, throughput and point of the family, for each technology."""
    found: list[Any] = []
    for chunk in scan(config, technologies, workload, config.encodings[0]):
        shape = chunk.feasible.shape
        time_us, throughput = serve(chunk.machines, workload)
        numbers = {
            "time": np.where(chunk.feasible, time_us, np.inf),
            "throughput": np.where(chunk.feasible, throughput, 0.0),
            **{name: getattr(chunk.machines, name) for name in _OF_A_POINT},
        }
        flat = {k: np.broadcast_to(v, shape).reshape(shape[0], -1) for k, v in numbers.items()}
        found.append(_extremes(flat, limit_us))
    if not found:
        return {}
    return {
        design: _extremes(
            {
                name: np.stack([part[design][name] for part in found], axis=1)
                for name in found[0][design]
            },
            limit_us,
        )[design]
        for design in found[0]
    }


def _extremes(points: Mapping[str, Any], limit_us: float) -> dict[str, dict[str, Any]]:
    """Return, of the points in each row, the one that each design is; throughput 0 if none is."""
    time_us, throughput = points["time"], points["throughput"]
    eligible = {
        "min_latency": time_us == time_us.min(axis=1, keepdims=True),
        "limited": time_us <= limit_us,
        "unconstrained": np.isfinite(time_us),
    }
    designs = {}
    for design, fits in eligible.items():
        score = np.where(fits, throughput, 0.0)
        index = score.argmax(axis=1)[:, None]
        chosen = {k: np.take_along_axis(v, index, axis=1)[:, 0] for k, v in points.items()}
        designs[design] = chosen | {"throughput": score.max(axis=1)}
    return designs


def _ratios(
    config: DesignSpace, technologies: Technology, best: Mapping[str, Any], shape: Any
) -> dict[str, Any]:
    """Return the ratios of `measure_ratios` that are claimed, for each technology.

    `best` is of `_best`; `shape`, a design, is what the cost of the encoding is of.
    """
    limited = best["limited"]
    exists = limited["throughput"] > 0
    designs = _machines(config, technologies, config.encodings[0], limited)
    found = {
        "throughput_500us": _over(limited, best["min_latency"]),
        "near_optimal": _over(limited, best["unconstrained"]),
    }
    for kind, cost in (("area", area_mm2), ("power", power_w)):
        parts = cost(designs, technologies)
        share = sum(parts[name] for name in CONTROLLER) / sum(parts.values())
        found[f"controller_{kind}"] = np.where(exists, share, np.nan)
        own, twin = (
            sum(cost(_machines(config, technologies, encoding, shape), technologies).values())
            for encoding in (config.encodings[0], FIXED_POINT)
        )
        found[f"encoding_{kind}"] = own / twin - 1
    return found


def _machines(config: DesignSpace, technologies: Technology, encoding: str, point: Any) -> Machines:
    numbers = {name: point[name] for name in _OF_A_POINT}
    return machines_of(config, technologies, encoding, **numbers)


def _over(design: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    """Return throughput over throughput; NaN where a design does not exist."""
    exists = (design["throughput"] > 0) & (other["throughput"] > 0)
    return design["throughput"] / np.where(exists, other["throughput"], np.nan)
