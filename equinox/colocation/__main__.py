"""Simulate co-location: python -m equinox.colocation simulate|collect|points|... --option ..."""

import argparse
import logging

from equinox.accelerator import technology_files
from equinox.colocation.stages import STAGES
from equinox.commands import run
from equinox.provenance import origin_of


def main() -> None:
    """Read what the stage needs, compute and write."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(
        prog="equinox.colocation", description=__doc__, fromfile_prefix_chars="@"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (stage, options) in STAGES.items():
        command = commands.add_parser(name, description=stage.__doc__)
        for option in options:
            many = "+" if option in ("parts", "outputs", "workloads") else None
            command.add_argument(f"--{option.replace('_', '-')}", required=True, nargs=many)
    given = parser.parse_args()
    stage, _ = STAGES[given.command]
    technology = vars(given).get("technology")
    bases = technology_files(technology) if technology else []
    stage(given, origin_of("equinox.colocation", vars(given), bases))


if __name__ == "__main__":
    run(main)
