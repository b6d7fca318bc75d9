"""How much the claimed ratios depend on the constants that no source decides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
import pandas as pd

from equinox.accelerator import CONTROLLER, Technology, Workload, area_mm2, power_w
from equinox.config.design_space import Budget, DesignSpace, limit_name
from equinox.design_space.choose import accelerator_of, fixed_point_twin
from equinox.design_space.search import search

#: The encoding that the product's own is compared with at equal service time.
FLOATING_POINT: Final = "bf16"

_BUDGET_UNITS: Final = {
    "area_mm2": "mm2",
    "power_w": "W",
    "sram_mib": "MiB",
    "dram_gb_per_s": "GB/s",
}
_BANK_UNIT: Final = "byte/cycle/KiB"
_KIBI: Final = 2**10


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
    - choice: each bank of SRAM, accumulator, place of DRAM's energy, and single width;
    - two_choices: each single width with the other accumulator of blocks;
    - monte_carlo: `monte_carlo_draws` draws of all constants, each independent and by its
      distribution; the budget stays.
    """
    encodings = tuple(
        dict.fromkeys(
            [config.encodings[0], *(name for name in config.encodings if name == FLOATING_POINT)]
        )
    )
    config = replace(config, encodings=encodings)
    rows, shape = [], None
    for setting in _settings(config, technology):
        families = {
            name: search(setting.config, setting.technology, workload, name) for name in encodings
        }
        if setting.study == "baseline":
            shape = families[encodings[0]].get(_limit(config))
        ratios = measure_ratios(setting.config, setting.technology, families, shape=shape)
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
    config: DesignSpace,
    technology: Technology,
    families: Mapping[str, Mapping[str, Any]],
    *,
    shape: Any = None,
) -> dict[str, float]:
    """Return the claimed ratios; NaN where a design that one needs does not exist.

    `families` has the named designs of each encoding. With "limited" the design of the longest
    service time limit, of the first encoding:
    - throughput_500us: throughput of limited over that of min_latency;
    - near_optimal: throughput of limited over that of unconstrained;
    - controller_area, controller_power: the controller's share of limited;
    - encoding_area, encoding_power: area and power of `shape` over those of its fixed-point twin,
      less one, with `shape` a design of which size, number and voltage are taken: limited is not
      chosen anew, so that these speak of one machine. It is limited if its width is not searched;
    - energy_like_fixed8: energy per operation, `shape` over its twin;
    - encoding_area_searched, encoding_power_searched: the same of limited, whatever its shape;
    - hbfp8_over_bf16: throughput of limited over that of bf16 under the same limit.
    """
    own, name = families[config.encodings[0]], _limit(config)
    limited = own.get(name)
    floating = families.get(FLOATING_POINT, {}).get(name)
    fixed = shape if shape is not None and shape["width"] in config.widths else limited

    def over(other: Any) -> float:
        if limited is None or other is None:
            return float("nan")
        return float(limited["throughput_op_per_s"] / other["throughput_op_per_s"])

    controller_area, controller_power = _controller_shares(limited, technology)
    area, power = _over_twin(fixed, technology)
    searched_area, searched_power = _over_twin(limited, technology)
    return {
        "throughput_500us": over(own.get("min_latency")),
        "near_optimal": over(own.get("unconstrained")),
        "controller_area": controller_area,
        "controller_power": controller_power,
        "encoding_area": area - 1,
        "encoding_power": power - 1,
        "energy_like_fixed8": power,  # at the same throughput
        "encoding_area_searched": searched_area - 1,
        "encoding_power_searched": searched_power - 1,
        "hbfp8_over_bf16": over(floating),
    }


def _limit(config: DesignSpace) -> str:
    return limit_name(max(config.service_limits_us, default=0))


def _over_twin(design: Any, technology: Technology) -> tuple[float, float]:
    """Return area and power of `design` over those of its fixed-point twin."""
    if design is None:
        return float("nan"), float("nan")
    own, twin = accelerator_of(design, technology), fixed_point_twin(design, technology)
    area, power = (
        sum(cost(own, technology).values()) / sum(cost(twin, technology).values())
        for cost in (area_mm2, power_w)
    )
    return float(area), float(power)


def _controller_shares(design: Any, technology: Technology) -> tuple[float, float]:
    if design is None:
        return float("nan"), float("nan")
    accelerator = accelerator_of(design, technology)
    areas, powers = area_mm2(accelerator, technology), power_w(accelerator, technology)
    area = sum(areas[name] for name in CONTROLLER) / design["area_mm2"]
    power = sum(powers[name] for name in CONTROLLER) / design["power_w"]
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
            setting = replace(
                base, study="choice", constant=choice, setting=name, technology=technology
            )
            if choice == "bank":
                bank = technology.banks[name]
                setting = replace(
                    setting,
                    constant_value=bank.port_byte_per_cycle / bank.capacity_byte * _KIBI,
                    unit=_BANK_UNIT,
                )
            yield setting
    yield from _widths(replace(base, study="choice", constant="width"))
    for name in base.technology.choices["block_accumulator"]:
        if name != base.technology.block_accumulator:
            yield from _widths(
                replace(
                    base,
                    study="two_choices",
                    constant=f"width, block_accumulator={name}",
                    technology=base.technology.with_choice("block_accumulator", name),
                )
            )


def _widths(base: Setting) -> Iterator[Setting]:
    for width in base.config.widths:
        config = replace(base.config, widths=(width,))
        yield replace(base, setting=str(width), constant_value=width, config=config)


def _draws(base: Setting) -> Iterator[Setting]:
    generator = np.random.default_rng(base.config.monte_carlo_seed)
    constants = base.technology.constants
    for draw in range(base.config.monte_carlo_draws):
        values = {
            name: float(constant.quantile(generator.random()))
            for name, constant in constants.items()
        }
        yield replace(
            base,
            study="monte_carlo",
            constant="all",
            setting=f"{draw:05d}",
            technology=base.technology.with_values(values),
        )
