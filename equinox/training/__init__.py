"""Training of networks in different encodings: data, models, one loop.

`train` runs one job: a task in one encoding, for some seeds. To add a model, add an entry to
`equinox.training.architectures`; to add data, put a folder of files into `data_dir`
(`equinox.training.datasets` says which).
"""

from equinox.training.loop import train

__all__ = ["train"]
