"""Batching policies."""

from math import inf, nan

import pytest

from equinox.colocation.batching import batch_timeout


def test_each_batching_is_a_timeout():
    assert batch_timeout("greedy", 3.0) == 0
    assert batch_timeout("adaptive", 3.0) == batch_timeout("shortened", 3.0) == 3.0
    assert batch_timeout("adaptive_4x", 3.0) == 12.0
    assert batch_timeout("adaptive", 0.0) == 0.0
    assert batch_timeout("adaptive", 0.5) == 0.5
    assert batch_timeout("full", 3.0) == inf


@pytest.mark.parametrize("timeout", [-1.0, nan])
def test_a_timeout_out_of_range_is_an_error(timeout):
    with pytest.raises(ValueError, match="must be 0 or more"):
        batch_timeout("adaptive", timeout)
