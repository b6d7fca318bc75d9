"""The config as the workflow uses it: loaded, checked, and every name in it known."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from equinox.accelerator import technology_files
from equinox.colocation.arrivals import make_arrivals
from equinox.colocation.balancers import BALANCERS
from equinox.colocation.batching import BATCHINGS
from equinox.colocation.orders import ORDERS
from equinox.colocation.policies import POLICIES
from equinox.config import CONFIG_DIR, Config, load_config
from equinox.config.colocation import COSINE, Colocation
from equinox.encodings.formats import ENCODINGS, get_encoding
from equinox.named_traces import is_trace, named_arrivals
from equinox.tables import SOURCES
from equinox.training.names import MODELS, known_datasets

RESULTS: Final = Path("results")


def load_plan(overrides: Mapping[str, Any]) -> Config:
    """Return the config that `overrides` make, after a check of every name in it.

    Raises:
        ValueError: as of `load_config`, or a name is not that of a model, data set, encoding,
            policy, workload or technology; the message has key, value and the known names.
    """
    return check_plan(load_config(overrides))


def check_plan(config: Config) -> Config:
    """Return `config` if every name in it is that of something that exists.

    Raises:
        ValueError: as of `load_plan`.
    """
    for key, name, known in _names(config):
        if name not in known:
            close = get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"{key} = {name!r} is not known; {hint}known are {sorted(known)}")
    for name in config.training.encodings:
        get_encoding(name, config.training.encodings)
    technology_files(config.design_space.technology)
    _check_arrivals(config.colocation)
    return config


def _check_arrivals(colocation: Colocation) -> None:
    """Raise a ValueError unless all arrivals can be made; `check_traces` reads those of files."""
    for key, names in named_arrivals(colocation).items():
        for name in names:
            if is_trace(name):
                if set("{}") & set(name):
                    raise ValueError(
                        f"colocation.{key} = {name!r}: Snakemake reads braces in a path as a "
                        "wildcard; rename the file or its folder"
                    )
                if not Path(name).is_file():
                    raise ValueError(f"colocation.{key} = {name!r}: there is no such file")
            elif key != "fleet.profile":
                _check_process(key, name)
            elif name != COSINE:
                raise ValueError(
                    f"colocation.{key} = {name!r}: it must be {COSINE!r}, or a trace, "
                    ".csv or .parquet"
                )


def _check_process(key: str, name: str) -> None:
    try:
        make_arrivals(name)
    except ValueError as error:
        raise ValueError(f"colocation.{key}: {error}") from None


def scale_of(config: Config) -> Config:
    """Return the config that `config` is an experiment on: its scale as it is."""
    return load_config({"scale": config.scale})


def training_folders(config: Config) -> dict[tuple[str, str], str]:
    """Return the folder of each training run, by task and encoding.

    It is that of the scale, unless the scale has no such run: an experiment that changes hardware
    alone trains nothing again, one that adds an encoding trains in that one alone.
    """
    scale = scale_of(config)
    known = scale.training_jobs()
    return {
        (job.name, job.encoding): scale.name if job in known else config.name
        for job in config.training_jobs()
    }


def comparisons(config: Config, results: Path = RESULTS) -> tuple[str, ...]:
    """Return the tables that set an experiment beside its scale; none without an experiment.

    Its designs always; operating points and services that share where `results` have those of the
    scale; accuracy where they have it and the experiment trains runs of its own.
    """
    return tuple(
        name for name in ("comparison", *SOURCES) if why_not_compared(config, name, results) is None
    )


def why_not_compared(config: Config, table: str, results: Path = RESULTS) -> str | None:
    """Return why `table` cannot set `config` beside its scale, and what to do; None if it can.

    A table that compares nothing can always be made.
    """
    if table not in ("comparison", *SOURCES):
        return None
    if not config.experiment:
        return (
            "it sets an experiment beside its scale, and none is named: add --config "
            "experiment=NAME (`snakemake describe` lists them)"
        )
    if table == "accuracy_comparison" and config.name not in training_folders(config).values():
        return (
            f"experiment = {config.experiment!r} trains nothing that scale = {config.scale!r} does "
            "not train: their accuracy is the same"
        )
    source = SOURCES.get(table)
    if source is None or (results / config.scale / "tables" / f"{source}.parquet").exists():
        return None
    return (
        f"it sets experiment = {config.experiment!r} beside scale = {config.scale!r}, which has "
        f"not been run as far as its table {source}. Run that first, with\n"
        f"    snakemake {source} --config scale={config.scale}"
    )


def _names(config: Config) -> Iterator[tuple[str, str, Collection[str]]]:
    """Yield each name in `config` with its key and the names that are known there."""
    space, colocation = config.design_space, config.colocation
    workloads = _files("workloads")
    yield "design_space.technology", space.technology, _files("technology")
    yield "design_space.workload", space.workload, workloads
    if colocation.training_workload is not None:
        yield "colocation.training_workload", colocation.training_workload, workloads
    yield "colocation.encoding", colocation.encoding, space.encodings
    study = colocation.sensitivity
    yield "colocation.sensitivity.design", study.design, space.family
    yield "colocation.sensitivity.workload", study.workload, workloads
    yield "colocation.sensitivity.batching", study.batching, BATCHINGS
    sharing = colocation.sharing
    yield "colocation.sharing.design", sharing.design, space.family
    yield "colocation.sharing.batching", sharing.batching, BATCHINGS
    for name, boost in config.training.boosts.items():
        yield f"training.boosts.{name}.first", boost.first, ENCODINGS
        yield f"training.boosts.{name}.last", boost.last, ENCODINGS
    serving = [name for name in POLICIES if name != "training_only"]
    trained = {*ENCODINGS, *config.training.encodings, *config.training.boosts}
    datasets = known_datasets(config.data_dir)
    for task, runs in config.training.runs.items():
        if runs:
            recipe = config.training.tasks[task]
            yield f"training.tasks.{task}.model", recipe.model, MODELS
            yield f"training.tasks.{task}.dataset", recipe.dataset, datasets
        yield from ((f"training.runs.{task}", name, trained) for name in runs)
    for key, names, known in (
        ("design_space.encodings", space.encodings, ENCODINGS),
        ("design_space.density_encodings", space.density_encodings, ENCODINGS),
        ("colocation.designs", colocation.designs, space.family),
        ("colocation.workloads", colocation.workloads, workloads),
        ("colocation.latency_target_us", colocation.latency_target_us, workloads),
        ("colocation.batchings", colocation.batchings, BATCHINGS),
        ("colocation.schedulings", colocation.schedulings, POLICIES),
        ("colocation.sharing.mixes", sharing.workloads, workloads),
        ("colocation.sharing.orders", sharing.orders, ORDERS),
        ("colocation.sharing.schedulings", sharing.schedulings, serving),
        ("colocation.fleet.schedulings", colocation.fleet.schedulings, colocation.schedulings),
        ("colocation.fleet.balancers", colocation.fleet.balancers, BALANCERS),
    ):
        yield from ((key, name, known) for name in names)


def _files(folder: str) -> list[str]:
    return [path.stem for path in (CONFIG_DIR / folder).glob("*.yaml")]
