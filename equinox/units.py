"""Quantities as text: a number, a space and a unit, with one internal unit per dimension.

Inside: s, Hz, V, byte, J, W, mm, mm2, op, cycle. Conversion happens where files are read, here,
and at the labels of figures (`label`).
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

#: How people write the units of claims, and the endings of names; one that another ends with
#: comes after it.
UNIT_SIGNS: Final = {"percent": "%", "percentage_points": "points", "perplexity": "", "x": "×"}
_ENDINGS: Final = {
    "j_per_byte_mm": "J/B/mm",
    "op_per_cycle": "op/cycle",
    "byte_per_cycle": "B/cycle",
    "j_per_cycle": "J/cycle",
    "j_per_op": "J/op",
    "cycles": "cycles",
    "w_per_mm2": "W/mm²",
    "gb_per_s": "GB/s",
    "j_per_byte": "J/B",
    "j_per_bit": "J/bit",
    "mm2": "mm²",
    "mib": "MiB",
    "byte": "B",
    "hz": "Hz",
    "j": "J",
    "w": "W",
    "v": "V",
}
_WORDS: Final = {name.lower(): name for name in ("SRAM", "DRAM", "HBM", "SIMD", "FP32", "FMA")}


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


def label(name: str) -> str:
    """Return the name of a constant or budget for people, such as `HBM interface (mm²)`."""
    ending = next((end for end in _ENDINGS if name.endswith(f"_{end}")), "")
    words = name.removesuffix(f"_{ending}").replace(".", ": ").replace("_", " ").split(" ")
    text = " ".join(_WORDS.get(word, word) for word in words)
    return f"{text} ({_ENDINGS[ending]})" if ending else text
