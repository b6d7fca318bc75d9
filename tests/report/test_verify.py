"""A run is compared with the reference table by table and claim by claim."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from equinox.accelerator import load_technology
from equinox.config import load_config
from equinox.design_space import measure_density
from equinox.report.claims import claims_table, read_claims
from equinox.report.verify import FILE, compare, read_reference, read_run, record
from equinox.tables import check_table, write_table
from tests.figures._tables import random_table
from tests.test_tables import fleet_rows


def claims(**changes: object) -> pd.DataFrame:
    row = {
        "id": "equinox.fleet",
        "chapter": "colocation",
        "title": "t",
        "statement": "s",
        "quantity": "q",
        "published": 4.0,
        "reproduced": 4.5,
        "low": 4.0,
        "high": 5.0,
        "accepted_low": 3.0,
        "accepted_high": 5.0,
        "unit": "",
        "verdict": "reproduced",
        "reason": "",
        "source": "here",
        "from_table": "fleet",
    }
    return pd.DataFrame([row | changes])


@pytest.fixture
def run(tmp_path):
    """Write a run of two tables, and return how to write it again with changes."""

    def write(fleet=None, **changes):
        frame = fleet_rows() if fleet is None else fleet
        write_table(frame, "fleet", tmp_path / "tables/fleet.parquet")
        write_table(claims(**changes), "claims", tmp_path / "tables/claims.parquet")
        return read_run(tmp_path / "tables")

    record(write(), tmp_path / "reference")
    return write


def told(tables, tmp_path):
    found = list(compare(tables, read_reference(tmp_path / "reference")))
    return {difference.what: difference.kind for difference in found}


def test_the_same_run_is_the_same(run, tmp_path):
    assert told(run(), tmp_path) == {}


def test_another_value_is_named_with_table_column_and_claim(run, tmp_path):
    fleet = fleet_rows().assign(power_w=505.0)
    found = told(run(fleet, reproduced=4.55), tmp_path)
    assert found == {
        "table fleet: other values in power_w, power_w squared": "DIFFERS",
        "claim equinox.fleet (from table fleet): 4.55, reference 4.5": "DIFFERS",
    }


def test_a_last_bit_is_within_the_tolerance(run, tmp_path):
    fleet = fleet_rows().assign(power_w=500.0 * (1 + 1e-15))
    (what,) = told(run(fleet, reproduced=4.5 * (1 + 1e-15)), tmp_path).items()
    assert what == ("table fleet: numbers agree to 1e-06 in sum, words are the same", "close")


def test_another_word_is_named_though_all_sums_agree(run, tmp_path):
    found = told(run(fleet_rows().assign(status="short")), tmp_path)
    assert found == {"table fleet: other values in status": "DIFFERS"}


def test_a_claim_that_the_reference_has_not_is_named(run, tmp_path):
    tables = run()
    more = pd.concat([tables["claims"], claims(id="equinox.more")])
    found = told(tables | {"claims": more}, tmp_path)
    assert found == {"claim equinox.more: the reference run has none": "alone"}


def test_another_verdict_missing_rows_and_missing_tables_are_named(run, tmp_path):
    assert any("not_reproduced" in what for what in told(run(verdict="not_reproduced"), tmp_path))
    assert told(run(fleet_rows()[:1]), tmp_path) == {"table fleet: 1 rows, reference 2": "DIFFERS"}
    tables = run()
    del tables["fleet"]
    assert told(tables, tmp_path) == {"table fleet: it is missing; run snakemake": "DIFFERS"}


@pytest.mark.parametrize(("value", "kind"), [(4.9, "close"), (5.1, "DIFFERS")])
def test_what_rests_on_training_stays_inside_the_interval(run, tmp_path, value, kind):
    record(run(from_table="accuracy"), tmp_path / "reference")
    found = told(run(from_table="accuracy", reproduced=value), tmp_path)
    assert list(found.values()) == [kind]


def test_a_table_that_the_reference_has_not_is_named(run, tmp_path):
    tables = run()
    found = told(tables | {"sharing": tables["fleet"]}, tmp_path)
    assert found == {"table sharing: the reference run has none": "alone"}


def test_the_command_exits_with_what_it_found(run, tmp_path):
    command = [sys.executable, "-m", "equinox.report.verify", "--tables", tmp_path / "tables"]
    command += ["--reference", tmp_path / "reference"]
    run()
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    every = "tables and every claim agree with the reference run bit for bit"
    assert (done.returncode, done.stdout) == (0, f"2 {every}\n")
    write_table(random_table("density"), "density", tmp_path / "tables/density.parquet")
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    told_alone = "alone    table density: the reference run has none\n"
    assert (done.returncode, done.stdout) == (0, f"{told_alone}2 {every}\n")
    run(reproduced=4.6)
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.returncode, "DIFFERS" in done.stdout) == (1, True)
    command[-1] = tmp_path / "nowhere"
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.returncode, "record a reference" in done.stderr) == (2, True)


def test_a_constant_changed_by_one_percent_is_told_with_table_and_claims(repository, tmp_path):
    constants = repository / "config/technology/28nm.yaml"
    changed = tmp_path / "28nm.yaml"
    changed.write_text(constants.read_text().replace("fp32: 1009.058}", "fp32: 1019.14858}"))
    assert changed.read_text() != constants.read_text()
    published = [
        claim
        for claim in read_claims(repository / "config/published.yaml")
        if claim.id in ("hbfp.density_hbfp4_fp32", "hbfp.bandwidth")
    ]
    runs = []
    for path in (constants, changed):
        density = measure_density(load_config({}).design_space, load_technology(path))
        judged = claims_table(published, {"density": density})
        runs.append({"density": density, "claims": check_table(judged, "claims")})
    record(runs[0], tmp_path / "reference")
    assert told(runs[0], tmp_path) == {}
    found = told(runs[1], tmp_path)
    assert set(found.values()) == {"DIFFERS"}
    named = {what.split(" (")[0].split(":")[0] for what in found}
    assert named == {"table density", "claim hbfp.density_hbfp4_fp32"}
    assert "other values in area_um2" in next(iter(found))


def test_a_reference_of_an_earlier_version_is_an_error_that_says_what_to_do(run, tmp_path):
    path = tmp_path / "reference" / FILE
    reference = json.loads(path.read_text())
    del reference["tables"]["fleet"]["words"]
    path.write_text(json.dumps(reference))
    with pytest.raises(
        ValueError, match="of an earlier version, .*; record it again with --record"
    ):
        read_reference(tmp_path / "reference")
