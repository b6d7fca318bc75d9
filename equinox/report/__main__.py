"""`python -m equinox.report claims|page ...`: the claims table, and the report page."""

import logging
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from equinox.commands import run
from equinox.report.claims import claims_table, read_claims
from equinox.report.markdown import claims_markdown
from equinox.report.page import render_page
from equinox.tables import check_table, read_table, write_table


def main() -> None:
    """Parse the command line and run one command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    claims = commands.add_parser("claims", help="judge every published number")
    claims.add_argument("--published", type=Path, required=True)
    claims.add_argument("--markdown", type=Path, required=True)
    claims.set_defaults(command=_claims)
    page = commands.add_parser("page", help="write the report")
    page.add_argument("--figures", type=Path, nargs="+", required=True)
    page.set_defaults(command=_page)
    for command in (claims, page):
        command.add_argument("--tables", type=Path, nargs="+", required=True)
        command.add_argument("--scale", required=True)
        command.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.command(options)


def _claims(options: Namespace) -> None:
    tables = {path.stem: read_table(path.stem, path) for path in options.tables}
    found = check_table(claims_table(read_claims(options.published), tables), "claims")
    _write(options.markdown, claims_markdown(found, scale=options.scale))
    write_table(found, "claims", options.output)
    logging.info("claims: %s", dict(found["verdict"].value_counts()))


def _page(options: Namespace) -> None:
    tables = {path.stem: read_table(path.stem, path) for path in options.tables}
    figures = {path.stem: path.read_bytes() for path in options.figures}
    _write(options.output, render_page(tables, figures, scale=options.scale))
    logging.info("report: open %s in a browser", options.output)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


if __name__ == "__main__":
    run(main)
