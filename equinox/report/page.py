"""The report: one self-contained HTML file that opens offline."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import jinja2
import pandas as pd
import yaml

from equinox.dependencies import ROOT, figure_captions, figure_tables
from equinox.report.chapters import Chapter, figure_of, read_chapters, shows
from equinox.report.environment import sections
from equinox.report.markdown import SIGNS, in_order, quantity
from equinox.report.runtime import by_stage, in_words
from equinox.tables import TABLES

MOST_ROWS = 60  # of a table that is shown as a whole
_NARROW_PT = 300.0  # figures up to this width are those of one column of a page

#: Sections of the config that a table rests on, beside its chapter's other tables.
_SIMULATED = (
    *("colocation", "operating_points", "saturation", "sites", "colocation_sensitivity", "fleet"),
    *("sharing", "colocation_comparison", "sharing_comparison"),
)
RESTS_ON: Mapping[str, tuple[str, ...]] = {
    "accuracy": ("training",),
    "equivalence": ("training",),
    "accuracy_comparison": ("training",),
    "claims": ("training", "design_space", "colocation"),
    **dict.fromkeys(_SIMULATED, ("design_space", "colocation")),
}


@final
@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure as it was drawn: an image (SVG), and all that it shows (CSV)."""

    svg: bytes
    csv: bytes


@final
@dataclass(frozen=True, kw_only=True)
class FigureView:
    """A figure as the page shows it; image and data are data URIs."""

    name: str
    title: str
    text: str
    image: str
    narrow: bool
    data: str
    rows: int
    tables: tuple[str, ...]
    sections: tuple[str, ...]
    claims: tuple[Mapping[str, Any], ...]


def render_page(
    tables: Mapping[str, pd.DataFrame],
    drawings: Mapping[str, Drawing],
    *,
    name: str,
    provenance: Mapping[str, str],
    config: Mapping[str, Any],
) -> str:
    """Return the report on `tables` and `drawings`, each by name, as HTML.

    `name` is that of the folder of results. The same arguments give the same bytes: there is no
    time in it (see `render_runtime`). Figures that were not drawn, such as a comparison where there
    is nothing to compare, are left out.
    """
    every = figure_tables()
    chapters = read_chapters({figure: every[figure] for figure in sorted(drawings)})
    claims: list[dict[str, Any]] = [
        {**{str(column): value for column, value in claim.items()},
         "figure": figure_of(claim["id"], chapters)}
        for claim in in_order(tables["claims"]).to_dict("records")
    ]  # fmt: skip
    captions = figure_captions()
    views = {
        figure: _view(figure, drawing, captions[figure], _claims_of(figure, chapters, claims))
        for figure, drawing in drawings.items()
    }
    return (
        _environment()
        .get_template("report.html")
        .render(
            name=name,
            claims=claims,
            verdicts={verdict: _count(claims, verdict) for verdict in SIGNS},
            chapters=[chapter for chapter in chapters if chapter.figures],
            views=views,
            tables={table: (TABLES[table], rows) for table, rows in tables.items()},
            rests_on={table: RESTS_ON.get(table, ("design_space",)) for table in tables},
            most_rows=MOST_ROWS,
            provenance=provenance,
            config=sections(config),
            data=[_title_of(data) for data in sorted(tables["accuracy"]["dataset"].unique())],
        )
    )


def render_runtime(benchmarks: pd.DataFrame, *, name: str, machine: Mapping[str, str]) -> str:
    """Return how long each job took, as HTML: apart from the report, since it is never the same."""
    return (
        _environment()
        .get_template("runtime.html")
        .render(
            name=name,
            jobs=benchmarks.sort_values("wall_s", ascending=False, kind="stable").to_dict(
                "records"
            ),
            stages=by_stage(benchmarks).reset_index().to_dict("records"),
            total=in_words(float(benchmarks["wall_s"].sum())),
            cpu=in_words(float(benchmarks["cpu_s"].sum())),
            machine=machine,
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= {
        "signs": SIGNS,
        "quantity": quantity,
        "missing": pd.isna,
        "cell": _cell,
        "in_words": in_words,
        "sort_key": _sort_key,
    }
    return environment


def _view(
    name: str, drawing: Drawing, caption: str, claims: Sequence[Mapping[str, Any]]
) -> FigureView:
    title, _, text = caption.partition("\n\n")
    tables = figure_tables()[name]
    used = {section for table in tables for section in RESTS_ON.get(table, ("design_space",))}
    return FigureView(
        name=name,
        title=title.rstrip("."),
        text=re.sub(r"\s+", " ", text),
        image="data:image/svg+xml;base64," + base64.b64encode(drawing.svg).decode(),
        narrow=_width_pt(drawing.svg) <= _NARROW_PT,
        data="data:text/csv;base64," + base64.b64encode(drawing.csv).decode(),
        rows=drawing.csv.count(b"\n") - 1,
        tables=tables,
        sections=tuple(sorted(used)),
        claims=tuple(claims),
    )


def _title_of(dataset: str) -> str:
    """Return the name of data that come along; of others, that in the config."""
    path = ROOT / "equinox" / "training" / "data" / dataset / "source.yaml"
    return str(yaml.safe_load(path.read_text())["name"]) if path.exists() else dataset


def _width_pt(svg: bytes) -> float:
    found = re.search(rb'<svg[^>]*\bwidth="([\d.]+)pt"', svg)
    return float(found[1]) if found else 0.0


def _claims_of(
    figure: str, chapters: Sequence[Chapter], claims: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the claims that `figure` shows and that were judged."""
    patterns = [claim for chapter in chapters for claim in chapter.figures.get(figure, ())]
    judged = [claim for claim in claims if claim["verdict"] != "not_run"]
    return [claim for claim in judged if shows(patterns, claim["id"])]


def _count(claims: Sequence[Mapping[str, Any]], verdict: str) -> int:
    return sum(claim["verdict"] == verdict for claim in claims)


def _cell(value: object) -> str:
    """Return one value of a table for people: four significant digits, nothing for nothing."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.4g}"
    return "" if value is None else str(value)


def _sort_key(value: Any) -> str:
    """Return what a cell is sorted by: the number as it is, nothing for nothing."""
    return "" if value is None or pd.isna(value) else repr(value)
