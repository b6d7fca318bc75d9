"""Speed of co-location on one core; run as a script, nothing is asserted.

Prints requests per CPU-second at the queue level (training in chunks, percentiles included; the
drawing of arrivals is not), and instructions per CPU-second of the engine.
"""

import sys
from time import process_time

import numpy as np

from equinox.accelerator import load_workload
from equinox.accelerator.machine import Accelerator
from equinox.colocation import inference_program, simulate, simulate_queue, training_program

REQUESTS = 4_000_000
SHARES = (0.5, 0.99, 0.999)


def queue_requests_per_s() -> float:
    """Return requests per CPU-second at load 0.7 with saturated training in chunks."""
    times = np.random.default_rng(0).exponential(1 / 0.7, REQUESTS).cumsum()
    simulate_queue(times[:10], batch_s=1.0, training_chunk_s=0.1)  # compiles
    begin = process_time()
    outcome = simulate_queue(times, batch_s=1.0, training_chunk_s=0.1)
    ranks = [int(share * REQUESTS) for share in SHARES]
    np.partition(outcome.wait_s, ranks)
    return REQUESTS / (process_time() - begin)


def instructions_per_s(scheduling: str) -> float:
    """Return instructions per CPU-second of an LSTM beside its training at load 0.5."""
    machine = Accelerator(
        encoding="hbfp8_16",
        arrays=2,
        rows=86,
        columns=86,
        width=16,
        frequency_hz=6.9e8,
        voltage_v=0.73,
        sram_byte=75 * 2**20,
        dram_byte_per_s=1e12,
    )
    workload = load_workload("lstm_2048_25")
    inference = inference_program(machine, workload)
    training = training_program(machine, workload.training(128, encoding="hbfp8_16"))
    gap = inference.total_mmu_cycles / machine.rows / 0.5
    arrival = np.ceil(np.random.default_rng(0).exponential(gap, 100_000).cumsum())
    options = {"rows": machine.rows, "scheduling": scheduling, "batching": "full"}
    simulate(inference, training, arrival[:100], **options)
    begin = process_time()
    outcome = simulate(inference, training, arrival, **options)
    return outcome.instructions / (process_time() - begin)


if __name__ == "__main__":
    sys.stdout.write(f"queue: {queue_requests_per_s() / 1e6:.1f} million requests per CPU-second\n")
    for name in ("inference_only", "priority", "fair"):
        speed = instructions_per_s(name) / 1e6
        sys.stdout.write(f"{name}: {speed:.1f} million instructions per CPU-second\n")
