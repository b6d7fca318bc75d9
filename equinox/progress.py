"""What Snakemake says while it runs: stage, jobs done, time left; of a failed job, its own words.

A formatter for Snakemake's own handler, so that `--quiet` and the file log work as ever. Times are
those of earlier runs, where their benchmark files are there.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import pandas as pd
from snakemake.logging import DefaultFormatter

from equinox.report.runtime import estimate_s, in_words, read_benchmarks

HANDLER = "DefaultStreamHandler"  # Snakemake's, for the terminal
_UNKNOWN_JOB_S = 10.0  # of a rule that never ran here
_ENOUGH = 0.1  # of the work is done: from then on this run's own speed tells the time left
_ERROR = re.compile(r"^(error: |(\w+\.)*\w*(Error|Exception|Interrupt)\b)")
_MOST_LINES = 8  # of a job's own message


def show_progress(folders: Sequence[Path], cores: Callable[[], int]) -> None:
    """Make Snakemake's terminal handler speak as described above, if it is the usual one."""
    for handler in logging.getLogger("snakemake.logging").handlers:
        usual = handler.formatter
        if handler.name == HANDLER and usual is not None and type(usual) is DefaultFormatter:
            formatter = ProgressFormatter(
                read_benchmarks(folders),
                cores,
                results=folders[0].parent,
                quiet_progress="CI" in os.environ,
            )
            for kept in ("quiet", "show_failed_logs"):
                setattr(formatter, kept, getattr(usual, kept))
            handler.setFormatter(formatter)


@final
class ProgressFormatter(DefaultFormatter):  # type: ignore[misc] # Snakemake has no types
    """Snakemake's messages, with time left in place of jobs' numbers."""

    def __init__(
        self,
        benchmarks: pd.DataFrame,
        cores: Callable[[], int],
        *,
        results: Path,
        quiet_progress: bool,
    ) -> None:
        super().__init__()
        self._benchmarks = benchmarks
        self._cores = cores
        self._results = results
        self._quiet_progress = quiet_progress
        self._started = time.monotonic()
        self._rules: dict[int, str] = {}  # of jobs that were started
        self._work_s = 0.0
        self._done_s = 0.0
        self._tenth = 0

    def format_run_info(self, msg: dict[str, Any]) -> str:
        """Return the table of jobs, and how long they will take by earlier runs."""
        jobs = {rule: n for rule, n in msg.get("stats", {}).items() if rule != "total"}
        self._work_s = sum(n * self._job_s(rule) for rule, n in jobs.items())
        return f"{msg['msg']}\n{self.forecast(jobs)}\n"

    def forecast(self, jobs: Mapping[str, int]) -> str:
        """Return in words how long `jobs` (a count for each rule) will take."""
        known = {rule: n for rule, n in jobs.items() if rule not in ("all", "figures", "describe")}
        cores = self._cores()
        seconds, unknown = estimate_s(self._benchmarks, known, cores=cores)
        if not seconds:
            return "No earlier run here to tell from how long it takes."
        words = f"About {in_words(seconds)} on {cores} core{'s' * (cores > 1)}, by the last runs"
        return words + (f"; not known: {', '.join(sorted(unknown))}." if unknown else ".")

    def format_job_info(self, msg: dict[str, Any]) -> str:
        """Return what a job does, in one line."""
        self._rules[msg["jobid"]] = msg["rule_name"]
        if not msg["rule_msg"]:
            return str(super().format_job_info(msg))
        return f"[{time.strftime('%H:%M:%S')}] {msg['rule_msg']}"

    def format_job_finished(self, msg: dict[str, Any]) -> str:
        """Count the job; the next line of progress tells."""
        self._done_s += self._job_s(self._rules.get(msg["job_id"], ""))
        return ""

    def format_progress(self, msg: dict[str, Any]) -> str:
        """Return jobs done and time left, at the end where the results are.

        With `quiet_progress` for each tenth only.
        """
        done, total = msg["done"], msg["total"]
        tenth = 10 * done // max(total, 1)
        if self._quiet_progress and tenth == self._tenth:
            return ""
        self._tenth = tenth
        left = self.left_s(time.monotonic() - self._started)
        words = f": {self._results}" if done == total else f", about {in_words(left)} left"
        return f"[{time.strftime('%H:%M:%S')}] {done} of {total} jobs done{words}"

    def left_s(self, elapsed_s: float) -> float:
        """Return the seconds left: by earlier runs, later on by the speed of this one."""
        todo_s = max(self._work_s - self._done_s, 0.0)
        if self._done_s > _ENOUGH * self._work_s:
            return elapsed_s * todo_s / self._done_s
        return todo_s / max(self._cores(), 1)

    def format_job_error(self, msg: dict[str, Any]) -> str:
        """Return the job's own message and where its log is."""
        logs = [str(path) for path in msg["log"]]
        words = [line for path in logs for line in own_message(Path(path))]
        lines = [f"Error: {msg['rule_msg'] or msg['rule_name']} (rule {msg['rule_name']}) failed."]
        lines += [f"  {line}" for line in words or ["It left no message."]]
        lines += [f"  log: {path}" for path in logs]
        if self.show_failed_logs or not logs:
            lines.append(str(super().format_job_error(msg)))
        return "\n".join(lines)

    def _job_s(self, rule: str) -> float:
        seconds, unknown = estimate_s(self._benchmarks, {rule: 1}, cores=1)
        return _UNKNOWN_JOB_S if unknown else seconds


def own_message(log: Path) -> list[str]:
    """Return the last error in `log` without its traceback, else its last line."""
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()
    except OSError:
        return []
    starts = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    found = lines[starts[-1] :] if starts else lines[-1:]
    return found[:_MOST_LINES]
