"""Set a table of an experiment beside the same table of the scale that it changes."""

import argparse
from pathlib import Path

import pandas as pd

from equinox.commands import run
from equinox.provenance import origin_of
from equinox.tables import SOURCES, read_table, write_table


def main() -> None:
    """Read both tables, write one."""
    parser = argparse.ArgumentParser(prog="python -m equinox.report.compare", description=__doc__)
    parser.add_argument("table", choices=sorted(SOURCES))
    parser.add_argument("--tables", type=Path, nargs=2, required=True, help="of scale, experiment")
    parser.add_argument("--names", nargs=2, required=True, help="of scale and experiment")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    source = SOURCES[options.table]
    scale, experiment = (read_table(source, path) for path in options.tables)
    found = beside(scale, experiment, names=options.names)
    origin = origin_of("equinox.report.compare", vars(options))
    write_table(found, options.table, options.output, origin=origin)


def beside(scale: pd.DataFrame, experiment: pd.DataFrame, *, names: list[str]) -> pd.DataFrame:
    """Return the rows of both, with column `experiment`: the names of scale and experiment."""
    return pd.concat(
        [
            frame.assign(experiment=name)
            for name, frame in zip(names, (scale, experiment), strict=True)
        ],
        ignore_index=True,
    )


if __name__ == "__main__":
    run(main)
