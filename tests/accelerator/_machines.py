"""Accelerators by hand, for the tests."""

from typing import Any

from equinox.accelerator import Accelerator

_SMALL = {
    "encoding": "int8",
    "arrays": 1,
    "rows": 4,
    "columns": 4,
    "width": 1,
    "frequency_hz": 1e9,
    "voltage_v": 0.9,
    "sram_byte": 1e6,
    "dram_byte_per_s": 1e9,
}
#: Jouppi et al., ISCA 2017.
TPU_V1 = {"rows": 256, "columns": 256, "frequency_hz": 700e6, "sram_byte": 28 * 2**20}
TPU_V1 |= {"dram_byte_per_s": 34e9}


def machine(**changes: Any) -> Accelerator:
    """Return an array of 4 x 4 units that multiply two values a cycle at 1 GHz, or as changed."""
    return Accelerator(**_SMALL | changes)
