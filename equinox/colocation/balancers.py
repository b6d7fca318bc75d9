"""Balancers: how many accelerators of a fleet serve, and the others train alone."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from equinox.config.colocation import Fleet

Values = NDArray[np.float64]

#: Load and fleet -> accelerators that serve, in each interval. A new balancer is one entry.
BALANCERS: Mapping[str, Callable[[Values, Fleet], Values]] = {
    # all serve, at the fleet's load
    "even": lambda load, fleet: np.full(len(load), float(fleet.accelerators)),
    # as few as can serve with `pack_load` each
    "pack": lambda load, fleet: np.clip(
        np.ceil(load * fleet.accelerators / fleet.pack_load - 1e-9), 1, fleet.accelerators
    ),
}
