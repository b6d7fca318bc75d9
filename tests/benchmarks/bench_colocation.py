"""Speed of co-location on one core; run as a script, nothing is asserted.

Prints requests per CPU-second at the queue level, percentiles included, beside the same queue in
SimPy and Ciw if these are installed (the extra `benchmarks`); instructions per CPU-second of the
engine under every policy; and the CPU time of imports and of the first call in a process, with
nothing compiled yet and with what the process before it has left on disk, beside what numba takes
for any function at all.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from time import process_time

import numpy as np

from equinox.accelerator import load_workload
from equinox.accelerator.machine import Accelerator
from equinox.colocation import (
    POLICIES,
    Poisson,
    inference_program,
    simulate,
    simulate_queue,
    stream_queue,
    training_program,
)
from equinox.colocation.arrivals import take

LOAD, CHUNK_S = 0.7, 0.1
REQUESTS = 10_000_000
SLOW_REQUESTS = 100_000  # of SimPy and Ciw
SHARES = (0.5, 0.99, 0.999)
FIRST_CALL = """
from time import process_time
begin = process_time()
{imports}
imported = process_time()
{call}
print(f"{{imported - begin:.2f}} s to import, {{process_time() - imported:.2f}} s for the call")
"""
ONE_LINE = """
def same(x): return x
njit(same)(1)  # not kept on disk
"""
QUEUE = """
simulate_queue(np.arange(100), batch_s=1, training_chunk_s=1)
"""
ENGINE = """
ones = np.ones(3, np.int64)
columns = dict(mmu_cycles=ones, simd_cycles=ones, load_cycles=ones, depends=ones > 0, count=ones)
program = Program(**columns, drain_cycles=0, op=1)
simulate(program, program, np.arange(100), rows=2)
"""
#: By name: what to import, and the first call.
FIRST_CALLS = {
    "numba, a function of one line": ("from numba import njit", ONE_LINE),
    "queue": ("import numpy as np; from equinox.colocation import simulate_queue", QUEUE),
    "engine": ("import numpy as np; from equinox.colocation import Program, simulate", ENGINE),
}


def draw(count: int) -> Iterator[np.ndarray]:
    """Return blocks of arrivals of the benchmark's queue."""
    generator = np.random.default_rng(0)
    return take(Poisson().blocks_s(request_per_s=LOAD, generator=generator), count)


def stream(blocks: Iterator[np.ndarray] | list[np.ndarray]) -> None:
    """Serve a queue with saturated training in chunks, in memory for a few blocks."""
    found = stream_queue(blocks, batch_s=1.0, training_chunk_s=CHUNK_S)
    [found.wait_quantile_s(share) for share in SHARES]


def arrays(times: np.ndarray) -> None:
    """Serve the same queue with an entry for every request, and exact percentiles."""
    found = simulate_queue(times, batch_s=1.0, training_chunk_s=CHUNK_S)
    np.sort(found.wait_s)[[int(share * len(times)) for share in SHARES]]


def simpy_queue(count: int) -> None:
    """Serve the same queue in SimPy: a server that trains in chunks when nobody waits."""
    import simpy

    world, waits = simpy.Environment(), []
    queue = simpy.Store(world)
    times = np.concatenate(list(draw(count)))

    def arrive():
        for gap in np.diff(times, prepend=0.0):
            yield world.timeout(gap)
            queue.items.append(world.now)

    def serve():
        while len(waits) < count:
            if queue.items:
                waits.append(world.now - queue.items.pop(0))
                yield world.timeout(1.0)
            else:
                yield world.timeout(CHUNK_S)

    world.process(arrive())
    world.run(until=world.process(serve()))
    np.quantile(waits, SHARES)


def ciw_queue(count: int) -> None:
    """Serve the queue in Ciw, without the training (which it has not)."""
    import ciw

    ciw.seed(0)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=LOAD)],
        service_distributions=[ciw.dists.Deterministic(value=1.0)],
        number_of_servers=[1],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(count)
    np.quantile([record.waiting_time for record in simulation.get_all_records()], SHARES)


def per_second(run: Callable[[], object], count: int) -> float:
    """Return `count` over the CPU seconds of `run`, in millions."""
    begin = process_time()
    run()
    return count / (process_time() - begin) / 1e6


def instructions(scheduling: str) -> float:
    """Return millions of instructions per CPU-second: an LSTM beside its training at load 0.5."""
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
    window = (0, int(arrival[-1]))
    options = {"rows": machine.rows, "scheduling": scheduling, "batching": "full"}
    simulate(inference, training, arrival[:100], window=(0, 1), **options)
    begin = process_time()
    outcome = simulate(inference, training, arrival, window=window, **options)
    return outcome.instructions / (process_time() - begin) / 1e6


def first_calls(name: str, script: str) -> None:
    """Print what two processes say, the second of which finds what the first one compiled."""
    with tempfile.TemporaryDirectory() as cache:
        for when in ("nothing compiled", "from disk"):
            sys.stdout.write(f"  {name}, {when}: ")
            sys.stdout.flush()
            command = [sys.executable, "-c", script]
            subprocess.run(command, env=os.environ | {"NUMBA_CACHE_DIR": cache}, check=True)


def main() -> None:
    """Print all."""
    sys.stdout.write("queue, million requests per CPU-second:\n")
    stream(draw(20_000))
    blocks = list(draw(REQUESTS))
    times = np.concatenate(blocks)
    arrays(times[:100])
    rates = {
        "streamed": per_second(lambda: stream(blocks), REQUESTS),
        "streamed, with the drawing of arrivals": per_second(
            lambda: stream(draw(REQUESTS)), REQUESTS
        ),
        "an entry for every request, one run": per_second(lambda: arrays(times), REQUESTS),
        "an entry for every request, ten runs": per_second(
            lambda: [arrays(part - part[0]) for part in np.split(times, 10)], REQUESTS
        ),
    }
    for name, run in (("simpy", simpy_queue), ("ciw", ciw_queue)):
        if find_spec(name) is None:
            sys.stdout.write(f"  {name}: not installed (pip install '.[benchmarks]')\n")
        else:
            rates[name] = per_second(lambda run=run: run(SLOW_REQUESTS), SLOW_REQUESTS)
    for name, rate in rates.items():
        sys.stdout.write(f"  {name}: {rate:.3g}\n")
    sys.stdout.write("engine, million instructions per CPU-second:\n")
    for name in POLICIES:
        sys.stdout.write(f"  {name}: {instructions(name):.0f}\n")
    sys.stdout.write("first call in a process, CPU time:\n")
    for name, (imports, call) in FIRST_CALLS.items():
        first_calls(name, FIRST_CALL.format(imports=imports, call=call))


if __name__ == "__main__":
    main()
