"""Verdicts follow a stated rule; every published row gets one; no published number is in code."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from equinox.report.claims import Claim, claims_table, judge, read_claims
from equinox.report.markdown import claims_markdown
from equinox.report.measures import MEASURES, Measurement
from equinox.tables import check_table

DENSITY = ["model", "block", "encoding", "area_um2", "operand_bit", "storage_bit"]


def claim(**changes):
    values = {
        "id": "x",
        "chapter": "hardware",
        "statement": "s",
        "quantity": "q",
        "value": 10.0,
        "unit": "percent",
        "relation": "equals",
        "tolerance": 1.0,
        "source": "here",
    }
    return Claim(**(values | changes))


def measured(value, low=np.nan, high=np.nan):
    return Measurement(value=value, low=low, high=high, table="t", how="h")


@pytest.mark.parametrize(
    ("relation", "tolerance", "measurement", "verdict"),
    [
        ("equals", 1, measured(10.9), "reproduced"),
        ("equals", 1, measured(11.1), "not_reproduced"),
        ("equals", 1, measured(12, 10.5, 13), "partly"),
        ("equals", 1, measured(12, 11.5, 13), "not_reproduced"),
        ("equals", 1, measured(10, 5, 15), "reproduced"),
        ("at_most", 0, measured(9.9), "reproduced"),
        ("at_most", 0, measured(9.0, 7, 10.5), "partly"),
        ("at_most", 0, measured(10.5, 9.5, 11), "partly"),
        ("at_most", 0, measured(11, 10.5, 12), "not_reproduced"),
        ("at_least", 0, measured(12, 10.5, 14), "reproduced"),
        ("at_least", 0, measured(9.9), "not_reproduced"),
        ("at_most", 0, measured(np.inf), "not_reproduced"),
    ],
)
def test_a_verdict_follows_from_value_interval_and_bound(relation, tolerance, measurement, verdict):
    assert judge(claim(relation=relation, tolerance=tolerance), measurement) == verdict


def test_data_that_stand_in_reproduce_partly_at_best():
    assert judge(claim(stand_in=True), measured(10)) == "partly"
    assert judge(claim(stand_in=True), measured(20)) == "not_reproduced"


def test_words_are_held_against_their_stated_limit():
    words = claim(value=None, limit=5.0, relation="at_most", tolerance=0.0)
    assert judge(words, measured(4.0)) == "reproduced"
    with pytest.raises(ValueError, match="neither value nor limit"):
        _ = claim(value=None).bound


def accuracy(**errors: list[float]) -> pd.DataFrame:
    """One row a seed, after one epoch, of a task on images."""
    rows = [
        {"task": "cifar100_resnet50", "dataset": "cifar100", "encoding": encoding, "seed": seed}
        | {
            "epoch": 1,
            "metric": "error",
            "value": value,
            "status": "ok" if value < 1 else "diverged",
        }
        for encoding, values in errors.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def equivalence(*rows: dict[str, object]) -> pd.DataFrame:
    """Rows of table `equivalence`: by default hbfp8_16 on images, 0.2 +- 0.1 points from fp32."""
    usual = {
        **{"task": "cnn", "dataset": "images", "encoding": "hbfp8_16", "metric": "error"},
        **{"mantissa_bits": 8, "tile": "24x24", "blocks": "sample", "storage_bits": 16},
        **{"gradient_rounding": "stochastic", "storage_rounding": "nearest", "seeds": 4},
        **{"diverged": 0, "difference": 0.002, "low": 0.001, "high": 0.003, "margin": 0.005},
        **{"p_value": 0.01, "outcome": "equivalent"},
    }
    return pd.DataFrame([{**usual, **row} for row in rows], columns=list(usual))


LIKE_FP32 = claim(
    id="hbfp.like_fp32_images", value=None, limit=0.5, relation="at_most", tolerance=0.0
)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({}, "reproduced"),
        ({"difference": -0.002, "low": -0.003, "high": -0.001}, "reproduced"),
        ({"low": -0.001, "high": 0.006, "outcome": "inconclusive", "p_value": 0.1}, "partly"),
        ({"difference": 0.02, "low": 0.01, "high": 0.03, "outcome": "different"}, "not_reproduced"),
        ({"difference": -0.02, "low": -0.03, "high": -0.01}, "not_reproduced"),
        ({"diverged": 1, "difference": np.nan, "outcome": "different"}, "not_reproduced"),
    ],
)
def test_likeness_is_judged_by_the_tests_of_equivalence(row, verdict):
    tables = {"equivalence": equivalence({"task": "mlp"}, row)}
    table = claims_table([LIKE_FP32], tables)
    assert table["verdict"].tolist() == [verdict]
    assert "equivalence tests: " in table["reason"][0]


def test_the_farthest_task_speaks_for_all():
    far = {"task": "far", "high": 0.004}
    found = MEASURES["hbfp.like_fp32_images"]({"equivalence": equivalence({}, far, {})})
    assert found.how.startswith("far on images, hbfp8_16, 4 seeds")
    assert found.how.endswith("the farthest of 3, of which 3 are equivalent")
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.1, 0.4))


def test_a_distance_whose_interval_holds_zero_begins_at_zero():
    row = {"difference": 0.001, "low": -0.002, "high": 0.004}
    found = MEASURES["hbfp.like_fp32_images"]({"equivalence": equivalence(row)})
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.0, 0.4))


def test_a_diverged_run_is_not_dropped():
    tables = {"equivalence": equivalence({"diverged": 1, "difference": np.nan})}
    assert MEASURES["hbfp.like_fp32_images"](tables).value == np.inf


def test_the_largest_loss_of_four_bits_counts_with_its_sign():
    rows = ({"encoding": "hbfp4_16", "difference": d} for d in (0.01, 0.03, -0.05))
    assert MEASURES["hbfp.mantissa4"]({"equivalence": equivalence(*rows)}).value == 3.0


def test_tiles_are_judged_by_their_usual_form_alone():
    rows = (
        {"encoding": "hbfp8_tile64", "tile": "64x64", "blocks": "tile"},
        {"encoding": "hbfp8_nearest", "gradient_rounding": "nearest", "high": 9.0},
        {"encoding": "hbfp8_16_stochastic", "storage_rounding": "stochastic", "high": 9.0},
    )
    found = MEASURES["hbfp.tile_within"]({"equivalence": equivalence(*rows)})
    assert found.high == pytest.approx(0.3)


def test_a_published_network_is_judged_where_it_was_trained():
    resnet = claim(id="hbfp.cifar100.resnet50.fp32", value=20.0, tolerance=0.5)
    trained = claims_table([resnet], {"accuracy": accuracy(fp32=[0.201, 0.203])})
    assert trained["reproduced"][0] == pytest.approx(20.2)
    assert trained["verdict"][0] == "reproduced"
    elsewhere = claims_table([resnet], {"accuracy": accuracy(fp32=[0.2]).assign(task="mlp")})
    assert elsewhere["verdict"][0] == "not_run"
    assert "scale=full data_dir=FOLDER" in elsewhere["reason"][0]


def test_a_claim_that_tables_cannot_answer_is_not_run_with_the_reason():
    tables = {"equivalence": equivalence()}
    rows = [claim(id="hbfp.mantissa4"), claim(id="elsewhere", needs="a GPU")]
    table = claims_table(rows, tables).set_index("id")
    assert list(table["verdict"]) == ["not_run", "not_run"]
    assert table.loc["hbfp.mantissa4", "reason"].startswith("no run of hbfp4_16")
    assert table.loc["elsewhere", "reason"] == "a GPU"
    assert table["reproduced"].isna().all()


def test_every_published_row_gets_a_verdict_and_fits_the_table(repository):
    claims = read_claims(repository / "config/published.yaml")
    empty = {
        "accuracy": accuracy(fp32=[0.1], hbfp8_16=[0.1]),
        "equivalence": equivalence({}),
        "density": pd.DataFrame(columns=DENSITY),
        "sensitivity": pd.DataFrame(columns=["quantity", "study", "value"]),
        "sobol": pd.DataFrame(columns=["quantity", "constant", "total"]),
        "colocation": pd.DataFrame(columns=["design", "workload", "scheduling", "batching"]),
    }
    table = check_table(claims_table(claims, empty), "claims")
    assert table["title"].is_unique
    assert table["title"].str.len().max() < 60  # figures have room for these
    assert set(table["id"]) == {entry.id for entry in claims}
    text = claims_markdown(table, scale="smoke")
    assert all(f"`{entry.id}`" in text for entry in claims)


def test_a_claim_on_hardware_states_its_interval_and_what_decides_it():
    values = {"baseline": [1.0], "monte_carlo": [0.5, 1.5], "one_at_a_time": [0.9, 1.2]}
    rows = [
        {"quantity": quantity, "study": study, "constant": "clock", "value": scale * value}
        for quantity, scale in (("encoding_area", 0.01), ("encoding_area_searched", 0.02))
        for study, found in values.items()
        for value in found
    ]
    shares = [("clock", 0.2), ("register_j", 0.7), ("bank", 0.1)]
    sobol = [{"quantity": "encoding_area", "constant": c, "total": t} for c, t in shares]
    tables = {"sensitivity": pd.DataFrame(rows), "sobol": pd.DataFrame(sobol)}
    found = MEASURES["equinox.encoding_area"](tables)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.55, 1.45))
    assert "1.1 to 2.9 with the design chosen anew in each draw" in found.how
    assert "moved most, each alone, by clock, to 0.9 … 1.2 %" in found.how
    assert "largest total Sobol indices: register (J) 0.70, clock 0.20" in found.how


def test_every_measure_belongs_to_a_published_row(repository):
    known = {entry.id for entry in read_claims(repository / "config/published.yaml")}
    assert set(MEASURES) <= known


def test_a_claim_with_an_unknown_key_is_named(tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text("published: [{id: a, chapter: hardware, colour: red}]")
    with pytest.raises(ValueError, match=r"published.0\.\w+"):
        read_claims(path)


def test_no_published_value_is_in_python_code(repository):
    rows = yaml.safe_load((repository / "config/published.yaml").read_text())["published"]
    values = {f"{row['value']:g}" for row in rows if row["value"] is not None}
    telling = {value for value in values if len(value.removeprefix("0.")) > 1} - {"10", "13"}
    pattern = re.compile(r"(?<![\d.])(" + "|".join(map(re.escape, telling)) + r")(?![\d.])")
    code = repository.glob("equinox/**/*.py")
    found = {str(path): pattern.findall(path.read_text()) for path in code}
    assert {path: values for path, values in found.items() if values} == {}
