"""How fast and in how much memory the design space is searched, on one core.

python -m tests.benchmarks.bench_design_space [--steps N]
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")

from equinox.accelerator import load_technology, load_workload
from equinox.config import load_config
from equinox.design_space import search, stream, study_sensitivity
from equinox.design_space.grid import count_points

DRAWS = 20


def main() -> None:
    """Sweep 1e7 feasible points with all their columns; search them; draw constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2001, help="voltages of the grid")
    steps = parser.parse_args().steps
    config = load_config({}).design_space
    technology, workload = load_technology(config.technology), load_workload(config.workload)
    fine = replace(config, widths=tuple(range(1, 65)), voltage_steps=steps)
    encoding = config.encodings[0]

    start = time.perf_counter()
    feasible, best = _best(stream(fine, technology, workload, encoding))
    _report("sweep, all columns", count_points(fine), feasible, time.perf_counter() - start)
    start = time.perf_counter()
    family = search(fine, technology, workload, encoding)
    _report("search of the family", count_points(fine), feasible, time.perf_counter() - start)
    print(f"  highest throughput {best:.6g} op/s in both: ", end="")
    print(best == family["unconstrained"]["throughput_op_per_s"])

    seconds = []
    study_sensitivity(replace(config, monte_carlo_draws=0), technology, workload)  # to warm up
    for draws in (0, DRAWS):
        start = time.perf_counter()
        study_sensitivity(replace(config, monte_carlo_draws=draws), technology, workload)
        seconds.append(time.perf_counter() - start)
    draw_s = (seconds[1] - seconds[0]) / DRAWS
    print(f"study without draws {seconds[0]:.1f} s; a draw {draw_s * 1e3:.1f} ms")
    print(f"1,000 draws of all quantities {1000 * draw_s:.0f} s")


def _best(parts: Iterator[Mapping[str, Any]]) -> tuple[int, float]:
    count, best = 0, 0.0
    for part in parts:
        count += len(part["rows"])
        best = max(best, float(np.max(part["throughput_op_per_s"], initial=0.0)))
    return count, best


def _report(what: str, points: int, feasible: int, seconds: float) -> None:
    memory_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    print(f"{what}: {points:.3g} grid points ({feasible:.3g} feasible) in {seconds:.1f} s")
    print(f"  {points / seconds:.3g} points/s ({feasible / seconds:.3g} feasible points/s)")
    print(f"  peak memory {memory_gib:.2f} GiB")


if __name__ == "__main__":
    main()
