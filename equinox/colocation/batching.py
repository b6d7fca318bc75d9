"""Batching policies: how long a free machine holds an incomplete batch back.

All are one rule: a batch issues when it is full or when its oldest request has waited for a
timeout. To add a policy, enter the timeout that it stands for in `BATCHINGS`.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Final

SHORTENED: Final = "shortened"  # its incomplete batches have programs of their own size

BATCHINGS: Mapping[str, Callable[[float], float]] = {
    "greedy": lambda timeout: 0.0,  # whoever waits, at once
    "full": lambda timeout: inf,  # full batches only; what is left after the last arrival, too
    "adaptive": lambda timeout: timeout,
    "adaptive_4x": lambda timeout: 4 * timeout,  # more patient: fewer padded batches, later answers
    SHORTENED: lambda timeout: timeout,  # adaptive, and an incomplete batch takes its own time
}


def batch_timeout(batching: str, timeout: float) -> float:
    """Return how long `batching` lets the oldest request wait, in the unit of `timeout`.

    Raises:
        ValueError: there is no such batching, or `timeout` is negative or not a number.
    """
    if batching not in BATCHINGS:
        raise ValueError(f"batching is {batching!r}; policies are {', '.join(BATCHINGS)}")
    if not timeout >= 0:
        raise ValueError(f"timeout is {timeout}; it must be 0 or more")
    return BATCHINGS[batching](timeout)
