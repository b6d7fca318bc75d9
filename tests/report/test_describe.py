"""The overview names all that can be made, and the cost of what was made here."""

import pandas as pd
import pytest

from equinox.config import CONFIG_DIR, load_config
from equinox.dependencies import figure_tables
from equinox.report.costs import forecast, read_costs
from equinox.report.describe import cost, describe
from equinox.report.runtime import read_benchmarks
from equinox.tables import TABLES


def test_it_names_every_figure_table_experiment_and_scale(tmp_path):
    text = describe(tmp_path)
    names = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    experiments = {path.stem for path in CONFIG_DIR.glob("experiments/*.yaml")}
    scales = {"default", *(path.stem for path in CONFIG_DIR.glob("scales/*.yaml"))}
    assert names == {*figure_tables(), *TABLES, *experiments, *scales}


def test_a_scale_that_ran_says_jobs_time_and_disk(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "claims.tsv").write_text(
        "s\th:m:s\tmax_rss\tcpu_time\n120\t-\t9\t60\n"
    )
    (tmp_path / "big").write_bytes(bytes(3 * 2**20))
    assert cost(tmp_path) == "1 jobs, 2 min one after another (60 s of CPU), 3 MiB"
    assert "not run here yet" in cost(tmp_path / "nothing")


def test_a_run_is_forecast_before_it_starts():
    columns = ["job", "stage", "wall_s", "cpu_s", "memory_mib"]
    rows = [("train/mlp/fp32", "train", 9.0, 3600.0, 1.0), ("claims", "claims", 9.0, 1800.0, 1.0)]
    config, costs = load_config({"scale": "full"}), read_costs()
    found = forecast(config, pd.DataFrame(rows, columns=columns), costs)
    # docs/full_scale.md: 1.35e19 operations, 16 days of a GPU at 1e13 a second.
    assert found.gpu_h / 24 == pytest.approx(15.6, abs=0.3)
    assert found.cpu_h == pytest.approx(len(config.training.runs["mlp"]) + 0.5)
    assert found.networks == sum(sum(runs.values()) for runs in config.training.runs.values())
    assert {"lstm", "wordpiece_bert"} <= set(found.unknown)
    assert "assumed" in found.in_words(costs)


def test_what_compares_an_experiment_is_counted_where_there_is_one():
    config, costs, none = load_config({"scale": "smoke"}), read_costs(), read_benchmarks([])
    alone = forecast(config, none, costs)
    compared = forecast(config, none, costs, ("comparison", "colocation_comparison"))
    assert compared.jobs == alone.jobs + 4  # two tables and a figure of each
