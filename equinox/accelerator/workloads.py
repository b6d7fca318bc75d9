"""DNNs as the matrix products that they ask for; one file of config/workloads each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, final

from annotated_types import MinLen
from pydantic import ConfigDict

from equinox.config.checks import STRICT, Count, Name, NonNegative
from equinox.config.records import check_record
from equinox.encodings.formats import get_encoding
from equinox.yaml_files import read_yaml

WORKLOADS = Path(__file__).parents[2] / "config" / "workloads"


@final
@dataclass(frozen=True, kw_only=True)
class Layer:
    """`repeat` products of a batch of requests: (batch m_per_request) x k by k x n.

    Without weights, both operands are activations, as in attention: each request has `repeat`
    products of its own, m_per_request x k by k x n.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    k: Count
    n: Count
    m_per_request: Count = 1
    repeat: Count = 1
    recurrent: bool = False  # each repetition waits for the one before, and has its weights
    has_weights: bool = True
    simd_op_per_output: NonNegative = 0

    @property
    def weights(self) -> int:
        """Weights of all repetitions; recurrent ones share theirs."""
        return self.k * self.n * (1 if self.recurrent else self.repeat) * self.has_weights

    @property
    def op_per_request(self) -> int:
        """Operations of the products; a multiply-accumulate is two."""
        return 2 * self.m_per_request * self.k * self.n * self.repeat

    def sizes(self, batch: Any) -> tuple[Any, Any]:
        """Return m of each product, and how many products there are, for a batch of requests."""
        if self.has_weights:
            return batch * self.m_per_request, self.repeat
        return self.m_per_request, batch * self.repeat


@final
@dataclass(frozen=True, kw_only=True)
class TrainingProduct:
    """`repeat` products of m x k by k x n of one training step, on one batch.

    `dram_byte` and `simd_op` are of one of them. `dependent` ones wait for the result of the one
    before. A product may be split into parts of its m: the parts move their share of the bytes.
    """

    name: str
    m: int
    k: int
    n: int
    repeat: int
    dependent: bool
    dram_byte: float
    simd_op: float

    @property
    def op(self) -> int:
        """Operations of all repetitions; a multiply-accumulate is two."""
        return 2 * self.m * self.k * self.n * self.repeat


@final
@dataclass(frozen=True, kw_only=True)
class Workload:
    """One DNN: its layers in order, and where they are from."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    source: Name
    layers: Annotated[tuple[Layer, ...], MinLen(1)]
    update_op_per_weight: NonNegative  # SIMD operations of the optimizer

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(layer.weights for layer in self.layers)

    @property
    def op_per_request(self) -> int:
        """Operations of one request; a multiply-accumulate is two."""
        return sum(layer.op_per_request for layer in self.layers)

    def weight_byte(self, encoding: str) -> float:
        """Bytes of all weights as dot products read them."""
        return self.weights * get_encoding(encoding).w.bits / 8

    def activation_byte_per_request(self, encoding: str) -> float:
        """Bytes of the largest input and output of a layer, for one request."""
        values = max(layer.m_per_request * (layer.k + layer.n) for layer in self.layers)
        return values * get_encoding(encoding).x.bits / 8

    def training(
        self, batch: int, *, encoding: str, resident: bool = False
    ) -> tuple[TrainingProduct, ...]:
        """Return the products of one training step on `batch` samples, in their order.

        A layer without weights has the gradient of its other operand, "backward_other", in place
        of "backward_weights". Per layer: "forward"; in reverse order "backward_data" (the gradient
        of the input; that of the first layer only if it is recurrent) and "backward_weights".
        Repetitions of a recurrent layer are its time steps; their weight gradients are one product
        over all steps.

        Every product reads its operands from DRAM and writes its result; the forward result is
        stashed and read again by backward_data. The weight gradient stays on chip: the update reads
        and writes the wide weights and writes the narrow copy. If `resident`, the narrow weights
        stay in SRAM and do not cross DRAM.
        """
        forward: list[TrainingProduct] = []
        backward: list[TrainingProduct] = []
        for index, layer in enumerate(self.layers):
            make = self._products if layer.has_weights else _activation_products
            weights, data, forward_product = make(layer, batch, encoding, resident)
            forward.append(forward_product)
            backward.append(weights)
            if index or layer.recurrent:
                backward.append(data)
        return (*forward, *reversed(backward))

    def _products(
        self, layer: Layer, batch: int, encoding: str, resident: bool
    ) -> Sequence[TrainingProduct]:
        """Return backward_weights, backward_data and forward of `layer`."""
        formats = get_encoding(encoding)
        rows, k, n = batch * layer.m_per_request, layer.k, layer.n
        x_byte, grad_byte = formats.x.bits / 8, formats.grad.bits / 8
        narrow_byte = 0.0 if resident else formats.w.bits / 8
        simd_op = rows * n * layer.simd_op_per_output
        steps = layer.repeat if layer.recurrent else 1
        weights = TrainingProduct(
            name=f"{layer.name}.backward_weights",
            m=k,
            k=rows * steps,
            n=n,
            repeat=layer.repeat // steps,
            dependent=False,
            dram_byte=rows * steps * (k * x_byte + n * grad_byte)
            + k * n * (2 * formats.storage.bits / 8 + narrow_byte),
            simd_op=k * n * self.update_op_per_weight,
        )
        data = TrainingProduct(
            name=f"{layer.name}.backward_data",
            m=rows,
            k=n,
            n=k,
            repeat=layer.repeat,
            dependent=True,
            dram_byte=k * n * narrow_byte + rows * (n * (grad_byte + x_byte) + k * grad_byte),
            simd_op=simd_op,
        )
        forward = TrainingProduct(
            name=f"{layer.name}.forward",
            m=rows,
            k=k,
            n=n,
            repeat=layer.repeat,
            dependent=True,
            dram_byte=k * n * narrow_byte + rows * (k + n) * x_byte,
            simd_op=simd_op,
        )
        return weights, data, forward


def _activation_products(
    layer: Layer, batch: int, encoding: str, resident: bool
) -> Sequence[TrainingProduct]:
    """Return backward_other, backward_data and forward of `layer`, which has no weights."""
    del resident  # there are no weights
    formats = get_encoding(encoding)
    x_bit, grad_bit = formats.x.bits, formats.grad.bits
    m, repeat = layer.sizes(batch)
    k, n = layer.k, layer.n

    def product(name: str, rows: int, inner: int, outer: int, byte: float) -> TrainingProduct:
        return TrainingProduct(
            name=f"{layer.name}.{name}",
            m=rows,
            k=inner,
            n=outer,
            repeat=repeat,
            dependent=False,
            dram_byte=byte,
            simd_op=rows * outer * layer.simd_op_per_output,
        )

    other_bit = grad_bit * (m * n + k * n) + x_bit * m * k
    data_bit = grad_bit * (m * n + m * k) + x_bit * (k * n + m * n)
    return (
        product("backward_other", k, m, n, other_bit / 8),
        product("backward_data", m, n, k, data_bit / 8),
        product("forward", m, k, n, x_bit * (m * k + k * n + m * n) / 8),
    )


def load_workload(workload: str | Path) -> Workload:
    """Return the workload of this name, config/workloads/<name>.yaml, or of this file.

    Raises:
        ValueError: there is no such file; it has an unknown key, or lacks one such as its source;
            the message has file, line and key.
    """
    path = Path(workload)
    if path.suffix != ".yaml":
        path = WORKLOADS / f"{workload}.yaml"
    if not path.exists():
        known = ", ".join(sorted(found.stem for found in path.parent.glob("*.yaml")))
        raise ValueError(f"no workload {workload}; known are {known}")
    values = read_yaml(path)
    return check_record(Workload, {"name": path.stem, **values}, [path])
