"""Co-location: inference and training share an accelerator; latency, throughput and cycles.

A name is imported when it is first used: the simulator's compiler takes long to import, and who
asks for the names of policies does not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from equinox.colocation.arrivals import (
        Diurnal,
        Modulated,
        Poisson,
        Renewal,
        Trace,
        make_arrivals,
    )
    from equinox.colocation.batching import BATCHINGS
    from equinox.colocation.classes import simulate_priority_queue
    from equinox.colocation.fleet import simulate_fleet
    from equinox.colocation.metrics import estimate, replicate_until, transient_length
    from equinox.colocation.orders import ORDERS
    from equinox.colocation.policies import POLICIES
    from equinox.colocation.programs import Program, inference_program, training_program
    from equinox.colocation.queue import simulate_queue, stream_queue
    from equinox.colocation.search import bisect_load, largest_load_within, saturation_load
    from equinox.colocation.simulation import simulate, simulate_services
    from equinox.colocation.stages import simulate_design
    from equinox.colocation.state import Service
    from equinox.colocation.stream import simulate_stream
    from equinox.colocation.traces import read_trace

__all__ = [
    "BATCHINGS",
    "Diurnal",
    "Modulated",
    "ORDERS",
    "POLICIES",
    "Poisson",
    "Program",
    "Renewal",
    "Service",
    "Trace",
    "bisect_load",
    "estimate",
    "inference_program",
    "largest_load_within",
    "make_arrivals",
    "read_trace",
    "replicate_until",
    "saturation_load",
    "simulate",
    "simulate_design",
    "simulate_fleet",
    "simulate_priority_queue",
    "simulate_queue",
    "simulate_services",
    "simulate_stream",
    "stream_queue",
    "training_program",
    "transient_length",
]

_NAMES = {
    "arrivals": "Diurnal Modulated Poisson Renewal Trace make_arrivals",
    "batching": "BATCHINGS",
    "classes": "simulate_priority_queue",
    "fleet": "simulate_fleet",
    "metrics": "estimate replicate_until transient_length",
    "orders": "ORDERS",
    "policies": "POLICIES",
    "programs": "Program inference_program training_program",
    "queue": "simulate_queue stream_queue",
    "search": "bisect_load largest_load_within saturation_load",
    "simulation": "simulate simulate_services",
    "stages": "simulate_design",
    "state": "Service",
    "stream": "simulate_stream",
    "traces": "read_trace",
}
_LAZY = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Return a public name from the module that has it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
