"""Judge a study: `python -m equinox.accuracy --accuracy PATH --margins JSON --output PATH`."""

import argparse
from pathlib import Path

from pydantic import TypeAdapter

from equinox.accuracy.equivalence import equivalence_table
from equinox.commands import run
from equinox.provenance import origin_of
from equinox.tables import read_table, write_table


def main() -> None:
    """Read table `accuracy`, compare every encoding with FP32, write table `equivalence`."""
    parser = argparse.ArgumentParser(prog="equinox.accuracy", description=__doc__)
    parser.add_argument("--accuracy", required=True, type=Path, help="table accuracy")
    parser.add_argument("--margins", required=True, help="metric: margin, as JSON")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")
    options = parser.parse_args()
    margins = TypeAdapter(dict[str, float]).validate_json(options.margins)
    table = equivalence_table(read_table("accuracy", options.accuracy), margins)
    origin = origin_of("equinox.accuracy", vars(options))
    write_table(table, "equivalence", options.output, origin=origin)


if __name__ == "__main__":
    run(main)
