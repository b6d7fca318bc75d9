"""A mistake is told before anything runs: which key, what value, what is allowed."""

import re

import pytest

from equinox.plan import load_plan
from equinox.report.costs import forecast, read_costs
from equinox.report.runtime import read_benchmarks
from tests.workflow.conftest import snakemake

pytestmark = pytest.mark.workflow


def test_an_unknown_scale_is_one_message_without_traceback(repository):
    done = snakemake(repository, "--dry-run", scale="smoek")
    assert done.returncode != 0
    assert "scale = 'smoek'" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_wrong_value_names_its_key(repository):
    done = snakemake(repository, "--dry-run", config=["colocation={loads: [2, -1]}"])
    assert done.returncode != 0
    assert "colocation.loads.1 = '-1'" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_trace_is_read_before_anything_runs_and_is_an_input_of_what_rests_on_it(
    repository, tmp_path
):
    path = tmp_path / "requests.csv"
    config = [
        "experiment=trace",
        f"colocation__arrivals={path}",
        f"colocation={{fleet: {{profile: {path}}}}}",
    ]
    path.write_text("time_s\n0\n5\n4\n")
    done = snakemake(repository, "--dry-run", config=config)
    assert done.returncode != 0
    assert f"colocation.arrivals: trace {path}: row 3 of the trace is 4.0" in done.stdout
    assert "Traceback" not in done.stdout
    path.write_text("time_s\n0\n4\n5\n")
    nodes = snakemake(repository, "--filegraph", config=config).stdout.split("</table>>]")
    rest = {re.search(r'size="18">(\w+)<', node)[1] for node in nodes if str(path) in node}
    assert rest == {"simulate", "colocation_sensitivity", "sharing", "fleet"}


def test_the_rules_pass_snakemakes_own_lint(repository):
    done = snakemake(repository, "--lint")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("scale", ["smoke", "default"])
def test_every_scale_has_a_plan_of_as_many_jobs_as_are_forecast(repository, scale):
    done = snakemake(repository, "--dry-run", "--forceall", scale=scale)
    assert done.returncode == 0, done.stdout
    total = int(re.search(r"^total +(\d+)$", done.stdout, re.MULTILINE)[1])
    found = forecast(load_plan({"scale": scale}), read_benchmarks([]), read_costs())
    assert total - 1 == found.jobs  # `all` is a name, no job


def test_whatever_a_rule_gives_to_a_shell_is_quoted(repository):
    given = 0
    for path in (repository / "workflow/rules").glob("*.smk"):
        for command in re.findall(r"shell:\s*\n((?:\s+f?\".*\"\n)+)", path.read_text()):
            fields = re.findall(r"{([^}]*)}", command)
            given += len(fields)
            assert [field for field in fields if not field.endswith(":q")] == [], path.name
    assert given > 80


@pytest.mark.parametrize("name", ["a; touch b", "$(touch b)", "../b", "a b", "", "-n"])
@pytest.mark.parametrize("where", ["encodings", "runs"])
def test_a_name_that_is_no_name_of_a_file_is_refused(name, where):
    entry = {"encodings": {name: {"base": "bf16"}}, "runs": {"mlp": {name: 1}}}[where]
    with pytest.raises(ValueError, match=r"training\."):
        load_plan({"scale": "smoke", "training": {where: entry}})
