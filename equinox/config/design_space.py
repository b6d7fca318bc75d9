"""What hardware is searched: budget, encodings, the grid of shapes and voltages."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from annotated_types import MinLen
from pydantic import ConfigDict

from equinox.config.checks import STRICT, Count, Distinct, Name, Positive


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one accelerator may use."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    area_mm2: Positive
    power_w: Positive
    sram_mib: Positive
    dram_gb_per_s: Positive  # 1e9 bytes per second


@final
@dataclass(frozen=True, kw_only=True)
class DesignSpace:
    """The search: all shapes and voltages of arrays within a budget."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    technology: Name  # a file in config/technology
    workload: Name  # a file in config/workloads; its service time is constrained
    training_batch: Count
    budget: Budget
    budget_low: Budget  # for the sensitivity study: each value changed by itself
    budget_high: Budget
    service_limits_us: Annotated[
        tuple[Positive, ...], Distinct
    ]  # a named design each, such as 500us
    encodings: Annotated[
        tuple[Name, ...], MinLen(1), Distinct
    ]  # the first one is the product's own
    max_rows: Count
    widths: Annotated[tuple[Count, ...], MinLen(1), Distinct]
    min_voltage_v: Positive
    max_voltage_v: Positive
    voltage_steps: Count  # voltages on the grid from min to max, both included
    monte_carlo_draws: Count
    monte_carlo_seed: int = 0
    sobol_draws: Count  # rounded up to a power of two; each is repeated for every constant
    density_encodings: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    density_blocks: Annotated[tuple[Count, ...], MinLen(1), Distinct]

    @property
    def family(self) -> tuple[str, ...]:
        """The names of the designs that serve: `design_space.choose_designs` says what they are."""
        limits = map(limit_name, self.service_limits_us)
        return ("min_latency", *limits, "unconstrained", "dedicated_training")


def limit_name(limit_us: float) -> str:
    """Return the name of the design whose service time is limited to `limit_us`."""
    return f"{limit_us:g}us"
