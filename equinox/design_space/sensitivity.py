"""How much the claimed ratios depend on the constants that no source decides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
import pandas as pd

from equinox.accelerator import Technology, Workload, area_mm2, power_w
from equinox.config.design_space import Budget, DesignSpace
from equinox.design_space.choose import accelerator_of, choose_designs, limit_name
from equinox.design_space.sweep import sweep

#: The encoding that the product's own is compared with at equal service time.
FLOATING_POINT: Final = "bf16"

_BUDGET_UNITS: Final = {
    "area_mm2": "mm2",
    "power_w": "W",
    "sram_mib": "MiB",
    "dram_gb_per_s": "GB/s",
}
_SPAN_OF_LOGARITHMIC_DRAWS: Final = 3.0  # high over low from which draws are log-uniform


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the study, but for its quantities: what is changed, and all that results."""

    study: str
    constant: str
    setting: str
    constant_value: float | None
    unit: str
    config: DesignSpace
    technology: Technology


def study_sensitivity(
    config: DesignSpace, technology: Technology, workload: Workload
) -> pd.DataFrame:
    """Return the claimed ratios under many settings of the constants: the table sensitivity.

    Each setting repeats the whole search for the product's own encoding, the first of `config`, and
    for bf16 if it is among them:
    - baseline: nothing changed;
    - one_at_a_time: each constant of `technology`, and each value of the budget, low and high;
    - choice: each bank of SRAM, accumulator, and single width;
    - monte_carlo: `monte_carlo_draws` draws of all constants, each independent and uniform in its
      range, or log-uniform where high is more than three times low; the budget stays.
    """
    encodings = tuple(
        dict.fromkeys(
            [config.encodings[0], *(name for name in config.encodings if name == FLOATING_POINT)]
        )
    )
    config = replace(config, encodings=encodings)
    rows = []
    for setting in _settings(config, technology):
        ratios = measure_ratios(setting.config, setting.technology, workload)
        rows += [
            {
                "study": setting.study,
                "constant": setting.constant,
                "setting": setting.setting,
                "constant_value": setting.constant_value,
                "unit": setting.unit,
                "quantity": quantity,
                "value": value,
            }
            for quantity, value in ratios.items()
        ]
    return pd.DataFrame(rows).astype({"constant_value": float, "value": float})


def measure_ratios(
    config: DesignSpace, technology: Technology, workload: Workload
) -> dict[str, float]:
    """Return the claimed ratios; NaN where a design that one needs does not exist.

    With "limited" the design of the longest service time limit, of the first encoding:
    - throughput_500us: throughput of limited over that of min_latency;
    - near_optimal: throughput of limited over that of unconstrained;
    - controller_area, controller_power: the controller's share of limited;
    - encoding_area, encoding_power: limited over fixed_point_inference, less one;
    - energy_like_fixed8: energy per operation, limited over fixed_point_inference;
    - hbfp8_over_bf16: throughput of limited over that of bf16 under the same limit.
    """
    points = [sweep(config, technology, workload, name) for name in config.encodings]
    designs = choose_designs(pd.concat(points), config, technology, workload)
    named: dict[tuple[str, str], Any] = {
        (row["design"], row["encoding"]): row for _, row in designs.iterrows()
    }
    own, name = config.encodings[0], limit_name(max(config.service_limits_us, default=0))
    limited = named.get((name, own))
    twin = next((row for key, row in named.items() if key[0] == "fixed_point_inference"), None)

    def over(column: str, other: Any) -> float:
        if limited is None or other is None:
            return float("nan")
        return float(limited[column] / other[column])

    area, power = _controller_shares(limited, technology)
    return {
        "throughput_500us": over("throughput_op_per_s", named.get(("min_latency", own))),
        "near_optimal": over("throughput_op_per_s", named.get(("unconstrained", own))),
        "controller_area": area,
        "controller_power": power,
        "encoding_area": over("area_mm2", twin) - 1,
        "encoding_power": over("power_w", twin) - 1,
        "energy_like_fixed8": over("power_w", twin) / over("throughput_op_per_s", twin),
        "hbfp8_over_bf16": over("throughput_op_per_s", named.get((name, FLOATING_POINT))),
    }


def _controller_shares(design: Any, technology: Technology) -> tuple[float, float]:
    if design is None:
        return float("nan"), float("nan")
    accelerator = accelerator_of(design, technology)
    area = area_mm2(accelerator, technology)["controller"] / design["area_mm2"]
    power = power_w(accelerator, technology)["controller"] / design["power_w"]
    return float(area), float(power)


def _settings(config: DesignSpace, technology: Technology) -> Iterator[Setting]:
    base = Setting(
        study="baseline",
        constant="none",
        setting="baseline",
        constant_value=None,
        unit="",
        config=config,
        technology=technology,
    )
    yield base
    yield from _constants_one_at_a_time(base)
    yield from _budget_one_at_a_time(base)
    yield from _choices(base)
    yield from _draws(base)


def _constants_one_at_a_time(base: Setting) -> Iterator[Setting]:
    for name, constant in base.technology.constants.items():
        for setting, value in (("low", constant.low), ("high", constant.high)):
            yield replace(
                base,
                study="one_at_a_time",
                constant=name,
                setting=setting,
                constant_value=value,
                unit=constant.unit,
                technology=base.technology.with_values({name: value}),
            )


def _budget_one_at_a_time(base: Setting) -> Iterator[Setting]:
    ends: Mapping[str, Budget] = {
        "low": base.config.budget_low,
        "high": base.config.budget_high,
    }
    for name, unit in _BUDGET_UNITS.items():
        for setting, budget in ends.items():
            value = getattr(budget, name)
            yield replace(
                base,
                study="one_at_a_time",
                constant=f"budget.{name}",
                setting=setting,
                constant_value=value,
                unit=unit,
                config=replace(base.config, budget=replace(base.config.budget, **{name: value})),
            )


def _choices(base: Setting) -> Iterator[Setting]:
    for choice, names in base.technology.choices.items():
        for name in names:
            technology = base.technology.with_choice(choice, name)
            yield replace(
                base, study="choice", constant=choice, setting=name, technology=technology
            )
    for width in base.config.widths:
        config = replace(base.config, widths=(width,))
        yield replace(
            base,
            study="choice",
            constant="width",
            setting=str(width),
            constant_value=width,
            config=config,
        )


def _draws(base: Setting) -> Iterator[Setting]:
    generator = np.random.default_rng(base.config.monte_carlo_seed)
    constants = base.technology.constants
    for draw in range(base.config.monte_carlo_draws):
        values = {}
        for name, constant in constants.items():
            share = generator.random()
            if constant.high > _SPAN_OF_LOGARITHMIC_DRAWS * constant.low:
                values[name] = constant.low * (constant.high / constant.low) ** share
            else:
                values[name] = constant.low + (constant.high - constant.low) * share
        yield replace(
            base,
            study="monte_carlo",
            constant="all",
            setting=f"{draw:05d}",
            technology=base.technology.with_values(values),
        )
