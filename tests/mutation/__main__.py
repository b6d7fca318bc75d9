"""What share of mutants the tests notice: python -m tests.mutation [--sample N] [TARGET...].

Needs the extra `mutation`. A mutant is killed if a test of its target fails, or if the tests take
three times as long as without it. A process that has imported the libraries is forked for each,
with the changed source in place of the module's; no file is changed. Results: docs/mutation.md.
"""

import argparse
import os
import sys
import tempfile
from math import ceil
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.mutation.mutants import Mutant, sample_mutants
from tests.mutation.targets import TARGETS, Target
from tests.mutation.trial import outcome_of, warm_up

ROOT = Path(__file__).parents[2]
SEED = 2026
MOST = 3  # times the processor time of the tests without a mutant


def main() -> None:
    """Try a sample of each target's mutants; print survivors and shares."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("targets", nargs="*", help="names of targets; all without")
    parser.add_argument("--sample", type=int, default=20, help="mutants of each target")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--list", action="store_true", help="say how many mutants there are")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {sorted(unknown)}; there are {sorted(TARGETS)}")
    for name in options.targets or TARGETS:
        target = TARGETS[name]
        mutants, count = sample_mutants(ROOT / target.path, options.sample, options.seed)
        if options.list:
            print(f"{name}: {count} mutants", flush=True)
            continue
        # In a process of its own: what it imports must not be there when a target changes it.
        trial = get_context("fork").Process(target=_try_all, args=(name, target, mutants, count))
        trial.start()
        trial.join()
        if trial.exitcode:
            sys.exit(trial.exitcode)


def _try_all(name: str, target: Target, mutants: list[Mutant], count: int) -> None:
    os.environ["NUMBA_DISABLE_JIT"] = "0" if target.compiled or target.cached else "1"
    warm_up(target)
    if target.module in sys.modules:
        sys.exit(f"{name}: {target.module} is imported before its mutants; see BENEATH")
    for _ in range(1 + target.cached):  # the first fills the cache of machine code
        outcome, used_s = outcome_of(target, None, limit_s=600)
        if outcome != "survived":
            sys.exit(f"{name}: its tests fail without a mutant")
    limit_s = ceil(MOST * used_s) + 3
    killed = 0
    for mutant in mutants:
        outcome, _ = outcome_of(target, mutant.source, limit_s=limit_s)
        killed += outcome != "survived"
        if outcome == "survived":
            print(f"{name}:{mutant.line} {mutant.operator}\n  - {mutant.before}", flush=True)
            print(f"  + {mutant.after}", flush=True)
    print(f"{name}: {killed} of {len(mutants)} killed, of {count} mutants", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        main()
