"""The named designs among all points, and what each is made of."""

from dataclasses import replace
from typing import Any, Final

import pandas as pd

from equinox.accelerator import (
    COMPONENTS,
    Accelerator,
    Technology,
    Workload,
    area_mm2,
    leakage_w,
    power_w,
)
from equinox.config.design_space import DesignSpace, limit_name
from equinox.design_space.grid import dram_byte_per_s_of, sram_byte_of
from equinox.design_space.sweep import evaluate

#: Encoding of the twin that the cost of the product's own encoding is measured against.
FIXED_POINT: Final = "int8"


def choose_designs(
    points: pd.DataFrame, config: DesignSpace, technology: Technology, workload: Workload
) -> pd.DataFrame:
    """Return the named designs among `points`: rows of the table designs.

    For each encoding:
    - min_latency: the shortest service time of a batch of its size; of equals, the highest
      throughput;
    - 50us and so on, for each of `config.service_limits_us`: the highest throughput with a service
      time of a full batch within the limit; missing where no point is;
    - unconstrained: the highest throughput.

    For the first encoding of `config` beside them:
    - fixed_point_inference: the shape, number and voltage of the design of the longest limit, with
      fixed-point units and no means of training;
    - dedicated_training: the highest training throughput, nothing else running.
    Of equals, the design of lower power is taken.
    """
    rows = []
    for encoding in config.encodings:
        rows += family(points[points["encoding"] == encoding], config)
    own = points[points["encoding"] == config.encodings[0]]
    if len(own):
        rows.append(_best(own, "dedicated_training", {"training_op_per_s": False}))
    designs = pd.DataFrame(rows)
    if len(designs):
        designs["sram_byte"] = int(sram_byte_of(config))
        designs["dram_byte_per_s"] = dram_byte_per_s_of(config)
        designs = _add_fixed_point(designs, config, technology, workload)
    return designs.drop(columns="bound_by", errors="ignore").reset_index(drop=True)


def family(points: pd.DataFrame, config: DesignSpace) -> list[Any]:
    """Return min_latency, those of the service time limits, and unconstrained of one encoding."""
    if points.empty:
        return []
    throughput = {"throughput_op_per_s": False}
    found = [_best(points, "min_latency", {"service_time_us": True, **throughput})]
    for limit_us in config.service_limits_us:
        within = points[points["service_time_us"] <= limit_us]
        if len(within):
            found.append(_best(within, limit_name(limit_us), throughput))
    return [*found, _best(points, "unconstrained", throughput)]


def _best(points: pd.DataFrame, design: str, ascending: dict[str, bool]) -> Any:
    """Return the first point in the order of these columns, named `design`."""
    by = {**ascending, "power_w": True, "rows": True}
    first = next(iter(by))
    extreme = points[first].min() if by[first] else points[first].max()
    ties = points[points[first] == extreme]
    best = ties.sort_values(list(by), ascending=list(by.values()), kind="stable").iloc[0]
    return pd.concat([pd.Series({"design": design}), best])


def _add_fixed_point(
    designs: pd.DataFrame, config: DesignSpace, technology: Technology, workload: Workload
) -> pd.DataFrame:
    if not config.service_limits_us:
        return designs
    name = limit_name(max(config.service_limits_us))
    own = (designs["encoding"] == config.encodings[0]) & (designs["design"] == name)
    if not own.any():
        return designs
    row = designs[own].iloc[0].to_dict()
    twin = fixed_point_twin(row, technology)
    numbers = evaluate(twin, technology, workload, training_batch=config.training_batch)
    row |= {"encoding": FIXED_POINT}
    row = row | numbers | {"design": "fixed_point_inference", "training_op_per_s": 0.0}
    return pd.concat([designs, pd.DataFrame([row])], ignore_index=True)


def fixed_point_twin(design: Any, technology: Technology) -> Accelerator:
    """Return the shape, number and voltage of `design`, a row of designs, in fixed point."""
    return replace(accelerator_of(design, technology), encoding=FIXED_POINT)


def accelerator_of(design: Any, technology: Technology) -> Accelerator:
    """Return the accelerator of a row of the table designs."""
    return technology.accelerator(
        encoding=design["encoding"],
        arrays=int(design["arrays"]),
        rows=int(design["rows"]),
        width=int(design["width"]),
        voltage_v=float(design["voltage_v"]),
        sram_byte=float(design["sram_byte"]),
        dram_byte_per_s=float(design["dram_byte_per_s"]),
    )


def break_down(designs: pd.DataFrame, technology: Technology) -> pd.DataFrame:
    """Return area and power of each component of each design: rows of the table breakdown.

    The component leakage of the power is the sum of what all components leak.
    """
    rows = []
    for _, design in designs.iterrows():
        accelerator = accelerator_of(design, technology)
        areas, powers = area_mm2(accelerator, technology), power_w(accelerator, technology)
        leakages = leakage_w(accelerator, technology, areas)
        rows += [
            {
                "design": design["design"],
                "encoding": design["encoding"],
                "component": component,
                "area_mm2": areas.get(component, 0.0),
                "power_w": powers.get(component, 0.0),
                "leakage_w": leakages.get(component, 0.0),
            }
            for component in COMPONENTS
        ]
    return pd.DataFrame(rows)
