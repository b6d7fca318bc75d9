"""Draw one figure from its tables: python -m equinox.figures NAME --tables PATH..."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import yaml

from equinox.commands import run
from equinox.figures._save import house_style, save_figure
from equinox.tables import read_table

FIGURES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


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
    claims = {claim["id"]: claim for claim in yaml.safe_load(path.read_text())["published"]}
    missing = sorted(set(ids) - set(claims))
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}, which the figure marks; add it")
    values = {id_: claims[id_].get("value") for id_ in ids}
    return {id_: float(value) for id_, value in values.items() if value is not None}


if __name__ == "__main__":
    run(main)
