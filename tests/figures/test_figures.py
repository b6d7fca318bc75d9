"""Every figure, drawn from tables that fit their declarations."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import combinations
from math import inf
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from equinox.figures.__main__ import FIGURES
from equinox.figures._data import drawn_data
from equinox.figures._save import FORMATS, house_style, save_figure
from equinox.tables import TABLES
from tests.figures._tables import random_table

# Names stand at the ticks of the first three; perplexity has no unit.
_WITHOUT_UNIT = {
    *("Claim", "Encoding", "Design", "Constant", "Constant or choice"),
    "Validation perplexity",
}
_PUBLISHED_VALUE = 13.0


def module(name: str) -> ModuleType:
    return import_module(f"equinox.figures.{name}")


def draw(name: str, *, published: bool = True, keep: str = "") -> Figure:
    figure = module(name)
    tables = [random_table(table) for table in figure.TABLES]
    if keep:
        tables = [table.query(keep) if _has(table, keep) else table for table in tables]
    ids = getattr(figure, "PUBLISHED", ()) if published else ()
    return figure.plot(dict.fromkeys(ids, _PUBLISHED_VALUE), *tables)


def _has(table: pd.DataFrame, query: str) -> bool:
    return query.split()[0] in table.columns


def changes(tables: Iterable[pd.DataFrame], query: str) -> bool:
    """Return whether `query` leaves out some row of `tables`, so that the figure may differ."""
    return any(_has(table, query) and len(table.query(query)) < len(table) for table in tables)


@cache
def drawn(name: str) -> Figure:
    """Return the figure, laid out; tests that share it only look."""
    figure = draw(name)
    FigureCanvasAgg(figure).draw()
    return figure


def texts(figure: Figure) -> list[Text]:
    unseen = set().union(*(_labels_not_drawn(axes) for axes in figure.axes))
    shown = [text for text in figure.findobj(Text) if text.get_text().strip()]
    return [text for text in shown if text.get_visible() and text not in unseen]


def _labels_not_drawn(axes: Axes) -> set[Text]:
    """Return labels of ticks beyond the limits of `axes`, or hidden: they keep their text."""
    unseen: set[Text] = set()
    for axis in (axes.xaxis, axes.yaxis):
        drawn = axis._update_ticks()
        for tick in (*axis.majorTicks, *axis.minorTicks):
            if tick not in drawn:
                unseen |= {tick.label1, tick.label2}
    return unseen


def test_there_are_the_figures_of_the_design() -> None:
    assert " ".join(FIGURES) == (
        "accuracy_by_encoding arithmetic_density batching_policies claims_intervals "
        "colocation_sensitivity convergence "
        "cycle_breakdown deciding_constants design_choices designs_breakdown energy_per_operation "
        "experiment_accuracy experiment_colocation experiment_comparison experiment_sharing "
        "fleet_day float_grid latency_vs_load mantissa_and_tile "
        "pareto_front roofline saturation scheduling_policies sensitivity sharing storage_rounding "
        "training_vs_load"
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in FIGURES]
)
class TestEachFigure:
    def test_has_a_caption_of_a_title_and_a_few_sentences(self, name: str) -> None:
        title, text = (module(name).__doc__ or "").split("\n\n")
        assert title.endswith(".")
        assert "\n" not in title
        assert 2 <= len(re.findall(r"[.!?](?:\s|$)", text)) <= 5

    def test_has_no_result_in_its_caption_which_the_tables_may_contradict(self, name: str) -> None:
        text = (module(name).__doc__ or "").split("\n\n")[1]
        numbers = set(re.findall(r"[\d.]+\s(?:%|×|points?|times)|\bpercent\b|half a point", text))
        assert numbers <= {"90 %", "95 %"}  # confidence levels

    def test_names_tables_and_published_values_that_exist(
        self, name: str, repository: Path
    ) -> None:
        assert set(module(name).TABLES) <= set(TABLES)
        text = (repository / "config" / "published.yaml").read_text()
        claims = {claim["id"]: claim["value"] for claim in yaml.safe_load(text)["published"]}
        for id_ in getattr(module(name), "PUBLISHED", ()):
            assert claims[id_] is not None

    def test_labels_every_axis_with_its_unit(self, name: str) -> None:
        figure = drawn(name)
        for panel in figure.axes:
            shared_x = panel.get_shared_x_axes().get_siblings(panel)
            shared_y = panel.get_shared_y_axes().get_siblings(panel)
            labels = [
                {figure.get_supxlabel(), *(other.get_xlabel() for other in shared_x)} - {""},
                {other.get_ylabel() for other in shared_y} - {""}
                if len(panel.get_yticks())
                else {},
            ]
            assert labels[0], "no label of x"
            assert labels[1] or not len(panel.get_yticks()), "no label of y"
            for label in {*labels[0], *labels[1]} - _WITHOUT_UNIT:
                assert re.search(r"\(.+\)$", label, re.DOTALL), f"{label!r} has no unit"

    def test_keeps_all_text_inside_the_canvas(self, name: str) -> None:
        figure = drawn(name)
        width, height = figure.canvas.get_width_height()
        for text in texts(figure):
            box = text.get_window_extent()
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
            assert inside, f"{text.get_text()!r} is clipped: {box}"

    def test_writes_no_text_over_another(self, name: str) -> None:
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts(drawn(name))]
        for (one, first), (other, second) in combinations(boxes, 2):
            wide = min(first.x1, second.x1) - max(first.x0, second.x0)
            high = min(first.y1, second.y1) - max(first.y0, second.y0)
            assert wide <= 1 or high <= 1, f"{one!r} is over {other!r}"

    def test_says_in_a_table_what_each_panel_draws(self, name: str) -> None:
        figure = drawn(name)
        data = drawn_data(figure)
        shown = data[data["mark"] != "text"]
        assert data["panel"].nunique() == len(
            {axes.get_title() or number for number, axes in enumerate(figure.axes, 1)}
        )
        assert (shown["x"].notna() | shown["y"].notna()).all()
        assert shown["x_axis"].str.len().gt(0).all()

    def test_is_the_same_bytes_each_time(self, name: str, tmp_path: Path) -> None:
        once, again = ([tmp_path / n / f"{name}.{end}" for end in FORMATS] for n in "ab")
        save_figure(draw(name), once)
        save_figure(draw(name), again)
        for first, second in zip(once, again, strict=True):
            assert first.read_bytes() == second.read_bytes(), first.suffix

    @pytest.mark.parametrize(
        "keep",
        [
            "seed == 0",
            "task == 'resnet'",
            "design == '500us'",
            "design == '50us'",
            "encoding == 'hbfp8_16'",
            "encoding == 'fp32'",
            "scheduling == 'priority'",
            "batching == 'full'",
            "study != 'monte_carlo'",
            "load == 0.5",
            "mantissa_bits < 0",
            "rows < 0",
        ],
    )
    def test_draws_or_names_what_is_missing(self, name: str, keep: str) -> None:
        tables = module(name).TABLES
        if not changes(map(random_table, tables), keep):
            return
        try:
            figure = draw(name, keep=keep, published=False)
        except ValueError as error:
            assert re.match(rf"table ({'|'.join(tables)}) has no row of .+: no run ", str(error))  # noqa: PT017
        else:
            assert figure.axes

    def test_an_empty_table_is_named(self, name: str) -> None:
        figure = module(name)
        tables = [random_table(table).iloc[:0] for table in figure.TABLES]
        with pytest.raises(ValueError, match=rf"table ({'|'.join(figure.TABLES)}) has no row of"):
            figure.plot({}, *tables)


def test_where_no_latency_is_finite_a_figure_says_so_and_shows_the_published_level() -> None:
    points = random_table("operating_points")
    endless = [column for column in points if "_latency_us" in column]
    growing = points.assign(**dict.fromkeys(endless, inf), training_relative=0.1)
    left, right = module("scheduling_policies").plot({"equinox.training_share": 78.0}, growing).axes
    assert [text.get_text() for text in left.texts] == ["grows without bound\nat every load"]
    assert right.get_ylim()[1] > 78
    assert not module("scheduling_policies").plot({}, points).axes[0].texts


def test_of_two_encodings_of_one_cost_the_first_is_drawn_wider_and_stays_visible() -> None:
    blocks = [16, 32]
    areas = {"fp32": [8.0, 8.0], "hbfp8_16": [1.0, 0.9], "mxint8": [0.99, 0.9], "int8": [0.9, 0.9]}
    density = pd.DataFrame(
        [
            {"model": "equinox", "encoding": name, "block": block, "area_um2": area}
            for name, of_blocks in areas.items()
            for block, area in zip(blocks, of_blocks, strict=True)
        ]
    )
    lines = module("arithmetic_density").plot({}, density).axes[0].get_lines()
    width = {line.get_label(): (line.get_linewidth(), line.get_markersize()) for line in lines}
    assert width["mxint8"] == width["int8"] == width["fp32"]
    assert all(a > b for a, b in zip(width["hbfp8_16"], width["mxint8"], strict=True))


def test_one_epoch_of_values_that_differ_little_has_whole_numbers_at_its_axes() -> None:
    table = random_table("accuracy").query("epoch == 1 and task == 'resnet'")
    near = table.assign(value=1.5 + 1e-5 * np.arange(len(table)), train_loss=1.0)
    with house_style():
        figure = module("convergence").plot({}, near)
        FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]
    assert axes.yaxis.get_offset_text().get_text() == ""


def test_a_scale_that_its_experiment_covers_stays_visible() -> None:
    lines = draw("experiment_comparison").axes[0].get_lines()
    sizes = [line.get_markersize() for line in lines]
    assert len(sizes) > 1
    assert sizes == sorted(set(sizes), reverse=True)
