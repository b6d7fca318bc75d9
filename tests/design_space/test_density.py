import pytest

from equinox.design_space import measure_density
from equinox.design_space.density import bits_in_block
from equinox.encodings.formats import get_encoding
from equinox.tables import check_table


@pytest.fixture(scope="module")
def areas(config, technology):
    density = check_table(measure_density(config, technology), "density")
    return density.set_index(["model", "encoding", "block"])["area_um2"]


@pytest.mark.parametrize(
    ("other", "encoding", "ratio"),
    [
        # EPFL hbfp_hardware_model, stardust.py: exact to the digits given.
        ("fp32", "hbfp4_16", 21.3),
        ("fp32", "hbfp6_16", 12.7),
        ("fp32", "hbfp8_16", 8.28),
        ("bf16", "hbfp4_16", 4.41),
        ("bf16", "hbfp6_16", 2.62),
        ("bf16", "hbfp8_16", 1.71),
    ],
)
def test_the_authors_chip_has_its_published_ratios(areas, other, encoding, ratio):
    found = areas["authors_chip", other, 16] / areas["authors_chip", encoding, 16]
    assert float(f"{found:.3g}") == ratio


@pytest.mark.parametrize(
    ("block", "other", "encoding", "ratio"),
    [
        # The same, main.py: a processing element with its converters.
        (16, "fp32", "hbfp8_16", 6.14),
        (16, "fp32", "hbfp4_16", 12.52),
        (16, "bf16", "hbfp8_16", 1.30),
        (16, "bf16", "hbfp6_16", 1.81),
        (64, "bf16", "hbfp4_16", 3.36),
        (576, "fp32", "hbfp4_16", 17.69),
        (576, "bf16", "hbfp8_16", 1.50),
        (576, "fp32", "int8", 9.43),
        (1024, "fp32", "hbfp8_16", 7.24),
        (1024, "fp32", "hbfp6_16", 10.85),
        (1024, "fp32", "hbfp4_16", 17.79),
    ],
)
def test_the_authors_element_has_its_published_ratios(areas, block, other, encoding, ratio):
    found = areas["authors_pe", other, block] / areas["authors_pe", encoding, block]
    assert round(found, 2) == ratio


def test_a_larger_block_shares_its_converters_among_more(areas):
    for model in ("authors_pe", "equinox"):
        for encoding in ("hbfp8_16", "hbfp6_16", "hbfp4_16"):
            assert areas[model, encoding, 16] > areas[model, encoding, 576]


def test_what_the_authors_have_not_is_left_out(areas):
    assert ("authors_chip", "int8", 16) not in areas.index
    assert ("equinox", "int8", 16) in areas.index


def test_bits_include_the_share_of_the_exponent():
    assert bits_in_block(get_encoding("hbfp8_16").w, 16) == 8 + 10 / 16
    assert bits_in_block(get_encoding("bf16").w, 16) == 16
    assert bits_in_block(get_encoding("int8").storage, 16) == 32
