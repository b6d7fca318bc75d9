"""What a run says: how long it takes, how far it is, and of a failed job its own words."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from snakemake.logging import DefaultFormatter

from equinox.progress import HANDLER, ProgressFormatter, own_message, show_progress

RESULTS = Path("results/default")
TRACEBACK = """Reading the config
Traceback (most recent call last):
  File "a.py", line 3, in <module>
    main()
ValueError: table designs: area_mm2 is -1;
delete it and run snakemake again
"""


@pytest.fixture
def formatter():
    columns = ["job", "stage", "wall_s", "cpu_s", "memory_mib"]
    rows = [("train/mlp/fp32", "train", 100.0, 90.0, 1.0), ("claims", "claims", 5.0, 4.0, 1.0)]
    benchmarks = pd.DataFrame(rows, columns=columns)
    return ProgressFormatter(benchmarks, lambda: 2, results=RESULTS, quiet_progress=False)


def info(formatter, job, rule):
    message = {"jobid": job, "rule_name": rule, "rule_msg": f"Do {rule}"}
    return formatter.format_job_info(message)


def test_a_run_is_forecast_from_earlier_ones_and_what_is_not_known_is_named(formatter):
    text = formatter.format_run_info(
        {"msg": "Job stats:", "stats": {"train": 4, "fig_new": 1, "all": 1, "total": 6}}
    )
    assert "About 3 min on 2 cores, by the last runs; not known: fig_new." in text
    assert text.startswith("Job stats:")


def test_without_earlier_runs_no_time_is_made_up(formatter):
    assert "No earlier run" in formatter.forecast({"fig_new": 1})


def test_time_left_is_that_of_earlier_runs_then_that_of_this_one(formatter):
    formatter.format_run_info({"msg": "", "stats": {"train": 4, "total": 4}})
    assert formatter.left_s(0.0) == 200  # four jobs of 100 s on two cores
    assert "Do train" in info(formatter, 7, "train")
    assert formatter.format_job_finished({"job_id": 7, "msg": ""}) == ""
    assert formatter.left_s(20.0) == pytest.approx(60)  # a quarter took 20 s
    assert "1 of 4 jobs done, about" in formatter.format_progress({"done": 1, "total": 4})
    assert formatter.format_progress({"done": 4, "total": 4}).endswith(
        f"4 of 4 jobs done: {RESULTS}"
    )


def test_in_ci_progress_is_told_for_each_tenth_only(formatter):
    quiet = ProgressFormatter(
        formatter._benchmarks, lambda: 1, results=RESULTS, quiet_progress=True
    )
    told = [quiet.format_progress({"done": done, "total": 100}) for done in range(1, 101)]
    assert sum(map(bool, told)) == 10


def test_a_failed_job_shows_its_own_message_and_its_log_but_no_traceback(formatter, tmp_path):
    log = tmp_path / "job.log"
    log.write_text(TRACEBACK)
    error = {"rule_msg": "Train mlp", "rule_name": "train", "log": [log]}
    assert formatter.format_job_error(error).splitlines() == [
        "Error: Train mlp (rule train) failed.",
        "  ValueError: table designs: area_mm2 is -1;",
        "  delete it and run snakemake again",
        f"  log: {log}",
    ]


def test_a_job_that_was_killed_shows_its_last_line(tmp_path):
    (tmp_path / "job.log").write_text("epoch 1\nepoch 2\n")
    assert own_message(tmp_path / "job.log") == ["epoch 2"]
    assert own_message(tmp_path / "none.log") == []


def test_only_snakemakes_own_terminal_handler_is_changed(tmp_path):
    logger = logging.getLogger("snakemake.logging")
    handlers = [logging.StreamHandler(), logging.StreamHandler()]
    handlers[0].name = HANDLER
    for handler in handlers:
        handler.setFormatter(DefaultFormatter())
        logger.addHandler(handler)
    try:
        show_progress([tmp_path], lambda: 1)
        kinds = [type(handler.formatter).__name__ for handler in handlers]
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
    assert kinds == ["ProgressFormatter", "DefaultFormatter"]
