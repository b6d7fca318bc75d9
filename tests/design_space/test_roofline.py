"""What a design attains lies under its roof; intensities are those of worked examples."""

import pytest

from equinox.accelerator.workloads import Layer, Workload
from equinox.design_space import choose_designs, measure_roofline, sweep_all
from equinox.tables import check_table


@pytest.fixture(scope="module")
def designs(config, technology, workload):
    points = sweep_all(config, technology, workload)
    return choose_designs(points, config, technology, workload)


@pytest.fixture(scope="module")
def roofline(designs, config, technology, workload):
    found = measure_roofline(designs, config, technology, workload)
    return check_table(found, "roofline")


def test_no_design_is_above_its_roof(roofline):
    assert (roofline["attained_op_per_s"] <= roofline["roof_op_per_s"] * (1 + 1e-9)).all()


def test_each_design_has_inference_and_all_but_the_fixed_point_twin_train(roofline, designs):
    phases = roofline.groupby("phase")["design"].size()
    assert phases["inference"] == len(designs)
    twins = (designs["design"] == "fixed_point_inference").sum()
    assert phases["training"] == len(designs) - twins


def test_a_byte_of_weights_serves_two_operations_for_each_row(roofline, designs):
    found = roofline[roofline["phase"] == "inference"].set_index(["design", "encoding"])
    for _, design in designs.iterrows():
        value = found.loc[(design["design"], design["encoding"]), "op_per_byte"]
        bits = {"hbfp8_16": 8, "bf16": 16, "int8": 8}[design["encoding"]]
        assert value == pytest.approx(2 * design["rows"] * 8 / bits, rel=0.01)


def test_attention_reads_its_operands_for_each_request(designs, config, technology):
    # One product of 4 x 8 by 8 x 2 a request: 2 * 4 * 8 * 2 = 128 operations, and 8 * 2 = 16 values
    # read for each 4 rows at most, whatever the batch.
    layer = Layer(name="scores", k=8, n=2, m_per_request=4, has_weights=False)
    attention = Workload(name="a", source="here", layers=(layer,), update_op_per_weight=0)
    found = measure_roofline(designs[designs["rows"] >= 4], config, technology, attention)
    ours = found[(found["phase"] == "inference") & (found["encoding"] == "bf16")]
    assert ours["op_per_byte"].tolist() == pytest.approx([128 / 32] * len(ours))
