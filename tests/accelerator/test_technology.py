import numpy as np
import pytest
import yaml
from scipy import stats

from equinox.accelerator import Constant, load_technology, technology_files, unit_cost


@pytest.fixture(scope="module")
def technology():
    return load_technology("28nm")


@pytest.fixture
def entries(repository):
    return yaml.safe_load((repository / "config/technology/28nm.yaml").read_text())


def load(entries, tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(entries))
    return load_technology(path)


def test_every_constant_has_a_source_and_lies_in_its_range(technology):
    for constant in technology.constants.values():
        assert constant.low <= constant.value <= constant.high
        assert constant.low < constant.high
        assert len(constant.source) > 10


def test_quantities_are_in_internal_units(technology):
    assert technology.register_mm2 == pytest.approx(1.55e-6)
    assert technology.wire_j_per_byte_mm == pytest.approx(0.672e-12)
    assert technology.banks["cacti_64k_32"].capacity_byte == 65536


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("constants", "register_j", "source"), "", "register_j has no source"),
        (("constants", "register_j", "status"), "guessed", "status of register_j is 'guessed'"),
        (("constants", "register_j", "value"), "4.5 um2", "register_j: '4.5 um2' is not"),
        (("constants", "register_j", "low"), "5 fJ/flipflop", "register_j is 4.5 fJ/flipflop, out"),
        (("constants", "register_j", "unit"), "J", "register_j has unknown unit"),
        (("constants", "gate_j"), {}, "constants has unknown gate_j"),
        (("choices", "bank"), "other", "bank is 'other'; choose one of"),
        (("constants", "register_j", "value"), "4.5", "register_j: '4.5' is not a quantity of"),
        (("constants", "register_j", "distribution"), "normal", "distribution of register_j"),
        (("constants", "clock_share", "low"), "0", "clock_share is from 0: a log_uniform one"),
        (("components", "source"), "", "components has no source"),
        (("components", "status"), "", "components has no status"),
        (("components", "unit"), "mm2", "unit of components is 'mm2'; write um2"),
        (("banks", "cacti_64k_32", "source"), "", "bank cacti_64k_32 has no source"),
        (("banks", "cacti_64k_32", "status"), "seen", "status of bank cacti_64k_32 is 'seen'"),
        (("components", "divide"), {}, "components.divide = {}: unknown key"),
        (("banks", "cacti_64k_32", "read"), "1 pJ", "bank cacti_64k_32: '1 pJ' is not"),
        (("banks", "cacti_64k_32", "color"), "red", "bank cacti_64k_32 needs exactly"),
        (("more",), 1, "file has unknown more"),
    ],
)
def test_a_wrong_entry_is_named_with_its_file(entries, tmp_path, where, value, message):
    inner = entries
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    entries["constants"]["clock_share"]["distribution"] = "log_uniform"
    with pytest.raises(ValueError, match=message) as error:
        load(entries, tmp_path)
    assert "other.yaml" in str(error.value)


@pytest.mark.parametrize("key", ["value", "low", "high", "source", "status"])
def test_a_missing_part_of_a_constant_is_named(entries, tmp_path, key):
    del entries["constants"]["clock_share"][key]
    with pytest.raises(ValueError, match=f"clock_share lacks {key}"):
        load(entries, tmp_path)


def test_a_missing_constant_is_named(entries, tmp_path):
    del entries["constants"]["clock_share"]
    with pytest.raises(ValueError, match="constants lacks clock_share"):
        load(entries, tmp_path)


def test_an_unknown_technology_names_the_known_ones():
    with pytest.raises(ValueError, match="no technology 3nm; known are 28nm"):
        load_technology("3nm")


def test_a_missing_part_of_a_bank_or_of_the_components_is_named(entries, tmp_path):
    for key in ("source", "status", "read", "write"):
        bank = dict(entries["banks"]["cacti_64k_32"])
        del bank[key]
        banks = entries["banks"] | {"cacti_64k_32": bank}
        with pytest.raises(ValueError, match=f"bank cacti_64k_32 .*{key}"):
            load(entries | {"banks": banks}, tmp_path)
    for key in ("source", "status", "unit", "add_int", "accumulator_flipflops"):
        components = {name: part for name, part in entries["components"].items() if name != key}
        with pytest.raises(ValueError, match=f"({key} of components|components.*{key})"):
            load(entries | {"components": components}, tmp_path)


@pytest.mark.parametrize("name", ["28nm", "bottom_up", "epfl", "7nm"])
def test_every_set_of_constants_is_whole(name):
    found = load_technology(name)
    assert found.name == name
    assert all(
        constant.source and constant.low < constant.high for constant in found.constants.values()
    )


def test_a_set_on_top_of_another_replaces_entries_as_a_whole(tmp_path, entries):
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(entries))
    own = {"value": 0.2, "low": 0.1, "high": 0.3, "source": "a measurement", "status": "published"}
    over = {"base": "base", "choices": {"bank": "epfl_64k_32"}, "constants": {"clock_share": own}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(over))
    found = load_technology(path)
    assert (found.clock_share, found.bank) == (0.2, "epfl_64k_32")
    assert found.constants["clock_share"].source == "a measurement"
    assert found.register_j == load_technology("28nm").register_j
    assert technology_files(path) == [path, tmp_path / "base.yaml"]
    for key in ("source", "status", "low"):
        path.write_text(
            yaml.safe_dump(
                over | {"constants": {"clock_share": {k: v for k, v in own.items() if k != key}}}
            )
        )
        with pytest.raises(ValueError, match=f"mine.yaml, line [2-9]: clock_share lacks {key}"):
            load_technology(path)


def test_a_set_cannot_be_based_on_itself(tmp_path):
    for name, base in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"base: {base}")
    with pytest.raises(ValueError, match="based on itself"):
        load_technology(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("base: nothing")
    with pytest.raises(ValueError, match="no technology nothing; known are a, b, c"):
        load_technology(tmp_path / "c.yaml")


def test_a_wrong_base_is_that_of_the_file_that_names_it(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: middle")
    (tmp_path / "middle.yaml").write_text("base: nothing")
    with pytest.raises(ValueError, match="middle.yaml, line 1: no technology nothing"):
        load_technology(tmp_path / "mine.yaml")


def test_epfl_has_the_published_energy_of_a_multiply_accumulate():
    # EPFL sosa-compiler: 0.4 pJ for int8; a unit of 16 values.
    energy = unit_cost("int8", 16, load_technology("epfl")).energy_j
    assert sum(energy.values()) / 16 == pytest.approx(0.4e-12, rel=0.01)


def test_7nm_is_smaller_by_the_published_factor_and_costs_the_published_energy(technology):
    # Stillmaker and Baas: 45 to 7 nm 0.059 and to 28 nm 0.377. Jouppi et al., ISCA 2021: bf16
    # multiply 0.21 and FP32 add 0.38 pJ.
    small = load_technology("7nm")
    area = [sum(unit_cost("int8", 16, t).area_mm2.values()) for t in (small, technology)]
    assert area[0] / area[1] == pytest.approx(0.059 / 0.377, rel=0.02)
    assert small.multiply_bf16_j + small.add_fp32_j == pytest.approx(0.59e-12)


def test_the_clock_is_monotone_in_the_voltage(technology):
    clocks = technology.frequency_hz(np.linspace(0.3, 1.1, 200))
    assert (np.diff(clocks) >= 0).all()
    assert clocks[0] == 0
    assert technology.frequency_hz(0.9) == pytest.approx(1e9)
    # (0.7 - 0.4)^1.4 / 0.7 over (0.9 - 0.4)^1.4 / 0.9
    assert technology.frequency_hz(0.7) == pytest.approx(1e9 * 0.6**1.4 * 0.9 / 0.7)


def constant(distribution, value=1.5, low=0.7, high=4.1):
    return Constant(
        unit="1", value=value, low=low, high=high, source="-", status="derived",
        distribution=distribution,
    )  # fmt: skip


def test_draws_of_a_constant_follow_its_distribution():
    share = np.linspace(0, 1, 2001)
    drawn = {
        name: constant(name).quantile(share) for name in ("uniform", "log_uniform", "triangular")
    }
    for values in drawn.values():
        assert (values[0], values[-1]) == pytest.approx((0.7, 4.1))
        assert (np.diff(values) > 0).all()
    assert drawn["uniform"][1000] == pytest.approx((0.7 + 4.1) / 2)
    assert drawn["log_uniform"][1000] == pytest.approx((0.7 * 4.1) ** 0.5)
    expected = stats.triang(c=0.8 / 3.4, loc=0.7, scale=3.4).ppf(share)
    assert drawn["triangular"] == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.7, 4.1])
def test_a_triangle_may_have_its_peak_at_an_end(value):
    share = np.linspace(0, 1, 201)
    expected = stats.triang(c=(value - 0.7) / 3.4, loc=0.7, scale=3.4).ppf(share)
    assert constant("triangular", value).quantile(share) == pytest.approx(expected)


@pytest.mark.parametrize("distribution", ["uniform", "log_uniform", "triangular"])
def test_a_constant_without_a_range_is_always_its_value(distribution):
    drawn = constant(distribution, 2.5, 2.5, 2.5).quantile(np.array([0.0, 0.4, 1.0]))
    assert drawn.tolist() == [2.5, 2.5, 2.5]


def test_a_distribution_is_uniform_or_by_the_span_unless_it_is_named(technology):
    found = {name: constant.distribution for name, constant in technology.constants.items()}
    assert found["pipeline_cycles"] == "log_uniform"  # 5 to 20
    assert found["threshold_voltage_v"] == "uniform"  # 0.30 to 0.45
    assert found["multiply_int8_j"] == "triangular"  # named in the file


@pytest.mark.parametrize(
    ("low", "high", "distribution"),
    [
        (-0.1, 0.5, "uniform"),
        (0.0, 0.5, "uniform"),
        (0.125, 0.375, "uniform"),  # exactly three times
        (0.125, 0.376, "log_uniform"),
    ],
)
def test_only_a_positive_range_of_more_than_three_times_is_logarithmic(
    entries, tmp_path, low, high, distribution
):
    entries["constants"]["clock_share"] |= {"low": low, "high": high}
    found = load(entries, tmp_path).constants["clock_share"]
    assert (found.low, found.high, found.distribution) == (low, high, distribution)


def test_values_and_choices_are_changed_by_name(technology):
    assert technology.with_values({"clock_share": 0.3}).clock_share == 0.3
    assert technology.with_choice("bank", "epfl_128k_32").bank == "epfl_128k_32"
    with pytest.raises(ValueError, match="no constant 'clock'"):
        technology.with_values({"clock": 0.3})
    with pytest.raises(ValueError, match="block_accumulator is 'int8'; choose one of bf16, fp32"):
        technology.with_choice("block_accumulator", "int8")


def test_banks_read_in_proportion_to_the_capacity(technology):
    # 75 MiB are 1200 banks of 64 KiB; each reads 32 bytes a cycle.
    assert technology.sram_byte_per_cycle(75 * 2**20) == 38400
