"""Names of what can be trained on what; nothing here imports torch, so that a plan can be checked.

The networks themselves are in `equinox.training.problems`; a test holds the names to it.
"""

from pathlib import Path
from typing import Final

from equinox.training.files import SHIPPED
from equinox.training.layouts import LAYOUTS

MODELS: Final = (
    *("mlp", "resnet8", "wide_resnet", "densenet", "cifar_resnet", "resnet50"),
    *("lstm", "transformer", "awd_lstm", "bert"),
)


def known_datasets(data_dir: str | None) -> list[str]:
    """Return the data sets that come with the product, the public ones, and those in `data_dir`."""
    folders = [SHIPPED] if data_dir is None else [SHIPPED, Path(data_dir)]
    found = {path.name for folder in folders for path in folder.iterdir() if path.is_dir()}
    return sorted(found | set(LAYOUTS))
