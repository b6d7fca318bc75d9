"""What can be made, and what it costs by the last runs here: `snakemake describe`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from equinox.config import CONFIG_DIR, load_config
from equinox.dependencies import figure_captions, figure_tables
from equinox.report.costs import forecast, read_costs
from equinox.report.runtime import in_words, read_benchmarks
from equinox.tables import TABLES

_MIB = 2**20


def describe(results: Path) -> str:
    """Return figures, tables, experiments and scales as text; cost is that of runs in `results`."""
    scales = ["default", *sorted(path.stem for path in (CONFIG_DIR / "scales").glob("*.yaml"))]
    parts = {
        "Figures: snakemake fig_NAME": list(_figures()),
        "Tables: results/SCALE/tables/NAME.parquet": [
            f"{name:24}a row is {table.row}" for name, table in TABLES.items()
        ],
        "Experiments: snakemake --config experiment=NAME": list(_experiments()),
        "Scales: snakemake --config scale=NAME": [
            f"{name:24}{cost(results / name)}" for name in scales
        ],
        "Forecast of each, from costs.yaml and the runs here": list(_forecasts(results, scales)),
    }
    lines = []
    for title, rows in parts.items():
        lines += [title, *(f"  {row}" for row in rows), ""]
    return "\n".join(lines)


def cost(folder: Path) -> str:
    """Return jobs, time and disk of the last run whose results are in `folder`, in words."""
    jobs = read_benchmarks([folder / "benchmarks"])
    if jobs.empty:
        return "not run here yet; snakemake --dry-run counts its jobs"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    wall, cpu = (in_words(float(jobs[column].sum())) for column in ("wall_s", "cpu_s"))
    return f"{len(jobs)} jobs, {wall} one after another ({cpu} of CPU), {size / _MIB:.0f} MiB"


def _forecasts(results: Path, scales: Sequence[str]) -> Iterator[str]:
    costs = read_costs()
    benchmarks = read_benchmarks(results / name / "benchmarks" for name in ("default", *scales))
    for name in scales:
        found = forecast(load_config({"scale": name}), benchmarks, costs)
        yield f"{name:24}{found.in_words(costs)}"


def _figures() -> Iterator[str]:
    tables = figure_tables()
    for name, caption in figure_captions().items():
        title = caption.partition("\n\n")[0].replace("\n", " ")
        yield f"{name:24}{title} [{', '.join(tables[name])}]"


def _experiments() -> Iterator[str]:
    for path in sorted((CONFIG_DIR / "experiments").glob("*.yaml")):
        comment = [line.lstrip("# ") for line in _leading_comment(path)]
        yield f"{path.stem:24}{' '.join(comment).partition('. ')[0].rstrip('.')}."


def _leading_comment(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            return
        yield line
