"""Number encodings for training: formats as data, rounding, drop-in modules, wide weights.

Formats are imported at once and are free of torch; the rest is imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from equinox.encodings.formats import (
    ENCODINGS,
    BlockFloat,
    Encoding,
    Fixed,
    Float,
    derive_encoding,
    get_encoding,
)

if TYPE_CHECKING:
    from equinox.encodings.modules import convert
    from equinox.encodings.optimizer import wide_weights
    from equinox.encodings.rounding import quantize

__all__ = [
    "ENCODINGS",
    "BlockFloat",
    "Encoding",
    "Fixed",
    "Float",
    "convert",
    "derive_encoding",
    "get_encoding",
    "quantize",
    "wide_weights",
]

_LAZY = {
    "convert": "equinox.encodings.modules",
    "quantize": "equinox.encodings.rounding",
    "wide_weights": "equinox.encodings.optimizer",
}


def __getattr__(name: str) -> object:
    """Return a public name whose module needs torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
