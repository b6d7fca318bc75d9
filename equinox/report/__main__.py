"""`python -m equinox.report claims|page|artifact|describe ...`: what is made of all tables."""

import json
import logging
from argparse import ArgumentParser, Namespace
from pathlib import Path

from equinox.commands import run
from equinox.dependencies import ROOT
from equinox.provenance import origin_of
from equinox.report.artifact import write_artifact
from equinox.report.claims import claims_table, read_claims
from equinox.report.describe import describe
from equinox.report.environment import code_version, provenance
from equinox.report.markdown import claims_markdown
from equinox.report.page import Drawing, render_page, render_runtime
from equinox.report.runtime import read_benchmarks
from equinox.tables import check_table, read_table, write_table
from equinox.whole_files import written_whole


def main() -> None:
    """Parse the command line and run one command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    commands = parser.add_subparsers(required=True)
    claims = commands.add_parser("claims", help="judge every published number")
    claims.add_argument("--published", type=Path, required=True)
    claims.add_argument("--markdown", type=Path, required=True)
    claims.set_defaults(command=_claims)
    page = commands.add_parser("page", help="write the report")
    page.add_argument("--figures", type=Path, nargs="+", required=True, help="NAME.svg")
    page.add_argument("--config", type=json.loads, required=True, help="the whole of it, as JSON")
    page.add_argument("--benchmarks", type=Path, nargs="+", required=True, help="folders")
    page.add_argument("--runtime", type=Path, required=True, help="where run times are written")
    page.set_defaults(command=_page)
    for command in (claims, page):
        command.add_argument("--tables", type=Path, nargs="+", required=True)
        command.add_argument("--scale", required=True)
        command.add_argument("--output", type=Path, required=True)
    bundle = commands.add_parser("artifact", help="bundle code, config and results")
    bundle.add_argument("--results", type=Path, required=True)
    bundle.add_argument("--output", type=Path, required=True)
    bundle.set_defaults(command=lambda given: write_artifact(ROOT, given.results, given.output))
    told = commands.add_parser("describe", help="say what can be made, and at what cost")
    told.add_argument("--results", type=Path, required=True)
    told.set_defaults(command=lambda given: print(describe(given.results)))
    options = parser.parse_args()
    options.command(options)


def _claims(options: Namespace) -> None:
    tables = {path.stem: read_table(path.stem, path) for path in options.tables}
    found = check_table(claims_table(read_claims(options.published), tables), "claims")
    _write(options.markdown, claims_markdown(found, scale=options.scale))
    origin = origin_of("equinox.report", vars(options))
    write_table(found, "claims", options.output, origin=origin)
    logging.info("claims: %s", dict(found["verdict"].value_counts()))


def _page(options: Namespace) -> None:
    tables = {path.stem: read_table(path.stem, path) for path in options.tables}
    drawings = {
        path.stem: Drawing(svg=path.read_bytes(), csv=path.with_suffix(".csv").read_bytes())
        for path in options.figures
    }
    made_by = provenance(code=code_version(), config=options.config)
    page = render_page(
        tables, drawings, name=options.scale, provenance=made_by, config=options.config
    )
    _write(options.output, page)
    times = read_benchmarks(options.benchmarks)
    _write(options.runtime, render_runtime(times, name=options.scale, machine=made_by))
    logging.info("report: open %s in a browser", options.output)


def _write(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
