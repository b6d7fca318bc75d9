"""Make one table of the design space: python -m equinox.design_space TABLE --output PATH ..."""

import argparse
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd

from equinox.accelerator import load_technology, load_workload
from equinox.config.checks import from_json
from equinox.config.design_space import DesignSpace
from equinox.design_space import (
    break_down,
    choose_designs,
    measure_density,
    pareto_front,
    study_sensitivity,
    sweep,
)
from equinox.tables import read_table, write_table

#: What each option is read with; a command names the options that it needs, in this order.
READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "design_space": lambda path: read_table("design_space", path),
    "designs": lambda path: read_table("designs", path),
    "config": lambda text: from_json(DesignSpace, text),
    "technology": load_technology,
    "workload": load_workload,
}


def _sweep(config: Any, technology: Any, workload: Any) -> pd.DataFrame:
    return pd.concat(sweep(config, technology, workload, name) for name in config.encodings)


def _pareto(points: Any) -> pd.DataFrame:
    fronts = [
        pareto_front(rows, minimize=["service_time_us"], maximize=["throughput_op_per_s"])
        for _, rows in points.groupby("encoding")
    ]
    return pd.concat(fronts).drop(columns="bound_by")


#: Table, options and what makes it of them, by command.
COMMANDS: Final[Mapping[str, tuple[str, tuple[str, ...], Callable[..., pd.DataFrame]]]] = {
    "sweep": ("design_space", ("config", "technology", "workload"), _sweep),
    "pareto": ("pareto", ("design_space",), _pareto),
    "designs": (
        "designs",
        ("design_space", "config", "technology", "workload"),
        choose_designs,
    ),
    "breakdown": ("breakdown", ("designs", "technology"), break_down),
    "sensitivity": ("sensitivity", ("config", "technology", "workload"), study_sensitivity),
    "density": ("density", ("config", "technology"), measure_density),
}


def main() -> None:
    """Read the options of the command, make its table and write it."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="equinox.design_space", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--output", required=True)
    for option in READERS:
        parser.add_argument(f"--{option.replace('_', '-')}")
    arguments = parser.parse_args()
    table, options, make = COMMANDS[arguments.command]
    missing = [option for option in options if getattr(arguments, option) is None]
    if missing:
        parser.error(f"{arguments.command} needs {', '.join(missing)}")
    inputs = [READERS[option](getattr(arguments, option)) for option in options]
    write_table(make(*inputs), table, arguments.output)


if __name__ == "__main__":
    main()
