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
    from equinox.encodings.conversion import (
        convert,
        encoded_weights,
        load_rounding_state,
        rounding_state,
        set_encoding,
    )
    from equinox.encodings.optimizer import wide_weights
    from equinox.encodings.products import (
        bmm,
        encoded_products,
        matmul,
        scaled_dot_product_attention,
    )
    from equinox.encodings.rounding import quantize
    from equinox.encodings.summary import summarize

__all__ = [
    "ENCODINGS",
    "BlockFloat",
    "Encoding",
    "Fixed",
    "Float",
    "bmm",
    "convert",
    "derive_encoding",
    "encoded_products",
    "encoded_weights",
    "get_encoding",
    "load_rounding_state",
    "matmul",
    "quantize",
    "rounding_state",
    "scaled_dot_product_attention",
    "set_encoding",
    "summarize",
    "wide_weights",
]

_LAZY = {
    "bmm": "equinox.encodings.products",
    "convert": "equinox.encodings.conversion",
    "encoded_products": "equinox.encodings.products",
    "encoded_weights": "equinox.encodings.conversion",
    "load_rounding_state": "equinox.encodings.conversion",
    "matmul": "equinox.encodings.products",
    "quantize": "equinox.encodings.rounding",
    "rounding_state": "equinox.encodings.conversion",
    "scaled_dot_product_attention": "equinox.encodings.products",
    "set_encoding": "equinox.encodings.conversion",
    "summarize": "equinox.encodings.summary",
    "wide_weights": "equinox.encodings.optimizer",
}


def __getattr__(name: str) -> object:
    """Return a public name whose module needs torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
