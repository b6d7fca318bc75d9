"""Quantities as text: a number, a space and a unit, with one internal unit per dimension.

Inside: s, Hz, V, byte, J, W, mm, mm2, op, cycle. Conversion happens where files are read, here,
and at the labels of figures.
"""

from math import isfinite
from typing import Final

#: Size of each unit in internal units, and the internal unit that it is a multiple of.
_UNITS: Final = {
    "s": (1.0, "s"),
    "ms": (1e-3, "s"),
    "us": (1e-6, "s"),
    "ns": (1e-9, "s"),
    "Hz": (1.0, "Hz"),
    "MHz": (1e6, "Hz"),
    "GHz": (1e9, "Hz"),
    "V": (1.0, "V"),
    "bit": (0.125, "byte"),
    "byte": (1.0, "byte"),
    "KiB": (2.0**10, "byte"),
    "MiB": (2.0**20, "byte"),
    "GB": (1e9, "byte"),
    "J": (1.0, "J"),
    "pJ": (1e-12, "J"),
    "fJ": (1e-15, "J"),
    "W": (1.0, "W"),
    "mW": (1e-3, "W"),
    "mm": (1.0, "mm"),
    "mm2": (1.0, "mm2"),
    "um2": (1e-6, "mm2"),
    "op": (1.0, "op"),
    "cycle": (1.0, "cycle"),
    "flipflop": (1.0, "flipflop"),
    "output": (1.0, "output"),
    "1": (1.0, "1"),
}


def parse(text: str, unit: str) -> float:
    """Return the quantity `text`, such as "1.1 pJ/byte", as a number of `unit`, such as "J/byte".

    A unit is written NAME or NAME/NAME/..., divided from left to right; "1" is the unit of a ratio,
    which may also be left out.

    Raises:
        ValueError: `text` is not a finite number and a known unit of the same dimension.
    """
    number, _, name = str(text).strip().partition(" ")
    try:
        value = float(number)
        size, dimension = _resolve(name.strip() or "1")
        wanted_size, wanted = _resolve(unit)
    except (ValueError, KeyError):
        value, size, dimension, wanted_size, wanted = float("nan"), 1.0, (), 1.0, ("",)
    if not isfinite(value) or dimension != wanted:
        raise ValueError(
            f"{text!r} is not a quantity of {unit}; write a number, a space and a unit, "
            f'for example "1.5 {unit}"'
        )
    return value * size / wanted_size


def _resolve(name: str) -> tuple[float, tuple[str, ...]]:
    first, *rest = (_UNITS[part] for part in name.split("/"))
    size = first[0]
    for divisor, _ in rest:
        size /= divisor
    return size, (first[1], *sorted(base for _, base in rest))
