"""A mistake is told before anything runs: which key, what value, what is allowed."""

import pytest

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


def test_the_rules_pass_snakemakes_own_lint(repository):
    done = snakemake(repository, "--lint")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("scale", ["smoke", "default"])
def test_every_scale_has_a_plan(repository, scale):
    done = snakemake(repository, "--dry-run", "--forceall", scale=scale)
    assert done.returncode == 0, done.stdout
