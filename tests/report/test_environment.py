"""The code version follows content alone; benchmark files say how long the next run takes."""

import subprocess

import pytest

from equinox.config import load_config
from equinox.config.checks import to_jsonable
from equinox.report.environment import code_version, git_commit, provenance, sections
from equinox.report.page import render_runtime
from equinox.report.runtime import by_stage, estimate_s, in_words, read_benchmarks

HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


@pytest.fixture
def product(tmp_path):
    (tmp_path / "equinox").mkdir()
    (tmp_path / "equinox" / "a.py").write_text("one\n")
    (tmp_path / "Snakefile").write_text("rule all:\n")
    return tmp_path


@pytest.fixture
def benchmarks(tmp_path):
    for name, line in {
        "claims": "4.0\t0:00:04\t200\t2.0",
        "train/mlp/fp32": "30\t0:00:30\t300\t29",
        "train/mlp/bf16": "10\t0:00:10\t900\t9",
        "figures/fleet_day": "6\t0:00:06\t100\t5",
        "design_space/sweep": "2\t0:00:02\t100\t1",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + line + "\n")
    (tmp_path / "stopped.tsv").write_text("")
    return read_benchmarks([tmp_path, tmp_path])


def test_the_code_version_changes_with_content_and_with_nothing_else(product):
    before = code_version(product)
    (product / "equinox" / "a.py").touch()
    (product / "README.md").write_text("not code")
    assert code_version(product) == before
    (product / "equinox" / "a.py").write_text("two\n")
    assert code_version(product) != before


def test_a_folder_without_git_says_so_and_one_with_it_names_the_commit(product):
    assert git_commit(product) == "none: not a git checkout"
    git = ["git", "-C", str(product), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    assert len(git_commit(product)) == 40
    (product / "Snakefile").write_text("changed\n")
    assert git_commit(product).endswith(", with changes")


def test_provenance_names_versions_seeds_and_sections():
    config = to_jsonable(load_config({"scale": "smoke"}))
    found = provenance(code="0", config=config)
    assert found["Scale"] == "smoke"
    assert "training 0 to 1, arrivals 0, 1, Monte Carlo 0" in found["Seeds"]
    assert "torch 2" in found["Packages"]
    assert set(sections(config)) == {"run", "training", "design_space", "colocation"}


def test_benchmarks_are_read_once_and_empty_ones_left_out(benchmarks):
    assert sorted(benchmarks["stage"]) == ["claims", "design_space", "figures", "train", "train"]
    stages = by_stage(benchmarks)
    assert list(stages.loc["train"]) == [2, 40, 38, 900]
    assert stages.index[0] == "train"


def test_an_estimate_is_the_mean_of_the_rule_over_cores_and_never_below_the_longest(benchmarks):
    jobs = {"train": 4, "sweep": 1, "fig_fleet_day": 1}
    assert estimate_s(benchmarks, jobs, cores=1) == (4 * 20 + 2 + 6, [])
    assert estimate_s(benchmarks, jobs, cores=2) == (44, [])
    assert estimate_s(benchmarks, jobs, cores=64) == (30, [])
    assert estimate_s(benchmarks, {"fig_new": 1}, cores=1) == (0, ["fig_new"])


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (12000, "3 h 20 min")]
)
def test_durations_are_said_as_people_say_them(seconds, words):
    assert in_words(seconds) == words


def test_run_times_have_a_page_of_their_own(benchmarks):
    page = render_runtime(benchmarks, name="smoke", machine={"Machine": "this"})
    assert page.count("<tr><td>") == 4 + 5
    assert "52 s one after another" in page


def test_run_times_of_nothing_are_a_page_too():
    page = render_runtime(read_benchmarks([]), name="smoke", machine={})
    assert "0 jobs" in page
