"""The overview names all that can be made, and the cost of what was made here."""

from equinox.config import CONFIG_DIR
from equinox.dependencies import figure_tables
from equinox.report.describe import cost, describe
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
