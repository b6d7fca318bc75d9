"""The report: one self-contained HTML file that opens offline."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import jinja2
import pandas as pd

from equinox.dependencies import figure_captions
from equinox.report.markdown import SIGNS, in_order, quantity
from equinox.tables import TABLES

CHAPTERS = {  # chapter of the report: its question and its figures
    "Encoding": (
        "Does training in HBFP reach the accuracy of FP32, and what does the arithmetic cost?",
        (
            *("accuracy_by_encoding", "convergence", "mantissa_and_tile", "storage_rounding"),
            *("float_grid", "arithmetic_density"),
        ),
    ),
    "Design space": (
        "What throughput does relaxing the latency constraint buy, for one area and power budget?",
        (
            *("pareto_front", "designs_breakdown", "sensitivity", "deciding_constants"),
            *("design_choices", "experiment_comparison"),
        ),
    ),
    "Co-location": (
        "How much training fits into the idle cycles, and what does inference pay for it?",
        (
            *("latency_vs_load", "cycle_breakdown", "training_vs_load", "scheduling_policies"),
            *("batching_policies", "colocation_sensitivity", "fleet_day"),
        ),
    ),
}


@final
@dataclass(frozen=True, kw_only=True)
class FigureView:
    """A figure as the page shows it: its name, image (a data URI) and caption."""

    name: str
    image: str
    caption: str


def render_page(
    tables: Mapping[str, pd.DataFrame], figures: Mapping[str, bytes], *, scale: str
) -> str:
    """Return the report on `tables` and `figures` (SVG), each by name, as HTML.

    Figures that were not drawn, such as a comparison where there is nothing to compare, are left
    out.

    Raises:
        ValueError: a figure is in no chapter.
    """
    captions = figure_captions()
    placed = {name for _, names in CHAPTERS.values() for name in names}
    if set(captions) != placed:
        raise ValueError(
            f"figures in no chapter, or chapters without figure: {sorted(set(captions) ^ placed)}; "
            "name them in CHAPTERS of equinox/report/page.py"
        )
    chapters = {
        chapter: (
            question,
            [_view(name, figures[name], captions[name]) for name in names if name in figures],
        )
        for chapter, (question, names) in CHAPTERS.items()
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    claims = in_order(tables["claims"])
    return environment.get_template("report.html").render(
        scale=scale,
        claims=claims.to_dict("records"),
        verdicts=claims["verdict"].value_counts().to_dict(),
        chapters=chapters,
        tables={name: (TABLES[name], len(table)) for name, table in tables.items()},
        data=sorted(tables["accuracy"]["dataset"].unique()),
        signs=SIGNS | {"not_run": "not run"},
        quantity=quantity,
        missing=pd.isna,
    )


def _view(name: str, svg: bytes, caption: str) -> FigureView:
    image = "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
    return FigureView(name=name, image=image, caption=caption)
