"""Write a figure as the same bytes each time, all at once or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

from equinox.figures._data import drawn_data
from equinox.whole_files import written_whole

# What a backend would write of the time and the machine, left out.
_METADATA: Mapping[str, Mapping[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
FORMATS = (*_METADATA, "csv")


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save in the style of style.mplstyle, whatever the user's own settings are."""
    style = Path(__file__).with_name("style.mplstyle")
    with matplotlib.style.context(["default", str(style)]):
        yield


def save_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Write `figure` to each of `paths`, in the format of its ending; .csv is what it draws."""
    for path in paths:
        ending = path.suffix.removeprefix(".")
        with written_whole(path) as partial:
            if ending == "csv":
                drawn_data(figure).to_csv(partial, index=False, float_format="%.10g")
            else:
                figure.savefig(partial, format=ending, metadata=dict(_METADATA[ending]))
