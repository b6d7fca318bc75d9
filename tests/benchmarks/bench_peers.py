"""Time Equinox beside its peers: `python -m tests.benchmarks.bench_peers [--emulator PATH]`.

All runs are in this one process, in turn; medians are given as multiples of a baseline of PyTorch.
Peers from the package index take part where they are installed (qtorch, which compiles itself when
it is imported, torchao, brevitas), the authors' emulator from a local checkout of
parsa-epfl/HBFPEmulator; those that do not are listed with the reason.
"""

import argparse
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from equinox.encodings import BlockFloat, convert, quantize
from tests.benchmarks.bench_encodings import NEAREST, Work, compare

#: By name of a work.
Works = dict[str, Work]

SIDE = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emulator", type=Path, help="a checkout of parsa-epfl/HBFPEmulator")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    x, batch = torch.randn(SIDE, SIDE), torch.randn(256, 1024, requires_grad=True)
    rounding, training, absent = ours(x), linear_steps(batch), {}
    for peer, (of_rounding, of_training) in peers(arguments.emulator).items():
        try:
            rounding |= of_rounding(x)
            training |= of_training(batch)
        except Exception as error:  # whatever keeps a peer from running is told, not raised
            absent[peer] = f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"
    tables = [
        compare(f"round {SIDE}x{SIDE}", {"clone": x.clone} | rounding, arguments.repeats),
        compare("Linear 1024, batch 256, a step", training, 2 * arguments.repeats),
    ]
    print(pd.concat(tables).to_string(index=False, float_format="%.2f"))
    print(f"{processor()}, {arguments.threads} threads; {', '.join(versions())}")
    for peer, reason in absent.items():
        print(f"{peer} takes no part: {reason}")


def ours(x: Tensor) -> Works:
    generator = torch.Generator().manual_seed(0)
    stochastic = BlockFloat(rounding="stochastic")
    return {
        "equinox nearest, 24x24": lambda: quantize(x, BlockFloat()),
        "equinox stochastic, 24x24": lambda: quantize(x, stochastic, generator=generator),
    }


def linear_steps(x: Tensor) -> Works:
    native = nn.Linear(1024, 1024)
    return {
        "FP32": step(native, x),
        "equinox hbfp8, nearest": step(convert(native, NEAREST), x),
        "equinox hbfp8_16": step(convert(native, "hbfp8_16"), x),
    }


def step(model: nn.Module | Callable[[Tensor], Tensor], x: Tensor) -> Work:
    return lambda: model(x).sum().backward()


def peers(emulator: Path | None) -> Mapping[str, tuple[Callable[[Tensor], Works], ...]]:
    """Return, for each peer, its works of rounding and of training."""

    def nothing(_: Tensor) -> Works:
        return {}

    return {
        "emulator": (lambda x: emulated(x, emulator), emulated_step),
        "qtorch": (qtorch, qtorch_step),
        "torchao": (torchao, nothing),
        "brevitas": (brevitas, brevitas_step),
    }


def emulated(x: Tensor, path: Path | None) -> Works:
    if path is None:
        raise ValueError("not given; name a checkout by --emulator")
    if not (path / "bfp" / "bfp_ops.py").is_file():
        raise ValueError(f"{path} has no bfp/bfp_ops.py; name a checkout of the emulator")
    sys.path.insert(0, str(path))
    from bfp.bfp_ops import float_to_bfp_tiled

    def work(mode: str) -> Work:
        return lambda: float_to_bfp_tiled(
            x, mant_bits=7, epsilon=1e-8, rounding_mode=mode, device="cpu", bfp_tile_size=24,
            num_format="bfp",
        )  # fmt: skip

    return {"emulator nearest, 24x24": work("determ"), "emulator stochastic, 24x24": work("stoc")}


def emulated_step(x: Tensor) -> Works:
    from bfp.bfp_ops import BFPLinear

    layer = BFPLinear(
        1024, 1024, num_format="bfp", mant_bits=7, weight_mant_bits=15, bfp_tile_size=24,
        rounding_mode="determ",
    )  # fmt: skip
    return {"emulator, nearest": step(layer, x)}


def qtorch(x: Tensor) -> Works:
    from qtorch.quant import block_quantize

    def work(rounding: str) -> Work:
        return lambda: block_quantize(x, wl=8, dim=0, rounding=rounding)

    return {"qtorch nearest, rows": work("nearest"), "qtorch stochastic, rows": work("stochastic")}


def qtorch_step(x: Tensor) -> Works:
    from qtorch import BlockFloatingPoint
    from qtorch.quant import block_quantize, quantizer

    layer = nn.Linear(1024, 1024)
    number = BlockFloatingPoint(wl=8, dim=0)
    of_grad = quantizer(backward_number=number, backward_rounding="nearest")

    def forward(rows: Tensor) -> Tensor:
        a, w = (block_quantize(t, wl=8, dim=0, rounding="nearest") for t in (rows, layer.weight))
        return of_grad(nn.functional.linear(a, w, layer.bias))

    return {"qtorch, nearest": step(forward, x)}


def torchao(x: Tensor) -> Works:
    from torchao.prototype.mx_formats.mx_tensor import MXTensor

    def work() -> Tensor:
        return MXTensor.to_mx(x, torch.float8_e4m3fn, 32).dequantize(torch.float32)

    return {"torchao nearest, MXFP8": work}


def brevitas(x: Tensor) -> Works:
    layer = _brevitas_layers()[0]
    return {"brevitas nearest, 8 bits, a scale a tensor": lambda: layer(x)}


def brevitas_step(x: Tensor) -> Works:
    return {"brevitas, 8 bits forward": step(_brevitas_layers()[1], x)}


def _brevitas_layers() -> tuple[nn.Module, nn.Module]:
    import brevitas.nn as layers
    from brevitas.quant import Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint

    # In evaluation, since it measures the range of activations while it trains.
    identity = layers.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint).eval()
    linear = layers.QuantLinear(
        1024, 1024, weight_quant=Int8WeightPerTensorFixedPoint,
        input_quant=Int8ActPerTensorFixedPoint,
    )  # fmt: skip
    return identity, linear


def versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for package in ("torch", "numba", "qtorch", "torchao", "brevitas"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    return found


def processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
