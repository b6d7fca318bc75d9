"""Time rounding and training steps: `python -m tests.benchmarks.bench_encodings [EMULATOR]`.

All that is compared runs in one process, in turn, and the table gives medians, and medians of the
paired ratios to a baseline of PyTorch, beside the ratio that is aimed at. Peak memory is that of a
process of its own, which gives back at once what is freed: what a step holds, not what its
allocator keeps; so is the first call, without and with kernels on disk. Peers take part where they
are installed (qtorch), or from a local checkout of the authors' emulator, whose path is the
argument.
"""

import argparse
import importlib.util
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch
from torch import nn

from equinox.encodings import (
    BlockFloat,
    convert,
    derive_encoding,
    operands,
    quantize,
    wide_weights,
)  # fmt: skip

Work = Callable[[], object]
Case = tuple[nn.Module, torch.Tensor]

NEAREST = derive_encoding(
    "hbfp8_nearest", base="hbfp8_16", overrides={"gradient_rounding": "nearest"}
)
#: Ratios aimed at, by case and name; what has none is for information.
TARGETS = {
    ("4096x4096", "nearest"): 1.25,
    ("4096x4096", "stochastic"): 1.5,
    ("into a buffer", "out="): 2.0,
    ("256x256", "nearest"): 1.6,
    ("Linear 1024, batch 256", "hbfp8_nearest"): 1.25,
    ("Linear 1024, batch 256", "hbfp8_16"): 1.3,
    ("Conv2d 64, 32x64x32x32", "hbfp8_nearest"): 1.1,
    ("Conv2d 64, 32x64x32x32", "hbfp8_16"): 1.3,
    ("ResNet-20, batch 64", "hbfp8_nearest"): 1.15,
    ("ResNet-20, batch 64", "hbfp8_16"): 1.3,
    ("SGD 1024x1024", "SGD, wide weights"): 3.0,
}
MEMORY_TARGET = 1.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emulator", nargs="?", help="a checkout of parsa-epfl/HBFPEmulator")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    repeats = arguments.repeats
    cases: dict[str, tuple[Callable[[], dict[str, Work]], int]] = {
        "4096x4096": (lambda: rounding(4096) | peers(4096, arguments.emulator), repeats),
        "256x256": (lambda: rounding(256), 100 * repeats),
        "into a buffer": (into_buffer, repeats),
        **{name: (lambda build=build: steps(build()), repeats) for name, build in MODELS.items()},
        "SGD 1024x1024": (updates, 10 * repeats),
    }
    with tempfile.TemporaryDirectory() as folder:
        first = {
            "compiled": apart({"NUMBA_CACHE_DIR": folder}, first_call_s),
            "loaded": apart({"NUMBA_CACHE_DIR": folder}, first_call_s),
        }
    tables = [
        compare(name, works(), count)
        for name, (works, count) in cases.items()
        if arguments.only in name
    ]
    tables += [peak_memory(name) for name in MODELS if arguments.only in f"memory {name}"]
    print(pd.concat(tables).to_string(index=False, float_format="%.3f"))
    for how, seconds in first.items():
        print(f"first call, kernel {how}: {seconds:.1f} s")


def first_call_s() -> float:
    start = time.perf_counter()
    quantize(torch.ones(2, 2), BlockFloat())
    return time.perf_counter() - start


def compare(case: str, works: Mapping[str, Work], repeats: int) -> pd.DataFrame:
    """Return median times of `works`, run in turn, and of their ratios to the first."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(1e3 * (time.perf_counter() - start))
    baseline = next(iter(times.values()))
    rows = []
    for name, seen in times.items():
        ratio = statistics.median(a / b for a, b in zip(seen, baseline, strict=True))
        rows.append(row(case, name, statistics.median(seen), "ms", ratio, TARGETS))
    return pd.DataFrame(rows)


def row(
    case: str, name: str, value: float, unit: str, ratio: float,
    targets: Mapping[tuple[str, str], float],
) -> dict[str, object]:  # fmt: skip
    target = targets.get((case, name))
    verdict = "" if target is None else "met" if ratio <= target else "missed"
    aimed = "" if target is None else f"<= {target}"
    return {
        "case": case, "name": name, "median": value, "unit": unit, "ratio": ratio,
        "target": aimed, "verdict": verdict,
    }  # fmt: skip


def peak_memory(case: str) -> pd.DataFrame:
    """Return the peak resident memory of training steps beyond that before the model was made."""
    names = ("fp32", "hbfp8_nearest", "hbfp8_16")
    # GNU's malloc takes what is larger from the system, each alone.
    setting = {"MALLOC_MMAP_THRESHOLD_": "65536"}
    peaks = [apart(setting, peak_of_step_byte, case, name) / 2**20 for name in names]
    targets = {(f"memory {case}", name): MEMORY_TARGET for name in names[1:]}
    return pd.DataFrame([
        row(f"memory {case}", name, peak, "MiB", peak / peaks[0], targets)
        for name, peak in zip(names, peaks, strict=True)
    ])  # fmt: skip


def apart(environment: Mapping[str, str], function: Callable[..., float], *arguments: str) -> float:
    """Return function(*arguments), called in a new process."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        os.environ.clear()
        os.environ.update(before)


def peak_of_step_byte(case: str, name: str) -> int:
    torch.set_num_threads(2)
    for small in (nn.Linear(4, 4), nn.Conv2d(4, 4, 3, padding=1)):  # what libraries load
        x = torch.ones(4, 4) if isinstance(small, nn.Linear) else torch.ones(4, 4, 4, 4)
        step(convert(small, NEAREST), x.requires_grad_())()
        step(small, x)()
    before = status_byte("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    model, x = MODELS[case]()
    if name != "fp32":
        model = convert(model, NEAREST if name == "hbfp8_nearest" else name)
    work = step(model, x)
    for _ in range(3):
        work()
    return status_byte("VmHWM") - before


def status_byte(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def rounding(size: int) -> dict[str, Work]:
    x = torch.randn(size, size)
    generator = torch.Generator().manual_seed(0)
    nearest, stochastic = BlockFloat(), BlockFloat(rounding="stochastic")
    return {
        "clone": x.clone,
        "nearest": lambda: quantize(x, nearest),
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


def linear() -> Case:
    return nn.Linear(1024, 1024), torch.randn(256, 1024, requires_grad=True)


def convolution() -> Case:
    return nn.Conv2d(64, 64, 3, padding=1), torch.randn(32, 64, 32, 32, requires_grad=True)


class Block(nn.Module):
    """Two convolutions around which the input is added, subsampled as in He et al., 2016."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = outputs // inputs
        self.added = outputs - inputs
        self.stride = stride
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, 0, self.added))
        return torch.relu(self.layers(x) + shortcut)


def resnet20() -> Case:
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [Block(*pair) for pair in zip(widths, widths[1:], strict=False)]
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    return model, torch.randn(64, 3, 32, 32)


MODELS: dict[str, Callable[[], Case]] = {
    "Linear 1024, batch 256": linear,
    "Conv2d 64, 32x64x32x32": convolution,
    "ResNet-20, batch 64": resnet20,
}


def steps(case: Case) -> dict[str, Work]:
    model, x = case
    models = {
        "fp32": model,
        "hbfp8_nearest": convert(model, NEAREST),
        "hbfp8_16": convert(model, "hbfp8_16"),
    }
    works = {name: step(trained, x) for name, trained in models.items()}
    works["operands copied"] = copying(works["hbfp8_nearest"])
    if x.ndim == 4:
        last = torch.channels_last
        images = x.detach().to(memory_format=last).requires_grad_(x.requires_grad)
        works["fp32, channels last"] = step(deepcopy(model).to(memory_format=last), images)
    return works


def copying(work: Work) -> Work:
    """Return `work` with its operands copied instead of rounded: what any rounding has to take."""

    def copy(
        x: torch.Tensor, _format: object, _generator: object, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        return x.clone() if out is None else out.copy_(x)

    def copied() -> None:
        with patch.object(operands, "encode", copy):
            work()

    return copied


def step(model: nn.Module, x: torch.Tensor) -> Work:
    """Return a forward and a backward pass, whose gradients are new, as after zero_grad."""

    def work() -> None:
        model.zero_grad()
        x.grad = None
        model(x).square().sum().backward()

    return work


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
