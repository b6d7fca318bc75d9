"""A tour of the package, a minute long: python docs/tour.py."""

import numpy as np
import torch

from equinox.accelerator import load_technology, load_workload
from equinox.colocation import Poisson, simulate_queue
from equinox.config import load_config
from equinox.design_space import choose_designs, sweep_all
from equinox.encodings import BlockFloat, convert, quantize, wide_weights


def main() -> None:
    """Walk through encodings, the design space and a queue."""
    print("1. Round numbers to block floating point: the largest sets the step of all.")
    x = torch.tensor([[1.0, 0.3, -0.01, 0.002]])
    for bits in (8, 4):
        print(f"   {bits} bits:", quantize(x, BlockFloat(mantissa_bits=bits, tile=None)).tolist())

    print("2. Train a small network with its dot products in HBFP, weights stored in 16 bits.")
    torch.manual_seed(0)
    inputs, labels = torch.randn(256, 20), torch.randint(4, (256,))
    model = convert(torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(),
                                        torch.nn.Linear(64, 4)), "hbfp8_16")  # fmt: skip
    optimizer = wide_weights(torch.optim.SGD(model.parameters(), lr=0.2), "hbfp8_16")
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"   loss {losses[0]:.3f} at first, {losses[-1]:.3f} after {len(losses)} steps")

    print("3. Search accelerators of one budget: what relaxing the service time buys.")
    space = load_config({"scale": "smoke"}).design_space
    technology, workload = load_technology(space.technology), load_workload(space.workload)
    designs = choose_designs(
        sweep_all(space, technology, workload), space, technology, workload
    ).query("encoding == 'hbfp8_16'")
    for _, design in designs.iterrows():
        print(
            f"   {design['design']:20}{design['service_time_us']:8.0f} us"
            f"{design['throughput_op_per_s'] / 1e12:8.0f} TOp/s"
        )

    print("4. Serve requests in batches, and train in what is left.")
    arrival_s = Poisson().times_s(20_000, request_per_s=0.5, generator=np.random.default_rng(0))
    for chunk_s in (None, 0.1):
        served = simulate_queue(
            arrival_s, batch_s=1.0, max_batch=4, training_chunk_s=chunk_s, batching="greedy"
        )
        print(
            f"   training in chunks of {chunk_s} s:"
            f" p99 {np.quantile(served.latency_s, 0.99):.2f} s,"
            f" {served.training_s / served.end_s:.0%} of the time trains"
        )


if __name__ == "__main__":
    main()
