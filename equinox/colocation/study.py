"""What training and tail latency hang on: one parameter at a time at one design and service."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from equinox.accelerator import Accelerator, Technology, Workload
from equinox.colocation.replications import summarize_replications
from equinox.colocation.site import DEDICATED, find_design, place, train_dedicated
from equinox.colocation.sweep import sweep_loads
from equinox.config.colocation import Colocation
from equinox.design_space.choose import accelerator_of

LOGGER = logging.getLogger(__name__)

BASELINE: Final = "baseline"
WHOLE: Final = "whole"  # setting of a cut that is not made
SCHEDULINGS: Final = ("inference_only", "priority")
#: Fields of the config that are varied as they are; DRAM bandwidth is one of the machines.
_FIELDS = (
    *("training_batch", "instruction_folds", "instruction_reduction", "arrivals"),
    "adaptive_timeout",
)
_GIGA = 1e9


def study_sensitivity(
    config: Colocation,
    designs: pd.DataFrame,
    *,
    technology: Technology,
    workload: Workload,
    training_workload: Workload,
) -> pd.DataFrame:
    """Return rows of the table colocation_sensitivity: the baseline, and each change alone.

    The baseline is also a row of each parameter, with its value there. A change is made to the
    dedicated machine as well, so that `training_relative` stays the share that co-location gets of
    what the same machine budget could train. Timeouts are varied with adaptive batching, everything
    else with `config.sensitivity.batching`.

    Raises:
        ValueError: `designs` lacks the design of the study, or the dedicated one.
    """
    study = config.sensitivity
    machines = [
        accelerator_of(find_design(designs, name, config.encoding), technology)
        for name in (study.design, DEDICATED)
    ]
    names = {"design": study.design, "encoding": config.encoding, "workload": workload.name}
    names |= {"training_task": training_workload.name}
    parts = []
    for parameter, setting, changed, dram_byte_per_s in _variants(config):
        LOGGER.info("%s %s", parameter, setting)
        own, dedicated = (_with_dram(machine, dram_byte_per_s) for machine in machines)
        best = train_dedicated(changed, dedicated, training_workload)
        site = place(changed, own, technology, workload, training_workload, best)
        rows = sweep_loads(changed, site, {}).assign(**names, arrivals=changed.arrivals)
        points = summarize_replications(rows)
        points["dedicated_op_per_s"] = site.dedicated_op_per_s
        points["iteration_us"] = site.iteration_s * 1e6
        parts.append(points.assign(parameter=parameter, setting=str(setting)))
        if parameter == BASELINE:
            parts += [points.assign(parameter=n, setting=s) for n, s in _defaults(config, own)]
    return pd.concat(parts, ignore_index=True)


def _variants(config: Colocation) -> Iterator[tuple[str, Any, Colocation, float | None]]:
    """Yield parameter, setting, config and, if it changes, DRAM bandwidth."""
    study = config.sensitivity
    base = replace(config, batchings=(study.batching,), schedulings=SCHEDULINGS, loads=study.loads)
    yield BASELINE, BASELINE, base, None
    for name in _FIELDS:
        of_parameter = replace(base, batchings=("adaptive",)) if name == _FIELDS[-1] else base
        for value in getattr(study, name):
            if name == _FIELDS[-1] or value != getattr(config, name):
                yield name, value, replace(of_parameter, **{name: value}), None
    for value in study.dram_gb_per_s:
        yield "dram_gb_per_s", value, base, value * _GIGA


def _defaults(config: Colocation, machine: Accelerator) -> list[tuple[str, str]]:
    """Return the parameters that the baseline is a setting of, and the settings."""
    values = {name: str(getattr(config, name) or WHOLE) for name in _FIELDS[:-1]}
    values["dram_gb_per_s"] = str(machine.dram_byte_per_s / _GIGA)
    return list(values.items())


def _with_dram(machine: Accelerator, byte_per_s: float | None) -> Accelerator:
    return machine if byte_per_s is None else replace(machine, dram_byte_per_s=byte_per_s)
