"""The archive holds code and results, with sums that hold, and is the same bytes each time."""

import hashlib
import json
import tarfile

import pytest

from equinox.report.artifact import CHECKSUMS, METADATA, write_artifact


@pytest.fixture
def product(tmp_path):
    root = tmp_path / "product"
    for name, text in {
        "Snakefile": "rule all:\n",
        "LICENSE": "MIT\n",
        "equinox/a.py": "1\n",
        "results/smoke/report.html": "<p>\n",
        "results/smoke/tables/claims.parquet": "P\n",
        "results/smoke/logs/claims.log": "times\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def contents(path):
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read() for member in archive
        }


def test_it_has_code_results_sums_and_metadata(product, tmp_path):
    output = tmp_path / "build" / "equinox-smoke.tar.gz"
    write_artifact(product, product / "results/smoke", output)
    files = contents(output)
    assert {"Snakefile", "equinox/a.py", "results/smoke/report.html", METADATA} <= set(files)
    assert "results/smoke/logs/claims.log" not in files
    sums = dict(line.split("  ")[::-1] for line in files[CHECKSUMS].decode().splitlines())
    assert set(sums) == set(files) - {CHECKSUMS}
    assert all(hashlib.sha256(files[name]).hexdigest() == found for name, found in sums.items())


def test_the_metadata_name_every_file_and_the_workflow(product, tmp_path):
    output = tmp_path / "equinox-smoke.tar.gz"
    write_artifact(product, product / "results/smoke", output)
    files = contents(output)
    graph = {item["@id"]: item for item in json.loads(files[METADATA])["@graph"]}
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert parts == set(files) - {CHECKSUMS, METADATA}
    assert parts <= set(graph)
    assert "ComputationalWorkflow" in graph[graph["./"]["mainEntity"]["@id"]]["@type"]


def test_the_same_files_give_the_same_bytes(product, tmp_path):
    once, again = tmp_path / "a" / "x.tar.gz", tmp_path / "b" / "x.tar.gz"
    for output in (once, again):
        write_artifact(product, product / "results/smoke", output)
        (product / "equinox" / "a.py").touch()
    assert once.read_bytes() == again.read_bytes()


def test_without_a_report_there_is_nothing_to_bundle(product, tmp_path):
    with pytest.raises(ValueError, match=r"has no report.html; run snakemake"):
        write_artifact(product, product / "results", tmp_path / "x.tar.gz")
