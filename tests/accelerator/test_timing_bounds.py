"""What bounds a fold is kept to a fraction of a cycle: rounding is for the whole product."""

from equinox.accelerator import Accelerator, matmul_timing
from equinox.encodings.formats import get_encoding


def test_weights_of_broken_bytes_from_sram_bound_every_fold_by_a_fraction_of_a_cycle():
    machine = Accelerator(
        encoding="hbfp6_16",
        arrays=1,
        rows=2,
        columns=3,
        width=1,
        frequency_hz=1e9,
        voltage_v=0.9,
        sram_byte=1e6,
        dram_byte_per_s=1e9,
        sram_byte_per_cycle=1.0,
    )
    assert get_encoding("hbfp6_16").w.bits == 6
    # Four folds of 5 x 3 weights of 6 bits: 11.25 bytes, a byte a cycle, so 45 cycles.
    timing = matmul_timing(machine, m=8, k=5, n=3)
    assert timing.issue_cycles == 45
