"""Every golden array, of the authors' emulator and of the definition, bit for bit."""

import io
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from equinox.encodings import BlockFloat, quantize
from equinox.encodings.formats import SAMPLE
from equinox.encodings.number_formats import Tile
from equinox.encodings.reference import quantize as defined

ARRAYS = Path(__file__).parent / "golden" / "hbfp.npz.xz"
RULES = ["floor", "ceil"]
BLOCKS = ["0", "8", "24", "rows"]


@cache
def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(lzma.decompress(ARRAYS.read_bytes()))) as stored:
        return dict(stored)


def cases(rule: str, blocks: str) -> list[tuple[str, np.ndarray, int, np.ndarray]]:
    """Return name, input, mantissa bits and result of each array of a rule and blocks."""
    names = [name.split("/") for name in arrays() if not name.startswith("in/")]
    return [
        ("/".join(name), arrays()[f"in/{name[1]}"], int(name[2]), arrays()["/".join(name)])
        for name in names
        if name[0] == rule and name[3] == blocks
    ]


def tile_of(blocks: str) -> Tile:
    sides: dict[str, Tile] = {"rows": SAMPLE, "0": None}
    return sides[blocks] if blocks in sides else (int(blocks), int(blocks))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("rounds", [quantize, defined])
def test_every_bit_of_the_golden_arrays(rule, blocks, rounds):
    found = cases(rule, blocks)
    assert len(found) == 19 * 6  # inputs, mantissa bits
    for name, x, mantissa_bits, expected in found:
        number_format = BlockFloat(
            mantissa_bits=mantissa_bits, tile=tile_of(blocks), exponent_rule=rule
        )
        rounded = rounds(torch.from_numpy(x), number_format).numpy()
        assert np.array_equal(rounded.view(np.int32), expected.view(np.int32)), name


def test_the_two_rules_differ_where_the_readme_says_so():
    pairs = [
        (x, y, arrays()[name.replace("floor", "ceil", 1)])
        for blocks in BLOCKS
        for name, x, _, y in cases("floor", blocks)
    ]
    differ = [x for x, floor, ceil in pairs if not np.array_equal(floor, ceil)]
    assert (len(differ), len(pairs)) == (96, 456)
