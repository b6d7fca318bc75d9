"""The table beside a figure says what is drawn: worked examples of each kind of mark."""

from matplotlib.figure import Figure

from equinox.figures._data import drawn_data


def panel() -> tuple[Figure, object]:
    figure = Figure()
    axes = figure.subplots()
    axes.set(xlabel="Load (share)", ylabel="Latency\n(µs)")
    return figure, axes


def test_a_line_is_its_points_with_label_and_axes() -> None:
    figure, axes = panel()
    axes.plot([1, 2], [3.5, 4], color="#ff0000", label="ours")
    rows = drawn_data(figure)
    assert rows["mark"].tolist() == ["line", "line"]
    assert rows[["x", "y"]].to_numpy().tolist() == [[1, 3.5], [2, 4]]
    assert set(rows["series"]) == {"ours"}
    assert set(rows["y_axis"]) == {"Latency (µs)"}


def test_what_has_no_label_is_named_by_the_entry_that_looks_alike() -> None:
    figure, axes = panel()
    (line,) = axes.plot([1], [2], "o", color="#00ff00")
    figure.legend([line], ["green things"])
    (row,) = drawn_data(figure).to_dict("records")
    assert (row["series"], row["mark"], row["marker"]) == ("green things", "point", "o")


def test_a_bar_has_both_corners_and_the_name_at_its_tick() -> None:
    figure, axes = panel()
    axes.barh([0, 1], [5, 7], left=2, height=0.5)
    axes.set_yticks([-0.25, 0.75], ["first", "second"])
    rows = drawn_data(figure)
    assert rows["mark"].tolist() == ["bar", "bar"]
    assert rows[["x", "y", "x_end", "y_end"]].to_numpy().tolist() == [
        [2, -0.25, 7, 0.25],
        [2, 0.75, 9, 1.25],
    ]
    assert rows["y_name"].tolist() == ["first", "second"]


def test_a_band_is_low_and_high_at_each_place() -> None:
    figure, axes = panel()
    axes.fill_between([1, 2, 3], [0, 1, 2], [5, 6, 7])
    rows = drawn_data(figure)
    assert rows[["mark", "x", "y", "y_end"]].to_numpy().tolist() == [
        ["band", 1, 0, 5],
        ["band", 2, 1, 6],
        ["band", 3, 2, 7],
    ]


def test_a_level_spans_its_panel_and_has_one_coordinate() -> None:
    figure, axes = panel()
    axes.axhline(78)
    axes.axvline(500)
    rows = drawn_data(figure)
    assert rows["mark"].tolist() == ["level", "level"]
    assert rows["y"].dropna().tolist() == [78]
    assert rows["x"].dropna().tolist() == [500]
