from dataclasses import replace

import pytest

from equinox.design_space import choose_designs, search, stream, sweep
from equinox.design_space import grid as grid_module


@pytest.mark.parametrize("encoding", ["hbfp8_16", "bf16", "int8"])
def test_the_family_is_the_one_chosen_among_all_points(
    config, technology, workload, encoding, monkeypatch
):
    monkeypatch.setattr(grid_module, "_CHUNK_POINTS", 100)  # many parts
    one = replace(config, encodings=(encoding,), service_limits_us=(30, 50, 500))
    points = sweep(one, technology, workload, encoding)
    designs = choose_designs(points, one, technology, workload).set_index("design")
    found = search(one, technology, workload, encoding)
    assert set(designs.index) - set(found) <= {"dedicated_training", "fixed_point_inference"}
    for name, design in found.items():
        expected = designs.loc[name]
        assert {key: design[key] for key in expected.index} == expected.to_dict()


def test_no_family_where_the_weights_do_not_fit(config, technology, workload):
    assert search(config, technology, workload, "fp32") == {}


def test_the_size_of_a_chunk_changes_nothing(config, technology, workload, monkeypatch):
    whole = sweep(config, technology, workload, "bf16")
    monkeypatch.setattr(grid_module, "_CHUNK_POINTS", 1)
    assert sweep(config, technology, workload, "bf16").equals(whole)
    parts = list(stream(config, technology, workload, "bf16"))
    assert sum(len(part["rows"]) for part in parts) == len(whole)
    assert len(parts) > 100
