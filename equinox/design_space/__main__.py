"""Make one table of the design space: python -m equinox.design_space TABLE --output PATH ..."""

import argparse
import logging
from collections.abc import Callable
from typing import Any

from equinox import design_space
from equinox.accelerator import load_technology, load_workload, technology_files
from equinox.commands import run
from equinox.config.checks import from_json
from equinox.config.design_space import DesignSpace
from equinox.provenance import origin_of
from equinox.tables import read_table, write_table

READERS: dict[str, Callable[[str], Any]] = {
    "design_space": lambda path: read_table("design_space", path),
    "designs": lambda path: read_table("designs", path),
    "config": lambda text: from_json(DesignSpace, text),
    "technology": load_technology,
    "workload": load_workload,
    "name": str,
    "scale": str,
}


COMMANDS: Any = {  # the table that a command makes, what makes it, and of which options
    "sweep": ("design_space", design_space.sweep_all, "config technology workload"),
    "pareto": ("pareto", design_space.find_fronts, "design_space"),
    "designs": ("designs", design_space.choose_designs, "design_space config technology workload"),
    "breakdown": ("breakdown", design_space.break_down, "designs technology"),
    "sensitivity": ("sensitivity", design_space.study_sensitivity, "config technology workload"),
    "sobol": ("sobol", design_space.decompose_variance, "config technology workload"),
    "compare": (
        "comparison",
        design_space.compare_designs,
        "designs config technology workload name scale",
    ),
    "density": ("density", design_space.measure_density, "config technology"),
}


def main() -> None:
    """Read what the command needs, make its table and write it."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="equinox.design_space", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    for option in ("output", *READERS):
        parser.add_argument(f"--{option.replace('_', '-')}", required=option == "output")
    given = vars(parser.parse_args())
    table, make, options = COMMANDS[given["command"]]
    if missing := [option for option in options.split() if given[option] is None]:
        parser.error(f"{given['command']} needs {', '.join(missing)}")
    inputs = [READERS[option](given[option]) for option in options.split()]
    bases = technology_files(given["technology"]) if given["technology"] else []
    origin = origin_of("equinox.design_space", given, bases)
    write_table(make(*inputs), table, given["output"], origin=origin)


if __name__ == "__main__":
    run(main)
