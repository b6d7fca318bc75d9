"""Co-location: inference and training share an accelerator; latency, throughput and cycles."""

from equinox.colocation.arrivals import Poisson, Trace, read_trace
from equinox.colocation.batching import BATCHINGS
from equinox.colocation.fleet import simulate_fleet
from equinox.colocation.policies import POLICIES
from equinox.colocation.programs import Program, inference_program, training_program
from equinox.colocation.queue import simulate_queue
from equinox.colocation.simulation import simulate
from equinox.colocation.sweep import simulate_design

__all__ = [
    "BATCHINGS",
    "POLICIES",
    "Poisson",
    "Program",
    "Trace",
    "inference_program",
    "read_trace",
    "simulate",
    "simulate_design",
    "simulate_fleet",
    "simulate_queue",
    "training_program",
]
