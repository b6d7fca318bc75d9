"""What a figure draws, as a table: one row for each point, bar, band or line on its panels.

Read from the drawn figure itself, so that no figure has to say it twice and none can differ.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

COLUMNS = (
    *("panel", "x_axis", "y_axis", "series", "mark", "color", "marker"),
    *("x", "y", "x_end", "y_end", "x_name", "y_name"),
)

Row = dict[str, Any]
Names = Mapping[tuple[str, str], str]  # of series, by color and marker


def drawn_data(figure: Figure) -> pd.DataFrame:
    """Return all that `figure` draws, in the units of its axes, in the order of drawing.

    Columns: `panel` (its title or number), `x_axis` and `y_axis` (labels), `series` (label of the
    artist, or of what looks like it in the legend), `mark` (point, line, bar, band, segment,
    level, text), `color`, `marker`, then `x`, `y`; for a bar, a segment or a band (from y to y_end)
    also the other end; `x_name` and `y_name` are the tick labels of a named position. An empty x
    or y of a line means that it spans the panel.
    """
    figure.draw_without_rendering()  # settles limits and tick labels
    names = _names_in_legends(figure)
    rows = [
        row
        for number, axes in enumerate(figure.axes, 1)
        for row in _rows_of_panel(axes, names, number)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows_of_panel(axes: Axes, names: Names, number: int) -> Iterator[Row]:
    panel = {
        "panel": axes.get_title() or number,
        "x_axis": _label(axes, "x").replace("\n", " "),
        "y_axis": _label(axes, "y").replace("\n", " "),
    }
    ticks = {f"{axis}_name": _tick_names(axes, axis) for axis in "xy"}
    for artist in axes.get_children():
        if artist is axes.patch or not artist.get_visible():
            continue
        look = {
            "series": _series(artist, names),
            "color": _color(artist),
            "marker": _marker(artist),
        }
        for row in _rows_of_artist(artist, axes):
            found = {name: ticks[name].get(row.get(name[0], np.nan)) for name in ticks}
            yield panel | look | row | found


def _rows_of_artist(artist: Artist, axes: Axes) -> Iterable[Row]:
    match artist:
        case Line2D():
            return _of_line(artist, axes)
        case Rectangle():
            return _of_bar(artist)
        case PathCollection():
            points = np.ma.getdata(artist.get_offsets())
            return [{"mark": "point", "x": x, "y": y} for x, y in points]
        case LineCollection():
            return _of_segments(artist)
        case PolyCollection():
            return _of_band(artist)
        case Text() if artist.get_text().strip() and artist in axes.texts:
            return [{"mark": "text", "series": artist.get_text().strip()}]
    return []


def _of_line(line: Line2D, axes: Axes) -> list[Row]:
    """Return the points of a line; a level has no coordinate along the panel that it spans."""
    spans = line.get_transform().contains_branch_seperately(axes.transData)
    xs, ys = (np.asarray(values, dtype=float) for values in line.get_data())
    if all(spans):
        kind = "point" if line.get_linestyle() in ("None", "none", "") else "line"
        return [{"mark": kind, "x": x, "y": y} for x, y in zip(xs, ys, strict=True)]
    return [{"mark": "level", "x": xs[0]} if spans[0] else {"mark": "level", "y": ys[0]}]


def _of_bar(bar: Rectangle) -> list[Row]:
    (x, y), width, height = bar.get_xy(), bar.get_width(), bar.get_height()
    return [{"mark": "bar", "x": x, "y": y, "x_end": x + width, "y_end": y + height}]


def _of_segments(lines: LineCollection) -> list[Row]:
    ends = [
        np.asarray(segment)[[0, -1]].ravel() for segment in lines.get_segments() if len(segment)
    ]
    return [{"mark": "segment", "x": a, "y": b, "x_end": c, "y_end": d} for a, b, c, d in ends]


def _of_band(band: PolyCollection) -> list[Row]:
    rows: list[Row] = []
    for path in band.get_paths():
        corners = pd.DataFrame(np.asarray(path.vertices), columns=["x", "y"]).dropna()
        edges = corners.groupby("x")["y"].agg(["min", "max"])
        rows += [{"mark": "band", "x": x, "y": low, "y_end": high}
                 for x, low, high in edges.itertuples()]  # fmt: skip
    return rows


def _label(axes: Axes, axis: str) -> str:
    """Return the label of an axis: its own, of a panel that shares the axis, or of the figure."""
    shared = getattr(axes, f"get_shared_{axis}_axes")().get_siblings(axes)
    labels = [getattr(other, f"get_{axis}label")() for other in (axes, *shared)]
    of_figure = getattr(axes.get_figure(root=True), f"get_sup{axis}label")()
    return str(next(filter(None, [*labels, of_figure]), ""))


def _tick_names(axes: Axes, axis: str) -> dict[float, str]:
    """Return the names at ticks whose labels are words, by position."""
    found = getattr(axes, f"{axis}axis")
    names = {}
    for place, label in zip(found.get_majorticklocs(), found.get_ticklabels(), strict=False):
        if label.get_text() and not _is_number(label.get_text()):
            names[float(place)] = label.get_text()
    return names


def _is_number(text: str) -> bool:
    try:
        float(re.sub(r"\\mathdefault|[${}%×]", "", text).replace("−", "-") or "0")
    except ValueError:
        return "\\times" in text or "^" in text
    return True


def _names_in_legends(figure: Figure) -> dict[tuple[str, str], str]:
    legends = [item for item in figure.findobj(Legend) if isinstance(item, Legend)]
    names: dict[tuple[str, str], str] = {}
    for legend in legends:
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            if handle is not None:
                names.setdefault((_color(handle), _marker(handle)), text.get_text())
                names.setdefault((_color(handle), ""), text.get_text())
    return names


def _series(artist: Artist, names: Names) -> str:
    """Return the label of `artist`, or of the entry of a legend that looks like it."""
    label = str(artist.get_label())
    if label and not label.startswith("_"):
        return label
    color = _color(artist)
    return names.get((color, _marker(artist)), names.get((color, ""), ""))


def _marker(artist: Artist) -> str:
    marker = artist.get_marker() if isinstance(artist, Line2D) else ""
    return "" if marker in ("None", "none", "", " ") else str(marker)


def _color(artist: Artist) -> str:
    match artist:
        case Line2D():
            return to_hex(artist.get_color())
        case Rectangle():
            return to_hex(artist.get_facecolor())
        case Collection():
            faces = artist.get_facecolor()
            colors = faces if np.size(faces) else artist.get_edgecolor()
            return to_hex(np.atleast_2d(np.asarray(colors))[0]) if np.size(colors) else ""
        case Text():
            return to_hex(artist.get_color())
    return ""
