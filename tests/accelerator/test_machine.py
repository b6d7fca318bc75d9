import pytest

from ._machines import TPU_V1, machine


def test_peak_throughput_is_that_of_tpu_v1():
    # Jouppi et al., ISCA 2017: 65,536 MACs at 700 MHz are 92 TOPS.
    assert machine(**TPU_V1).macs_per_cycle == 65536
    assert machine(**TPU_V1).peak_op_per_s == pytest.approx(92e12, rel=0.005)


@pytest.mark.parametrize("name", ["arrays", "frequency_hz", "sram_byte_per_cycle"])
@pytest.mark.parametrize("value", [0, -1])
def test_numbers_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        machine(**{name: value})


def test_latencies_may_be_zero_but_not_negative():
    machine(pipeline_cycles=0)
    with pytest.raises(ValueError, match="pipeline_cycles is -1"):
        machine(pipeline_cycles=-1)


def test_the_encoding_must_be_known():
    with pytest.raises(ValueError, match="no encoding 'int7'"):
        machine(encoding="int7")
