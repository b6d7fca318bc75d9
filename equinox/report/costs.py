"""What a scale will take, before it runs: jobs, GPU and CPU hours, disk, and what that rests on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import pandas as pd
from pydantic import ConfigDict

from equinox.config import Config
from equinox.config.checks import STRICT, Positive
from equinox.config.records import check_record
from equinox.dependencies import drawn_figures
from equinox.tables import made_tables
from equinox.yaml_files import read_yaml

COSTS_FILE = Path(__file__).with_name("costs.yaml")
_HOUR_S = 3600
_GB = 1e9


@final
@dataclass(frozen=True, kw_only=True)
class TaskCost:
    """What one network of a task takes."""

    op_per_network: Positive
    parameters: Positive


@final
@dataclass(frozen=True, kw_only=True)
class Costs:
    """The content of costs.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    sustained_op_per_s: Positive
    byte_per_parameter: Positive
    tasks: Mapping[str, TaskCost]


@final
@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run will take; `unknown` tasks have no cost and no earlier run, and are left out."""

    jobs: int
    networks: int
    gpu_h: float
    cpu_h: float
    checkpoint_byte: float  # while every training job is at work
    unknown: tuple[str, ...]

    def in_words(self, costs: Costs) -> str:
        """Return the forecast as a line, with its assumptions."""
        gpu = (
            f", {self.gpu_h:.0f} GPU hours at an assumed {costs.sustained_op_per_s:g} op/s in "
            "products (encoding comes on top)"
            if self.gpu_h
            else ""
        )
        cpu = f", {self.cpu_h:.1f} CPU hours by the last runs" if self.cpu_h else ""
        disk = f", checkpoints of {self.checkpoint_byte / _GB:.1f} GB at most" if self.gpu_h else ""
        left_out = f"; not known: {', '.join(self.unknown)}" if self.unknown else ""
        return f"{self.jobs} jobs, {self.networks} networks{gpu}{cpu}{disk}{left_out}"


def read_costs(path: Path = COSTS_FILE) -> Costs:
    """Return the costs of a file.

    Raises:
        ValueError: it has an unknown key, or lacks one.
    """
    return check_record(Costs, read_yaml(path), [path])


def forecast(
    config: Config, benchmarks: pd.DataFrame, costs: Costs, comparisons: Collection[str] = ()
) -> Forecast:
    """Return what a run of `config` will take.

    A task of `costs` takes its operations at the sustained rate; a job of another one as long as in
    `benchmarks` of earlier runs, of any scale, and so do simulations and the stages besides
    training. Tables and figures that compare an experiment with its scale are those of
    `comparisons`; a scale has none.
    """
    tables = made_tables(comparisons)
    seeds = {task: sum(runs.values()) for task, runs in config.training.runs.items()}
    op = sum(
        n * costs.tasks[task].op_per_network for task, n in seeds.items() if task in costs.tasks
    )
    others = [task for task in seeds if task not in costs.tasks]
    known_s = {task: _seconds_per_job(benchmarks, f"train/{task}/") for task in others}
    simulations = len(config.colocation.workloads) * len(config.colocation.designs)
    cpu_s = simulations * (_seconds_per_job(benchmarks, "simulate/") or 0.0)
    cpu_s += sum((known_s[task] or 0.0) * len(config.training.runs[task]) for task in others)
    rest = benchmarks[~benchmarks["stage"].isin(["train", "simulate"])]
    largest = [
        costs.tasks[task].parameters * len(config.training.runs[task])
        for task in seeds
        if task in costs.tasks
    ]
    stages = len(tables) + len(drawn_figures(tables))
    return Forecast(
        jobs=len(config.training_jobs()) + simulations + stages + 1,  # and the report
        networks=sum(seeds.values()),
        gpu_h=op / costs.sustained_op_per_s / _HOUR_S,
        cpu_h=(cpu_s + float(rest["cpu_s"].sum())) / _HOUR_S,
        checkpoint_byte=sum(largest) * costs.byte_per_parameter,
        unknown=tuple(task for task in others if known_s[task] is None),
    )


def _seconds_per_job(benchmarks: pd.DataFrame, prefix: str) -> float | None:
    found = benchmarks[benchmarks["job"].str.startswith(prefix)]
    return None if found.empty else float(found["cpu_s"].mean())
