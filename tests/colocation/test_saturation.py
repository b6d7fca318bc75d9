"""What a site can take."""

import pandas as pd
import pytest

from equinox.colocation.stages import PARTS
from equinox.tables import check_table


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_of_a_design_fit_their_tables(parts, name):
    assert len(check_table(pd.DataFrame(parts[name]), name))


def test_every_policy_that_serves_has_its_loads(parts, config):
    rows = parts["saturation"]
    assert len(rows) == len(config.batchings) * 3
    assert rows["saturation_load"].between(0.7, 1.2).all()
    within = rows["load_within_target"].dropna()
    assert (within <= 1).all()


def test_the_factors_of_training_are_its_share_of_the_peak(parts):
    site = parts["sites"].iloc[0]
    peak = site["training_op_per_s"] / (site["fill_share"] * site["training_share"])
    # 2 arrays of 86 x 86 units, 16 wide, at 689 MHz
    assert peak == pytest.approx(2 * 2 * 86 * 86 * 16 * 689.1e6, rel=1e-3)
    # a batch of 128 fills 2 x 86 rows to three quarters, in two of the three products
    assert 0.74 < site["fill_share"] < 0.85
