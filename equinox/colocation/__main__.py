"""Simulate one design, or a fleet: python -m equinox.colocation simulate|fleet --output PATH ..."""

import argparse
import logging
from pathlib import Path

import pandas as pd

from equinox.accelerator import load_technology, load_workload
from equinox.colocation import simulate_design, simulate_fleet
from equinox.commands import run
from equinox.config.checks import from_json
from equinox.config.colocation import Colocation
from equinox.tables import read_table, write_table

OPTIONS = {
    "simulate": (
        *("config", "design", "designs", "technology", "workload", "training_workload", "output"),
    ),
    "fleet": ("config", "colocation", "designs", "output"),
}


def simulate_one(given: argparse.Namespace) -> pd.DataFrame:
    """Return a part of the table colocation: one design."""
    return simulate_design(
        from_json(Colocation, given.config),
        read_table("designs", given.designs),
        given.design,
        technology=load_technology(given.technology),
        workload=load_workload(given.workload),
        training_workload=load_workload(given.training_workload),
    )


def main() -> None:
    """Read what the command needs, simulate and write."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="equinox.colocation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, options in OPTIONS.items():
        command = commands.add_parser(name)
        for option in options:
            command.add_argument(f"--{option.replace('_', '-')}", required=True)
    given = parser.parse_args()
    if given.command == "simulate":
        Path(given.output).parent.mkdir(parents=True, exist_ok=True)
        simulate_one(given).to_parquet(given.output, index=False)
        return
    colocation = read_table("colocation", given.colocation)
    designs = read_table("designs", given.designs)
    fleet = simulate_fleet(from_json(Colocation, given.config), colocation, designs)
    write_table(fleet, "fleet", given.output)


if __name__ == "__main__":
    run(main)
