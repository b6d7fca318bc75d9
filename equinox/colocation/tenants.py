"""The services of a mix on the accelerator that they share: SRAM, programs, batches, targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final, final

import numpy as np

from equinox.accelerator import Accelerator, Technology, Workload
from equinox.colocation.batching import SHORTENED
from equinox.colocation.programs import activation_byte
from equinox.colocation.simulation import simulate
from equinox.colocation.site import Site, place, train_dedicated
from equinox.colocation.state import Service
from equinox.config.colocation import Colocation, MixedService

_MICRO: Final = 1e6  # us in a second


@final
@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A service of a mix on its accelerator."""

    name: str
    site: Site
    service: Service
    load_share: float  # of the load of the mix
    service_cycles: int  # a full batch on an idle machine
    target_us: float | None

    @property
    def request_per_s(self) -> float:
        """Requests at load 1 of the mix."""
        return self.load_share * self.site.request_per_s


def make_tenants(
    config: Colocation,
    services: Sequence[MixedService],
    machines: tuple[Accelerator, Accelerator],
    technology: Technology,
    workloads: Mapping[str, Workload],
) -> list[Tenant]:
    """Return the tenants of the first of `machines`; training is measured against the second.

    They train the network that the config names, or that of the first service.
    """
    machine, dedicated = machines
    served = [workloads[service.workload] for service in services]
    trained = workloads[config.training_workload or served[0].name]
    best = train_dedicated(config, dedicated, trained)
    total = sum(service.weight for service in services)
    return [
        _make_tenant(
            config,
            service,
            place(config, replace(machine, sram_byte=byte), technology, own, trained, best),
            service.weight / total,
        )
        for service, own, byte in zip(services, served, divide_sram(machine, served), strict=True)
    ]


def divide_sram(machine: Accelerator, workloads: Sequence[Workload]) -> list[float]:
    """Return the bytes of SRAM that each of `workloads` has on a machine that they share.

    In their order, the weights of each stay where they fit beside those that stay already and the
    activations of the service that has most (assumed); each has what the others' weights leave.
    """
    activations = [activation_byte(machine, workload) for workload in workloads]
    left = machine.sram_byte - max(activations)
    kept = []
    for workload in workloads:
        byte = workload.weight_byte(machine.encoding)
        kept.append(byte if byte <= left else 0.0)
        left -= kept[-1]
    return [
        min(max(left, 0.0) + own + byte, machine.sram_byte)
        for own, byte in zip(kept, activations, strict=True)
    ]


def _make_tenant(
    config: Colocation, service: MixedService, site: Site, load_share: float
) -> Tenant:
    rows = min(service.max_batch or site.machine.rows, site.machine.rows)
    sizes = site.shortened[:rows] if len(site.shortened) > 1 else (site.inference,)
    cycles = simulate(
        sizes[-1],
        site.training,
        np.zeros(rows),
        rows=rows,
        scheduling="inference_only",
        batching="full",
        window=(0, 1),
    ).completion_cycle[-1]
    target_us = config.latency_target_us.get(service.workload)
    hz = site.machine.frequency_hz
    made = Service(
        programs=sizes if config.sharing.batching == SHORTENED and len(sizes) > 1 else sizes[-1],
        rows=rows,
        batching=config.sharing.batching,
        timeout_cycles=round(config.adaptive_timeout * int(cycles)),
        guard_batches=config.guard_batches,
        target_cycles=inf if target_us is None else target_us / _MICRO * hz,
    )
    return Tenant(
        name=service.workload,
        site=site,
        service=made,
        load_share=load_share,
        service_cycles=int(cycles),
        target_us=target_us,
    )
