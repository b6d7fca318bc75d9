"""What training beside inference, and its price, hang on.

One parameter at a time at the 500 µs design and the LSTM, under the priority scheduler: training
relative to a dedicated accelerator that is changed as well (upper row), and the increase of the
99th percentile over inference alone (lower row), at three loads; bars are 95 % intervals. Larger
training batches help where they fill whole multiples of the array's rows; DRAM bounds training
below the bandwidth at which operands arrive in time; long instructions are what inference waits
for, and cutting the reduction of a weight gradient makes them short, which costs training where a
cut is shorter than the draining of the arrays; timeouts decide how much padding is issued.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinox.figures._lines import entry, top_legend
from equinox.figures._select import require
from equinox.figures._style import CYCLE, PAGE_IN, new_figure

TABLES = ("colocation_sensitivity",)

_LABELS: Mapping[str, str] = {  # parameter: axis label
    "training_batch": "Training batch\n(samples)",
    "dram_gb_per_s": "DRAM\n(GB/s)",
    "instruction_folds": "Instruction\n(folds)",
    "instruction_reduction": "Reduction\n(values)",
    "arrivals": "Arrivals\n(process)",
    "adaptive_timeout": "Timeout\n(× service)",
}
_NAMES = ("arrivals",)  # settings that are not numbers
_ROWS = (
    ("training_relative", "Training\n(% of dedicated)"),
    ("p99_increase", "p99 increase\n(%)"),
)
_SHOWN = 3  # loads
_TEXT = 18  # characters that fit below a column


def plot(published: Mapping[str, float], sensitivity: pd.DataFrame) -> Figure:
    """Draw training and tail latency over the settings: a column per parameter."""
    del published  # none is about these
    rows = sensitivity[sensitivity["scheduling"] == "priority"]
    rows = require(rows, "colocation_sensitivity", "scheduling priority")
    parameters = [name for name in _LABELS if (rows["parameter"] == name).any()]
    require(rows[rows["parameter"].isin(parameters)], "colocation_sensitivity", "a parameter")
    loads = sorted(rows["load"].unique())
    loads = [loads[round(i * (len(loads) - 1) / (_SHOWN - 1))] for i in range(_SHOWN)]
    loads = list(dict.fromkeys(loads))
    figure = new_figure(PAGE_IN, 3.4)
    grid = figure.subplots(len(_ROWS), len(parameters), sharex="col", sharey="row", squeeze=False)
    for line, (value, label) in zip(grid, _ROWS, strict=True):
        for axes, parameter in zip(line, parameters, strict=True):
            for load, color in zip(loads, CYCLE, strict=False):
                _draw(axes, rows[rows["load"] == load], parameter, value, color)
        line[0].set_ylabel(label)
    for axes, parameter in zip(grid[-1], parameters, strict=True):
        axes.set_xlabel(_LABELS[parameter])
    grid[0][0].set_ylim(0, None)
    handles = [
        entry(f"load {load:g}", color, marker="o")
        for load, color in zip(loads, CYCLE, strict=False)
    ]
    top_legend(figure, columns=_SHOWN, handles=handles)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, parameter: str, value: str, color: str) -> None:
    mine = rows[rows["parameter"] == parameter]
    if parameter not in _NAMES:
        sizes = pd.to_numeric(mine["setting"], errors="coerce")  # what is no number is last
        mine = mine.assign(order=sizes).sort_values("order")
    half = (mine[f"{value}_high"] - mine[f"{value}_low"]) / 2
    axes.errorbar(
        range(len(mine)),
        100 * mine[value],
        yerr=100 * half,
        color=color,
        marker="o",
        linestyle="none" if parameter in _NAMES else "-",
        linewidth=1,
    )
    names = [_short(name) for name in mine["setting"]]
    crowded = max(map(len, names), default=0) > 4 or len(" ".join(names)) > _TEXT
    axes.set_xticks(range(len(mine)), names, rotation=90 if crowded else 0, fontsize=6)


def _short(setting: str) -> str:
    """Return a setting as it fits below an axis."""
    name, _, rest = setting.partition(":")
    try:
        return f"{float(name):g}"
    except ValueError:
        return f"{name} {rest.split(':')[0]}".strip()
