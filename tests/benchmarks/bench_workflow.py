"""How long Snakemake takes to plan a run of many jobs, and in how much memory.

python -m tests.benchmarks.bench_workflow [--jobs N]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from equinox.config import load_config

MANTISSAS = range(2, 16)


def main() -> None:
    """Plan a design of many encodings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="training jobs of the design")
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.yaml"
        path.write_text(yaml.safe_dump(_many(jobs)))
        seconds = _plan("--configfile", str(path))
    mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"plan of {jobs} training jobs: {seconds:.1f} s, {mib:.0f} MiB")


def _many(jobs: int) -> dict[str, Any]:
    """Return overrides with that many training jobs: every task in many encodings."""
    tasks = list(load_config({}).training.runs)
    names = [f"e{number:05}" for number in range(-(-jobs // len(tasks)) - 1)]
    encodings = {
        name: {"base": "hbfp8_16", "mantissa_bits": MANTISSAS[number % len(MANTISSAS)]}
        for number, name in enumerate(names)
    }
    runs = {task: dict.fromkeys(["fp32", *names], 1) for task in tasks}
    return {"experiment": "many", "training": {"encodings": encodings, "runs": runs}}


def _plan(*arguments: str) -> float:
    started = time.monotonic()
    command = [str(Path(sys.executable).with_name("snakemake")), "--dry-run", "--quiet", "all"]
    subprocess.run([*command, "--cores", "2", *arguments], check=True, capture_output=True)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
