"""Time rounding and training steps: `python -m tests.benchmarks.bench_encodings [EMULATOR]`.

All that is compared runs in one process, in turn, and medians are given as multiples of a baseline
of PyTorch. Peers take part where they are installed (qtorch), or from a local checkout of the
authors' emulator, whose path is the argument.
"""

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Mapping

import pandas as pd
import torch
from torch import nn

from equinox.encodings import BlockFloat, convert, derive_encoding, quantize, wide_weights

Work = Callable[[], object]

NEAREST = derive_encoding(
    "hbfp8_nearest", base="hbfp8_16", overrides={"gradient_rounding": "nearest"}
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emulator", nargs="?", help="a checkout of parsa-epfl/HBFPEmulator")
    parser.add_argument("--repeats", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    tables = [
        compare("4096x4096", rounding(4096) | peers(4096, arguments.emulator), arguments.repeats),
        compare("256x256", rounding(256), 20 * arguments.repeats),
        compare("into a buffer", into_buffer(), arguments.repeats),
        compare("Linear 1024, batch 256", steps(linear()), arguments.repeats),
        compare("Conv2d 64, 32x64x32x32", steps(convolution()), arguments.repeats),
        compare("SGD 1024x1024", updates(), 3 * arguments.repeats),
    ]
    print(pd.concat(tables).to_string(index=False, float_format="%.2f"))  # noqa: T201


def compare(case: str, works: Mapping[str, Work], repeats: int) -> pd.DataFrame:
    """Return median times of `works`, run in turn, as multiples of the first's."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(seen) for name, seen in times.items()}
    baseline = next(iter(medians.values()))
    rows = [(case, name, 1e3 * t, t / baseline) for name, t in medians.items()]
    return pd.DataFrame(rows, columns=["case", "name", "median_ms", "ratio"])


def rounding(size: int) -> dict[str, Work]:
    x = torch.randn(size, size)
    generator = torch.Generator().manual_seed(0)
    stochastic = BlockFloat(rounding="stochastic")
    return {
        "clone": x.clone,
        "nearest": lambda: quantize(x, BlockFloat()),
        "stochastic": lambda: quantize(x, stochastic, generator=generator),
    }


def into_buffer() -> dict[str, Work]:
    x = torch.randn(4096, 4096)
    first, second = torch.zeros_like(x), torch.zeros_like(x)
    return {"copy_": lambda: first.copy_(x), "out=": lambda: quantize(x, BlockFloat(), out=second)}


def peers(size: int, emulator: str | None) -> dict[str, Work]:
    x = torch.randn(size, size)
    works: dict[str, Work] = {}
    if importlib.util.find_spec("qtorch"):
        from qtorch.quant import block_quantize

        works["qtorch"] = lambda: block_quantize(x, wl=8, dim=0, rounding="nearest")
    if emulator:
        sys.path.insert(0, emulator)
        from bfp.bfp_ops import float_to_bfp_tiled

        works["emulator"] = lambda: float_to_bfp_tiled(
            x, mant_bits=7, epsilon=1e-8, rounding_mode="determ", device="cpu", bfp_tile_size=24,
            num_format="bfp",
        )  # fmt: skip
    return works


def linear() -> tuple[nn.Module, torch.Tensor]:
    return nn.Linear(1024, 1024), torch.randn(256, 1024, requires_grad=True)


def convolution() -> tuple[nn.Module, torch.Tensor]:
    return nn.Conv2d(64, 64, 3, padding=1), torch.randn(32, 64, 32, 32, requires_grad=True)


def steps(case: tuple[nn.Module, torch.Tensor]) -> dict[str, Work]:
    model, x = case
    models = {
        "fp32": model,
        "hbfp8_nearest": convert(model, NEAREST),
        "hbfp8_16": convert(model, "hbfp8_16"),
    }

    def step(trained: nn.Module) -> Work:
        return lambda: trained(x).sum().backward()

    return {name: step(trained) for name, trained in models.items()}


def updates() -> dict[str, Work]:
    optimizers = []
    for _ in range(2):
        weight = nn.Parameter(torch.randn(1024, 1024))
        weight.grad = torch.randn(1024, 1024) * 1e-3
        optimizers.append(torch.optim.SGD([weight], lr=1e-3, momentum=0.9))
    return {
        "SGD": optimizers[0].step,
        "SGD, wide weights": wide_weights(optimizers[1], "hbfp8_16").step,
    }


if __name__ == "__main__":
    main()
