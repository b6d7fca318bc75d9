# Config, and what a job depends on. No science here.
import json
import os
import re
import sys
from shlex import quote
from pathlib import Path

import grimp
from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness

from equinox.accelerator import technology_files
from equinox.plan import (
    comparisons,
    load_plan,
    scale_of,
    training_folders,
    why_not_compared,
)
from equinox.config.checks import to_jsonable
from equinox import dependencies
from equinox.dependencies import (
    ROOT,
    drawn_figures,
    figure_captions,
    figure_tables,
)
from equinox.progress import show_progress
from equinox.report.environment import code_version
from equinox.tables import SOURCES, made_tables
from equinox.named_traces import check_traces, trace_files
from equinox.training.layouts import LAYOUTS, describe_missing


def refused(message):
    """What ends a run with `message`, also under `--quiet all`, which hides Snakemake's errors."""
    if Quietness.ALL in (workflow.output_settings.quiet or ()) and not workflow.dryrun:
        print(message, file=sys.stderr)
    return WorkflowError(message)


if not os.access(".", os.W_OK):
    raise refused(
        f"{Path.cwd()} is read-only; run in a folder that you may write to, "
        f"with --snakefile {ROOT / 'Snakefile'}"
    )

# `config` holds what the user changes (--config, --configfile, or a module's config).
try:
    CONFIG = load_plan(config)
    check_traces(CONFIG.colocation, Path(".snakemake/traces"))
except (ValueError, OSError) as error:
    raise refused(str(error)) from None

# A comparison with the scale needs something else to compare.
COMPARISONS = comparisons(CONFIG)
TABLES = made_tables(COMPARISONS)
FIGURES = drawn_figures(TABLES)
PUBLIC_DATASETS = {
    CONFIG.training.tasks[task].dataset for task in CONFIG.training.runs
} & set(LAYOUTS)
IMPORTS = grimp.build_graph("equinox", cache_dir=None)


pathvars:
    results=f"results/{CONFIG.name}",


# A workflow that uses this one as a module says in its own words what it makes, and how far it is.
IS_MAIN = Path(workflow.main_snakefile).is_relative_to(ROOT)
if IS_MAIN:
    show_progress(
        [Path("results", name, "benchmarks") for name in (CONFIG.name, CONFIG.scale)],
        cores=lambda: workflow.cores or 1,
    )


# A job that is killed says nothing itself; its shell, which is not, does.
KILLED = (
    "error: the job was killed by signal $((code - 128)). Kill 9 is often a lack of memory, kill 15 a "
    "time limit: give the job more (--set-resources RULE:mem_mb=..., or fewer --cores), then run "
    "snakemake again: what is finished is kept"
)

# The interpreter that runs Snakemake runs the jobs, with one thread each: two threads that spin
# for work on a busy machine are slower than one.
shell.prefix(
    f"set -euo pipefail; trap 'code=$?; test $code -le 128 || echo \"{KILLED}\" >&2' EXIT; "
    f'export PATH={quote(str(Path(sys.executable).parent))}:"$PATH" '
    f"PYTHONPATH={quote(str(ROOT))} PYTHONHASHSEED=0 OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1; "
)


def product_file(path):
    """A file of the product: it comes with the jobs, also where results are in a remote storage."""
    return local(dependencies.product_file(path))


def code(*modules):
    folder = Path(".snakemake", "code")
    return local(dependencies.source_stamp(IMPORTS, modules, folder))


def beside_scale(name, tables):
    """No input; or why target `name`, which sets an experiment beside its scale, cannot be made."""

    def check(wildcards):
        for reason in filter(
            None, (why_not_compared(CONFIG, table) for table in tables)
        ):
            raise refused(f"{name}: {reason}")
        return []

    return check


def technology_inputs(space):
    """The constant set of a design space, then those that it is based on."""
    return [product_file(path) for path in technology_files(space.technology)]


def growing(amount):
    """A resource that is doubled, tripled, ... when a job is tried again."""
    return lambda wildcards, attempt: amount * attempt


def as_json(record):
    """One sorted string: Snakemake compares parameters as an unnamed set."""
    return json.dumps(to_jsonable(record), sort_keys=True)


def in_file(given):
    """A parameter that names a file with what `given` says of a job's inputs, an argument a line."""

    def name_file(wildcards, input):
        return dependencies.argument_file(given(input), Path(".snakemake/arguments"))

    return name_file


def training_job(wildcards):
    return as_json(CONFIG.training_job(wildcards.task, wildcards.encoding))


def training_processes(wildcards):
    return CONFIG.training_job(wildcards.task, wildcards.encoding).processes


def training_data(wildcards):
    """Public data in data_dir; or the description of shipped data, with checksums."""
    dataset = CONFIG.training.tasks[wildcards.task].dataset
    if dataset in LAYOUTS:
        fetched = fetched_datasets()
        message = describe_missing(PUBLIC_DATASETS - fetched, CONFIG.data_dir)
        if message is not None:
            raise WorkflowError(message)
        return LAYOUTS[dataset].paths(CONFIG.data_dir)
    return (
        []
        if CONFIG.data_dir
        else product_file(f"equinox/training/data/{dataset}/source.yaml")
    )


def fetched_datasets():
    return {
        name
        for name in PUBLIC_DATASETS
        if CONFIG.download and CONFIG.data_dir and LAYOUTS[name].downloads
    }


def workload_file(name):
    return product_file(f"config/workloads/{name}.yaml")


def training_file(workload):
    """The workload that is trained beside an inference workload."""
    return workload_file(CONFIG.colocation.training_workload or workload)


def sharing_files():
    """The services that share an accelerator, and what is trained beside them."""
    trained = CONFIG.colocation.training_workload
    names = dict.fromkeys(
        [*CONFIG.colocation.sharing.workloads, *([trained] if trained else [])]
    )
    return [workload_file(name) for name in names]
