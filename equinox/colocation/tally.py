"""Values counted by size, so that quantiles of any number of them need little memory.

Bins are 1/1024 of a power of two wide, from 2^-40 to 2^63: a quantile is within 0.05 % of the
exact one. Whatever is smaller, zero too, is in the first bin and counts as 0.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from equinox.colocation.compiling import kernel

Integers = NDArray[np.int64]

BITS: Final = 10  # of a mantissa that tell bins apart
_SHIFT: Final = 52 - BITS  # a double has 52 bits of mantissa below its exponent
_LOWEST: Final = (1023 - 40) << BITS  # 1023 is the exponent of 1
_BINS: Final = 104 << BITS
RELATIVE_ERROR: Final = 2.0 ** -(BITS + 1)  # of a value, by half of its bin


def new_tally() -> Integers:
    """Return the counts of no values."""
    return np.zeros(_BINS, np.int64)


def add_values(tally: Integers, values: NDArray[np.float64]) -> None:
    """Count `values`, 0 or more, in `tally`."""
    _count(tally, np.ascontiguousarray(values, np.float64).view(np.int64))


def tallied_quantile(tally: Integers, share: float) -> float:
    """Return the smallest value that at least a `share` of those counted do not exceed.

    It is the middle of that value's bin: within `RELATIVE_ERROR` of it. NaN for an empty tally.
    """
    upto = np.cumsum(tally)
    if upto[-1] == 0:
        return np.nan
    rank = max(np.ceil(share * upto[-1] - 1e-9), 1)  # 1e-9: 0.99 * 100 is above 99
    place = int(np.searchsorted(upto, rank))
    if place == 0:
        return 0.0
    edges = np.array([place, place + 1]) + _LOWEST
    return float((edges << _SHIFT).view(np.float64).mean())


# numba: a loop without temporary arrays.
@kernel
def _count(tally: Integers, bits: Integers) -> None:
    last = len(tally) - 1
    for pattern in bits:  # of positive doubles are ordered as these are
        tally[min(max((pattern >> _SHIFT) - _LOWEST, 0), last)] += 1
