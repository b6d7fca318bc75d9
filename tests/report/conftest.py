"""A report on random tables, with three figures drawn from them."""

from importlib import import_module
from pathlib import Path

import pytest

from equinox.config import load_config
from equinox.config.checks import to_jsonable
from equinox.figures._save import house_style, save_figure
from equinox.report.claims import claims_table, read_claims
from equinox.report.page import Drawing, render_page
from equinox.tables import SOURCES, TABLES, check_table
from tests.figures._tables import random_table

DRAWN = ("latency_vs_load", "cycle_breakdown", "arithmetic_density")
UNUSED = ("claims", "design_space", "comparison", *SOURCES, "sites", "saturation")
STAGES = [name for name in TABLES if name not in UNUSED]


@pytest.fixture(scope="session")
def tables(repository):
    """Every table but those that nothing of the report needs, drawn at random."""
    made = {name: random_table(name) for name in STAGES}
    claims = claims_table(read_claims(repository / "config/published.yaml"), made)
    return {**made, "claims": check_table(claims, "claims")}


@pytest.fixture(scope="session")
def drawings(tables, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("figures")
    found = {}
    for name in DRAWN:
        module = import_module(f"equinox.figures.{name}")
        paths = [folder / f"{name}.svg", folder / f"{name}.csv"]
        with house_style():
            save_figure(module.plot({}, *(tables[table] for table in module.TABLES)), paths)
        found[name] = Drawing(svg=paths[0].read_bytes(), csv=paths[1].read_bytes())
    return found


@pytest.fixture(scope="session")
def render(tables, drawings):
    """Return a function that renders the page."""
    config = to_jsonable(load_config({}))

    def render(name="default"):
        made_by = {"Code": "sha256 0", "Seeds": "0 to 1"}
        return render_page(tables, drawings, name=name, provenance=made_by, config=config)

    return render


@pytest.fixture(scope="session")
def page_text(render):
    return render()
