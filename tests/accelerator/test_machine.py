import pytest

from equinox.accelerator import Accelerator

NUMBERS = {
    "encoding": "int8",
    "arrays": 1,
    "rows": 256,
    "columns": 256,
    "width": 1,
    "frequency_hz": 700e6,
    "voltage_v": 0.9,
    "sram_byte": 28 * 2**20,
    "dram_byte_per_s": 34e9,
}


def test_peak_throughput_is_that_of_tpu_v1():
    # Jouppi et al., ISCA 2017: 65,536 MACs at 700 MHz are 92 TOPS.
    assert Accelerator(**NUMBERS).macs_per_cycle == 65536
    assert Accelerator(**NUMBERS).peak_op_per_s == pytest.approx(92e12, rel=0.005)


@pytest.mark.parametrize("name", ["arrays", "frequency_hz", "sram_byte_per_cycle"])
@pytest.mark.parametrize("value", [0, -1])
def test_numbers_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        Accelerator(**NUMBERS | {name: value})


def test_latencies_may_be_zero_but_not_negative():
    Accelerator(**NUMBERS | {"pipeline_cycles": 0})
    with pytest.raises(ValueError, match="pipeline_cycles is -1"):
        Accelerator(**NUMBERS | {"pipeline_cycles": -1})


def test_the_encoding_must_be_known():
    with pytest.raises(ValueError, match="no encoding 'int7'"):
        Accelerator(**NUMBERS | {"encoding": "int7"})
