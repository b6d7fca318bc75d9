"""How long jobs took: the benchmark files of a run, and what they say of the next one."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd


def read_benchmarks(folders: Iterable[Path]) -> pd.DataFrame:
    """Return one row for each job that left a benchmark in `folders`.

    Columns: `job` (path of the file, without ending), `stage` (its first part), `wall_s`, `cpu_s`
    and `memory_mib` (the most resident). Files that cannot be read are left out: a job that is
    being stopped leaves an empty one.
    """
    rows = []
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.rglob("*.tsv")):
            job = path.relative_to(folder).with_suffix("").as_posix()
            try:
                line = pd.read_csv(path, sep="\t").iloc[-1]
                seconds = [float(line[name]) for name in ("s", "cpu_time", "max_rss")]
            except (ValueError, KeyError, IndexError):
                continue
            rows.append((job, job.split("/")[0], *seconds))
    columns = ["job", "stage", "wall_s", "cpu_s", "memory_mib"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates("job", ignore_index=True)


def by_stage(benchmarks: pd.DataFrame) -> pd.DataFrame:
    """Return jobs, wall and CPU seconds, and the most memory of each stage, the longest first."""
    groups = benchmarks.groupby("stage")
    stages = pd.DataFrame(
        {
            "jobs": groups.size(),
            "wall_s": groups["wall_s"].sum(),
            "cpu_s": groups["cpu_s"].sum(),
            "memory_mib": groups["memory_mib"].max(),
        }
    )
    return stages.sort_values("wall_s", ascending=False, kind="stable")


def estimate_s(
    benchmarks: pd.DataFrame, jobs: Mapping[str, int], *, cores: int
) -> tuple[float, list[str]]:
    """Return the wall time of `jobs` (a count for each rule), and the rules nothing is known of.

    A job takes as long as the earlier ones of its rule took on average; jobs share `cores`, but the
    whole is never shorter than its longest job.

    Source: Graham, "Bounds on multiprocessing timing anomalies", 1969: total over cores, and the
    longest job, bound the time from below; greedy schedulers stay near.
    """
    total, longest, unknown = 0.0, 0.0, []
    for rule, count in jobs.items():
        found = benchmarks[_of_rule(benchmarks, rule)]
        if found.empty:
            unknown.append(rule)
            continue
        total += count * float(found["wall_s"].mean())
        longest = max(longest, float(found["wall_s"].max()))
    return max(total / max(cores, 1), longest), unknown


def _of_rule(benchmarks: pd.DataFrame, rule: str) -> pd.Series:
    """Return which rows are of `rule`: files are called stage, stage/rule or stage/wildcards."""
    job, stage = benchmarks["job"], benchmarks["stage"]
    if rule.startswith("fig_"):
        return job == f"figures/{rule.removeprefix('fig_')}"
    return (job == rule) | (stage == rule) | (job.str.split("/").str[-1] == rule)


def in_words(seconds: float) -> str:
    """Return a duration for people: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
