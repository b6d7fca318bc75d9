"""Values counted by size."""

import numpy as np
import pytest

from equinox.colocation.tally import RELATIVE_ERROR, add_values, new_tally, tallied_quantile


def tallied(values):
    tally = new_tally()
    add_values(tally, np.asarray(values, np.float64))
    return tally


@pytest.mark.parametrize("exponent", [-39, -1, 0, 1, 20, 62])
def test_a_value_is_found_within_half_of_a_bin(exponent):
    # 1 + 3/8192 of a power of two is in its first bin of 1/1024; the middle is at 1 + 1/2048
    value = 2.0**exponent * (1 + 3 / 8192)
    found = tallied_quantile(tallied([value]), 0.5)
    assert found == 2.0**exponent * (1 + 1 / 2048)
    assert abs(found / value - 1) <= RELATIVE_ERROR == 1 / 2048


def test_neighbors_a_bin_apart_are_told_apart():
    values = [1.0, 1 + 1 / 1024, 1 + 2 / 1024, 1 + 1023 / 1024, 2.0]
    counted = tallied(values)
    assert counted.max() == 1
    found = [tallied_quantile(counted, share) for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert found == [value + 2.0 ** -(11 - (value == 2)) for value in values]


def test_what_is_below_the_bins_is_zero_and_what_is_above_in_the_last():
    counted = tallied([0.0, 2.0**-41, 2.0**-40, 2.0**64, 1e300])
    assert len(counted) == 104 * 1024
    assert (counted[0], counted[-1], counted.sum()) == (3, 2, 5)
    assert tallied_quantile(counted, 0.6) == 0.0
    assert tallied_quantile(counted, 1.0) == 2.0**64 * (1 - 1 / 4096)
    assert tallied_quantile(tallied([1e300]), 0.5) == 2.0**64 * (1 - 1 / 4096)
    assert tallied_quantile(tallied([2.0**-40 * 1025 / 1024]), 1.0) > 0


def test_a_quantile_is_the_smallest_value_that_the_share_does_not_exceed():
    counted = tallied(np.arange(1.0, 101.0))
    for share, value in ((0.0, 1), (0.01, 1), (0.011, 2), (0.5, 50), (0.99, 99), (0.991, 100)):
        assert tallied_quantile(counted, share) == pytest.approx(value, rel=RELATIVE_ERROR)


def test_an_empty_tally_has_no_quantile():
    assert np.isnan(tallied_quantile(new_tally(), 0.5))
    assert not new_tally().any()
