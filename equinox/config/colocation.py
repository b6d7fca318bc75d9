"""What co-location is simulated: designs, workloads, policies, loads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, ConfigDict

from equinox.config.checks import STRICT, Count, Distinct, Name, NonNegative, Positive, Seed, Share

#: A day without a trace: see `colocation.fleet.day_load`.
COSINE: Final = "cosine"


@final
@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Many accelerators under the load of a day."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    accelerators: Count
    intervals: Count  # of a day
    mean_load: Share
    peak_to_trough: Annotated[float, Ge(1)]
    balancers: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    schedulings: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    pack_load: Annotated[float, Gt(0), Le(1)]  # load to which "pack" fills an accelerator
    profile: Name  # of the day: `COSINE`, or a trace file


@final
@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What is varied, one at a time, at one design, service and batching."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    design: Name
    workload: Name
    batching: Name
    loads: Annotated[tuple[Positive, ...], MinLen(1), Distinct]
    training_batch: Annotated[tuple[Count, ...], Distinct]
    dram_gb_per_s: Annotated[tuple[Positive, ...], Distinct]
    instruction_folds: Annotated[tuple[Count, ...], Distinct]
    instruction_reduction: Annotated[tuple[Count, ...], Distinct] = ()
    arrivals: Annotated[tuple[Name, ...], Distinct]
    adaptive_timeout: Annotated[tuple[NonNegative, ...], Distinct]


@final
@dataclass(frozen=True, kw_only=True)
class MixedService:
    """An inference service that shares its accelerator with others."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    workload: Name
    weight: Positive = 1.0  # its part of the load of the mix, over the sum of all weights
    max_batch: Count | None = None  # requests; None: the rows of the array


def _each_once(services: tuple[MixedService, ...]) -> tuple[MixedService, ...]:
    names = [service.workload for service in services]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice; a mix has each service once")
    return services


@final
@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Several services on one accelerator, each with its target of `latency_target_us`."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    design: Name
    batching: Name
    orders: Annotated[tuple[Name, ...], MinLen(1), Distinct]  # whose batch goes first
    schedulings: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    loads: Annotated[tuple[Positive, ...], MinLen(1), Distinct]  # of all services together
    #: services by the name of their mix; the first also trains, unless training_workload says
    mixes: Annotated[
        Mapping[Name, Annotated[tuple[MixedService, ...], MinLen(1), AfterValidator(_each_once)]],
        MinLen(1),
    ]

    @property
    def workloads(self) -> list[str]:
        """All services, each once."""
        return list(dict.fromkeys(each.workload for mix in self.mixes.values() for each in mix))


@final
@dataclass(frozen=True, kw_only=True)
class Colocation:
    """The simulations: all designs, workloads, batchings, schedulings, loads and seeds."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    encoding: Name
    designs: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    #: inference services, files in config/workloads, each alone; the fleet's is the first
    workloads: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    training_workload: Name | None = None  # None: each service trains its own network
    training_batch: Count
    arrivals: Name = "poisson"  # a process or a trace: see `colocation.arrivals.make_arrivals`
    batchings: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    schedulings: Annotated[tuple[Name, ...], MinLen(1), Distinct]
    loads: Annotated[tuple[Positive, ...], MinLen(1), Distinct]
    seeds: Annotated[tuple[Seed, ...], MinLen(1), Distinct]
    requests: Count  # measured in a run, after warm-up, at least
    batches: Count  # measured in a run, in requests of full batches, at least
    iterations: (
        Positive  # measured in a run with training, in times of an iteration alone, at least
    )
    warm_up: Annotated[float, Ge(0), Lt(1)]  # share of a run left out at its start
    adaptive_timeout: NonNegative  # in service times of a full batch
    guard_batches: Positive  # training stops while more batches than this wait
    instruction_folds: Count  # of training: what cannot be interrupted
    instruction_reduction: Count | None = None  # values that a fold of training reduces, at most
    load_tolerance: Positive  # of the loads that are searched for
    #: p99 latency that a service must keep; one that is not listed has none
    latency_target_us: Mapping[Name, Positive]
    sensitivity: Sensitivity
    sharing: Sharing
    fleet: Fleet
