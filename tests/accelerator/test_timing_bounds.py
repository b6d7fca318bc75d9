"""What bounds a fold is rounded up, never down."""

from equinox.accelerator import matmul_timing
from equinox.encodings.formats import get_encoding

from ._machines import machine


def test_weights_of_broken_bytes_from_sram_bound_every_fold_by_whole_cycles():
    own = machine(encoding="hbfp6_16", rows=2, columns=3, sram_byte_per_cycle=1.0)
    assert get_encoding("hbfp6_16").w.bits == 6 + 10 / 576  # an exponent of 10 bits for 24 x 24
    # Four folds of 5 x 3 weights: 11.28 bytes each, a byte a cycle, so 12 cycles each.
    timing = matmul_timing(own, m=8, k=5, n=3)
    assert timing.issue_cycles == 48
