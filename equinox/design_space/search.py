"""The named designs of an encoding, found without keeping the points that they are among."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from equinox.accelerator import Machines, Technology, Workload
from equinox.config.design_space import DesignSpace
from equinox.design_space.choose import family
from equinox.design_space.grid import Chunk, dram_byte_per_s_of, scan, sram_byte_of
from equinox.design_space.sweep import evaluate, frame_of, serve

_OF_A_POINT = ("rows", "columns", "width", "arrays", "frequency_hz", "voltage_v")


def search(
    config: DesignSpace, technology: Technology, workload: Workload, encoding: str
) -> dict[str, Any]:
    """Return the family of `encoding` by name: the rows that `choose_designs` has, or fewer.

    Of each part of the grid only those points are kept that are extreme in it by what the family is
    chosen by first: shortest service time, and highest throughput within each limit and without
    one. What is extreme among all is extreme in its part, so the choice among what is kept, ties
    included, is the choice among all.
    """
    chunks = scan(config, technology, workload, encoding)
    kept = [_extreme(chunk, workload, config) for chunk in chunks]
    if not kept:
        return {}
    numbers: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in kept]) for name in _OF_A_POINT
    }
    machines = replace(kept[0], **numbers)
    points = evaluate(machines, technology, workload, training_batch=config.training_batch)
    rows = family(frame_of(encoding, points), config)
    memory = {"sram_byte": sram_byte_of(config), "dram_byte_per_s": dram_byte_per_s_of(config)}
    return {row["design"]: pd.concat([row, pd.Series(memory)]) for row in rows}


def _extreme(chunk: Chunk, workload: Workload, config: DesignSpace) -> Machines:
    """Return the points of `chunk` that may be in the family, in the order of the grid."""
    shape = chunk.feasible.shape
    service_time_us, throughput = serve(chunk.machines, workload)
    service_time_us = np.where(chunk.feasible, service_time_us, np.inf)
    throughput = np.where(chunk.feasible, throughput, 0)
    keep = service_time_us == service_time_us.min()
    for limit_us in (*config.service_limits_us, np.inf):
        within = np.where(service_time_us <= limit_us, throughput, 0)
        keep |= (within == within.max()) & (within > 0)
    where = np.nonzero(keep & chunk.feasible)
    numbers: dict[str, Any] = {
        name: np.broadcast_to(getattr(chunk.machines, name), shape)[where] for name in _OF_A_POINT
    }
    return replace(chunk.machines, **numbers)
