"""Draw one figure from its tables: python -m equinox.figures NAME --tables PATH..."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import final

from equinox.commands import run
from equinox.config.checks import Name
from equinox.config.records import check_record
from equinox.figures._save import house_style, save_figure
from equinox.tables import read_table
from equinox.yaml_files import read_yaml

FIGURES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


@final
@dataclass(frozen=True)
class Published:
    """What a figure reads of a row of config/published.yaml."""

    id: Name
    value: float | None


def main() -> None:
    """Read the tables of a figure, draw it, write it."""
    parser = argparse.ArgumentParser(prog="python -m equinox.figures", description=__doc__)
    parser.add_argument("name", choices=FIGURES)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="NAME.parquet")
    parser.add_argument("--published", type=Path, required=True, help="config/published.yaml")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="PATH.svg and so on")
    options = parser.parse_args()
    module = import_module(f"equinox.figures.{options.name}")
    paths = {path.stem: path for path in options.tables}
    tables = [read_table(name, paths[name]) for name in module.TABLES]
    published = read_published(options.published, getattr(module, "PUBLISHED", ()))
    with house_style():
        save_figure(module.plot(published, *tables), options.output)


def read_published(path: Path, ids: tuple[str, ...]) -> Mapping[str, float]:
    """Return the published values of `ids`, each in its own unit; those in words are left out.

    Raises:
        ValueError: the file does not have one of `ids`.
    """
    rows = check_record(list[Published], read_yaml(path).get("published"), [path], ["published"])
    values = {row.id: row.value for row in rows}
    missing = sorted(set(ids) - set(values))
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}, which the figure marks; add it")
    return {id_: value for id_ in ids if (value := values[id_]) is not None}


if __name__ == "__main__":
    run(main)
