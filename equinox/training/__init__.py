"""Training of networks in different encodings: data, models, one loop.

`train` runs one job: a task in one encoding, for some seeds. To add a model, add an entry to
`equinox.training.architectures`; to add data, put a folder of files into `data_dir`
(`equinox.training.datasets` says which).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from equinox.training.loop import train

__all__ = ["train"]


def __getattr__(name: str) -> object:
    """Return `train`, whose module needs torch; layouts of data do not."""
    if name != "train":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from equinox.training.loop import train

    return train
