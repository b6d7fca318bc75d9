"""The steps of the workflow: what each reads, the one call that it makes, and what it writes."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from equinox.accelerator import load_technology, load_workload
from equinox.colocation.fleet import simulate_fleet
from equinox.colocation.replications import summarize_replications
from equinox.colocation.saturation import describe_site, find_limits
from equinox.colocation.sharing import share_accelerator
from equinox.colocation.site import prepare_site, same_machine
from equinox.colocation.study import study_sensitivity
from equinox.colocation.sweep import sweep_loads
from equinox.config.checks import from_json
from equinox.config.colocation import Colocation
from equinox.provenance import Origin
from equinox.tables import empty_table, read_table, write_table

PARTS: Final = ("colocation", "saturation", "sites")  # tables that one design is a part of


def simulate_design(
    config: Colocation,
    designs: pd.DataFrame,
    design: str,
    *,
    technology: str,
    workload: str,
    training_workload: str,
) -> dict[str, pd.DataFrame]:
    """Return the parts of the tables `PARTS` of one design and service."""
    service, task = load_workload(workload), load_workload(training_workload)
    site = prepare_site(config, designs, design, load_technology(technology), service, task)
    names = {"design": design, "encoding": config.encoding, "workload": service.name}
    names |= {"training_task": task.name}
    limits = find_limits(config, site, config.latency_target_us.get(service.name))
    most = limits.set_index(["batching", "scheduling"])["saturation_load"].to_dict()
    rows = sweep_loads(config, site, most)
    return {
        "colocation": rows.assign(**names, arrivals=config.arrivals),
        "saturation": limits.assign(**names, arrivals=config.arrivals),
        "sites": pd.DataFrame([describe_site(site)]).assign(**names),
    }


def _simulate(given: Namespace, origin: Origin) -> None:
    """Simulate one design with one service: a part of each of the tables `PARTS`.

    The parts are empty if the machine is that of an earlier design of the config.
    """
    config = from_json(Colocation, given.config)
    designs = read_table("designs", given.designs)
    parts = {name: empty_table(name) for name in PARTS}
    if same_machine(config, designs, given.design) == given.design:
        parts = simulate_design(
            config,
            designs,
            given.design,
            technology=given.technology,
            workload=given.workload,
            training_workload=given.training_workload,
        )
    for name, path in zip(PARTS, given.outputs, strict=True):
        write_table(parts[name], name, path, origin=origin)


def _collect(given: Namespace, origin: Origin) -> None:
    """Collect the parts of a table, with the rows of designs that are the same machine."""
    config = from_json(Colocation, given.config)
    designs = read_table("designs", given.designs)
    rows = pd.concat([read_table(given.table, path) for path in given.parts])
    frames = []
    for design in config.designs:
        same = same_machine(config, designs, design)
        frames.append(rows[rows["design"] == same].assign(design=design))
    write_table(pd.concat(frames), given.table, given.output, origin=origin)


def _points(given: Namespace, origin: Origin) -> None:
    """Summarize the replications of the table colocation."""
    colocation = read_table("colocation", given.colocation)
    points = summarize_replications(colocation)
    write_table(points, "operating_points", given.output, origin=origin)


def _study(given: Namespace, origin: Origin) -> None:
    """Vary one parameter at a time: the table colocation_sensitivity."""
    frame = study_sensitivity(
        from_json(Colocation, given.config),
        read_table("designs", given.designs),
        technology=load_technology(given.technology),
        workload=load_workload(given.workload),
        training_workload=load_workload(given.training_workload),
    )
    write_table(frame, "colocation_sensitivity", given.output, origin=origin)


def _share(given: Namespace, origin: Origin) -> None:
    """Let several services share an accelerator: the table sharing."""
    workloads = [load_workload(path) for path in given.workloads]
    frame = share_accelerator(
        from_json(Colocation, given.config),
        read_table("designs", given.designs),
        technology=load_technology(given.technology),
        workloads={workload.name: workload for workload in workloads},
    )
    write_table(frame, "sharing", given.output, origin=origin)


def _fleet(given: Namespace, origin: Origin) -> None:
    """Spread a day over a fleet."""
    tables = ("operating_points", "sites", "saturation", "designs")
    frames = [read_table(name, getattr(given, name)) for name in tables]
    fleet = simulate_fleet(from_json(Colocation, given.config), *frames)
    write_table(fleet, "fleet", given.output, origin=origin)


_MACHINE = ("config", "designs", "technology", "workload", "training_workload")
#: By name: the step and its options.
STAGES: Mapping[str, tuple[Callable[[Namespace, Origin], None], tuple[str, ...]]] = {
    "simulate": (_simulate, (*_MACHINE, "design", "outputs")),
    "collect": (_collect, ("config", "designs", "table", "parts", "output")),
    "points": (_points, ("colocation", "output")),
    "study": (_study, (*_MACHINE, "output")),
    "share": (_share, ("config", "designs", "technology", "workloads", "output")),
    "fleet": (
        _fleet,
        ("config", "operating_points", "sites", "saturation", "designs", "output"),
    ),
}
