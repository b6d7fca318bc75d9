"""Number formats and encodings as data; adding an encoding is one entry of `ENCODINGS`.

`mantissa_bits` counts the sign everywhere. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, final, get_args

Rounding: TypeAlias = Literal["nearest", "stochastic"]
ExponentRule: TypeAlias = Literal["floor", "ceil"]
Blocks: TypeAlias = Literal["sample", "tile", "reduction"]
#: Height and width of a block of the matrix (dim 0, all other dims). None along an axis is all of
#: it: (1, None) is one exponent per index of dim 0. None alone is the whole tensor.
Tile: TypeAlias = tuple[int | None, int | None] | None

SAMPLE: Tile = (1, None)


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{what} is {value!r}; choose one of {', '.join(choices)}")


def _check_bits(what: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}; it must be an integer from {low} to {high}")


def _check_tile(tile: Tile) -> None:
    if tile is None:
        return
    if not isinstance(tile, tuple) or len(tile) != 2:
        raise ValueError(f"tile is {tile!r}; write (rows, columns), or None")
    for size in tile:
        if size is not None:
            _check_bits("a side of tile", size, 1, 2**31)


def _values_per_block(tile: Tile) -> int | None:
    """Return the values of a block; None where the tensor's shape decides it."""
    if tile is None or tile[0] is None or tile[1] is None:
        return None
    return tile[0] * tile[1]


@final
@dataclass(frozen=True, kw_only=True)
class Float:
    """A floating point number of its own exponent; Float(8, 24 bits) is IEEE single precision.

    The smallest binade is that of the subnormals, as in IEEE 754. What exceeds the largest value
    becomes infinite, or saturates where `finite`. Infinities and NaN stay what they are.
    """

    exponent_bits: int
    #: Sign and fraction; with the implicit leading bit, this is also the number of digits.
    mantissa_bits: int
    rounding: Rounding = "nearest"
    #: The top binade holds numbers, without an infinity (OCP FP8 E4M3: up to 448), and saturates.
    finite: bool = False
    #: Each block is first scaled by the power of two that brings its maximum to the top binade.
    scaled: bool = False
    #: Values that share a scale; of use where `scaled`.
    tile: Tile = None
    #: The last code of a `finite` format is NaN, as in E4M3; the 4-bit E2M1 has none to spare.
    has_nan: bool = True
    #: Bits of a scale's exponent, from which OCP's E8M0 gives one code to NaN, so that it reaches
    #: ±127 and saturates there; None is a scale without bounds.
    scale_bits: int | None = None

    def __post_init__(self) -> None:
        _check_bits("exponent_bits", self.exponent_bits, 2, 8)
        _check_bits("mantissa_bits", self.mantissa_bits, 2, 24)
        _check_choice("rounding", self.rounding, get_args(Rounding))
        _check_tile(self.tile)
        if self.scale_bits is not None:
            _check_bits("scale_bits", self.scale_bits, 2, 8)

    @property
    def bits(self) -> float:
        """Bits of one value with its part of the scale, negligible in an unbounded block."""
        shared = _values_per_block(self.tile)
        scale = (self.scale_bits or 0) / shared if shared else 0
        return self.exponent_bits + self.mantissa_bits + scale

    @property
    def min_scale_exponent(self) -> int:
        """The smallest exponent of a scale; beyond all exponents where it has no bounds."""
        return 1 - (1 << (self.scale_bits or 12) - 1)

    @property
    def max_scale_exponent(self) -> int:
        """The largest exponent of a scale."""
        return -self.min_scale_exponent

    @property
    def is_fp32(self) -> bool:
        """Whether every float32 is representable, so that nothing is rounded."""
        return self.exponent_bits == 8 and self.mantissa_bits == 24

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest value."""
        return (1 << self.exponent_bits - 1) - (0 if self.finite else 1)

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal value."""
        return 2 - (1 << self.exponent_bits - 1)

    @property
    def max_value(self) -> float:
        """The largest finite value."""
        digits = 2**self.mantissa_bits - (2 if self.finite and self.has_nan else 1)
        return float(digits) * 2.0 ** (self.max_exponent - self.mantissa_bits + 1)


@final
@dataclass(frozen=True, kw_only=True)
class BlockFloat:
    """Block floating point: one exponent a block, a signed mantissa a value.

    A block's exponent is e = floor(log2(max |x|)). Values are multiples of the
    step 2**(e - mantissa_bits + 2), within ±(2**(mantissa_bits - 1) - 1) steps.

    Source: Drumond et al., "Training DNNs with Hybrid Block Floating Point", NeurIPS 2018.
    """

    #: Bits of a mantissa, its sign included.
    mantissa_bits: int = 8
    tile: Tile = (24, 24)
    #: "ceil" is the authors' public emulator: e + 1 = ceil(log2(max |x| + 1e-8)) in float32.
    exponent_rule: ExponentRule = "floor"
    rounding: Rounding = "nearest"
    #: Bits of a block's exponent, in two's complement; an exponent out of range saturates.
    exponent_bits: int = 10
    #: The lowest code of the exponent is NaN, as in OCP's E8M0, which reaches from -127 to 127.
    exponent_has_nan: bool = False

    def __post_init__(self) -> None:
        _check_bits("mantissa_bits", self.mantissa_bits, 2, 24)
        _check_bits("exponent_bits", self.exponent_bits, 2, 10)
        _check_choice("exponent_rule", self.exponent_rule, get_args(ExponentRule))
        _check_choice("rounding", self.rounding, get_args(Rounding))
        _check_tile(self.tile)

    @property
    def values_per_block(self) -> int | None:
        """Values that share an exponent; None where the tensor's shape decides it."""
        return _values_per_block(self.tile)

    @property
    def bits(self) -> float:
        """Bits of one value with its part of the exponent, negligible in an unbounded block."""
        return self.mantissa_bits + (
            self.exponent_bits / self.values_per_block if self.values_per_block else 0
        )

    @property
    def min_exponent(self) -> int:
        """The smallest exponent of a block."""
        return -(1 << self.exponent_bits - 1) + self.exponent_has_nan

    @property
    def max_exponent(self) -> int:
        """The largest exponent of a block."""
        return (1 << self.exponent_bits - 1) - 1


@final
@dataclass(frozen=True, kw_only=True)
class Fixed:
    """Signed integers times one scale a tensor, max |x| / (2**(mantissa_bits - 1) - 1)."""

    #: Bits of a value, its sign included.
    mantissa_bits: int = 8
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        _check_bits("mantissa_bits", self.mantissa_bits, 2, 24)
        _check_choice("rounding", self.rounding, get_args(Rounding))

    @property
    def bits(self) -> float:
        """Bits of one value; the scale of the tensor is negligible."""
        return self.mantissa_bits


Format: TypeAlias = Float | BlockFloat | Fixed

FP32 = Float(exponent_bits=8, mantissa_bits=24)
BF16 = Float(exponent_bits=8, mantissa_bits=8)


@final
@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How the operands of a training step's dot products are encoded.

    All else (accumulation, bias, normalization, activation functions, losses, the update) is FP32.
    """

    name: str
    #: Activations.
    x: Format
    #: Weights as dot products read them: the narrow copy.
    w: Format
    #: Gradients of a layer's output, which both products of the backward pass read.
    grad: Format
    #: Weights as the optimizer stores them: the wide copy.
    storage: Format
    #: "sample": activations and gradients share an exponent per sample; "tile": tiles of the matrix
    #: (dim 0, rest) for all operands; "reduction": tiles of the matrix (kept, reduced dimension) of
    #: each operand of each product.
    blocks: Blocks = "tile"

    def __post_init__(self) -> None:
        _check_choice("blocks", self.blocks, get_args(Blocks))

    @property
    def mantissa_bits(self) -> int:
        """Bits of a weight's mantissa in a dot product, sign included."""
        return self.w.mantissa_bits

    @property
    def exponent_bits(self) -> int:
        """Bits of a weight's exponent, shared or not; 0 for fixed point."""
        return 0 if isinstance(self.w, Fixed) else self.w.exponent_bits

    @property
    def tile(self) -> Tile:
        """Blocks of the weights; None where one scale serves the tensor, or none is shared."""
        return None if isinstance(self.w, Fixed) else self.w.tile

    @property
    def shares_exponent(self) -> bool:
        """Whether dot products are integer inside a block, as in block floating and fixed point."""
        return not isinstance(self.w, Float)

    @property
    def bits(self) -> float:
        """Bits per weight in a dot product, its part of the shared exponent included."""
        return self.w.bits

    @property
    def storage_bits(self) -> float:
        """Bits per stored weight, its part of the shared exponent included."""
        return self.storage.bits

    @property
    def storage_rounding(self) -> Rounding:
        """How an updated weight is rounded to its stored value."""
        return self.storage.rounding

    @property
    def is_fp32(self) -> bool:
        """Whether no operand and no stored weight is rounded."""
        return all(
            isinstance(part, Float) and part.is_fp32
            for part in (self.x, self.w, self.grad, self.storage)
        )


@final
@dataclass(frozen=True, kw_only=True)
class _BlockChoices:
    """What tells one block floating point encoding from another; the keys of a derived one."""

    mantissa_bits: int
    tile: Tile = (24, 24)
    storage_bits: int = 16
    # The authors' emulator defaults to stochastic rounding. Gradients need it: with one exponent a
    # sample, those that are small beside the largest vanish all together when they are rounded to
    # nearest (a language model then does not learn). For stored weights the choice decides whether
    # narrow storage harms, so that it is an axis of its own.
    rounding: Rounding = "nearest"
    gradient_rounding: Rounding = "stochastic"
    storage_rounding: Rounding = "nearest"
    blocks: Blocks = "sample"
    exponent_rule: ExponentRule = "floor"
    exponent_bits: int = 10


def _block_encoding(name: str, choices: _BlockChoices) -> Encoding:
    """Return the encoding of these choices; 32 bits of storage are IEEE single precision."""
    _check_choice("storage_rounding", choices.storage_rounding, get_args(Rounding))
    w = BlockFloat(
        mantissa_bits=choices.mantissa_bits,
        tile=choices.tile,
        exponent_rule=choices.exponent_rule,
        rounding=choices.rounding,
        exponent_bits=choices.exponent_bits,
    )
    x = replace(w, tile=SAMPLE) if choices.blocks == "sample" else w
    storage: Format = FP32
    if choices.storage_bits != 32:
        _check_bits("storage_bits", choices.storage_bits, choices.mantissa_bits, 24)
        storage = replace(w, mantissa_bits=choices.storage_bits, rounding=choices.storage_rounding)
    grad = replace(x, rounding=choices.gradient_rounding)
    return Encoding(name=name, x=x, w=w, grad=grad, storage=storage, blocks=choices.blocks)


def _choices_of(encoding: Encoding) -> _BlockChoices:
    w, storage = encoding.w, encoding.storage
    if not isinstance(w, BlockFloat):
        raise ValueError(
            f"encoding {encoding.name} has no blocks; derive from one of block floating point, "
            "for example hbfp8_16"
        )
    return _BlockChoices(
        mantissa_bits=w.mantissa_bits,
        tile=w.tile,
        storage_bits=storage.mantissa_bits if isinstance(storage, BlockFloat) else 32,
        rounding=w.rounding,
        gradient_rounding=encoding.grad.rounding,
        storage_rounding=storage.rounding,
        blocks=encoding.blocks,
        exponent_rule=w.exponent_rule,
        exponent_bits=w.exponent_bits,
    )


def _plain(name: str, operand: Format, grad: Format | None = None) -> Encoding:
    """Return an encoding without blocks whose weights are stored in FP32."""
    return Encoding(name=name, x=operand, w=operand, grad=grad or operand, storage=FP32)


def _microscaled(name: str, operand: Format) -> Encoding:
    """Return an encoding of OCP MX, whose blocks lie along the reduced dimension.

    Source: Open Compute Project, "OCP Microscaling Formats (MX) Specification", v1.0, 2023.
    """
    return replace(_plain(name, operand), blocks="reduction")


#: Blocks of OCP MX: 32 values of a row.
_MX: Tile = (1, 32)
_E4M3 = Float(exponent_bits=4, mantissa_bits=4, finite=True, scaled=True)
_E5M2 = Float(exponent_bits=5, mantissa_bits=3, scaled=True)

ENCODINGS: Mapping[str, Encoding] = {
    encoding.name: encoding
    for encoding in (
        _plain("fp32", FP32),
        _plain("bf16", BF16),
        _block_encoding("hbfp12_16", _BlockChoices(mantissa_bits=12)),
        _block_encoding("hbfp8_16", _BlockChoices(mantissa_bits=8)),
        _block_encoding("hbfp6_16", _BlockChoices(mantissa_bits=6)),
        _block_encoding("hbfp4_16", _BlockChoices(mantissa_bits=4)),
        _block_encoding("hbfp8_8", _BlockChoices(mantissa_bits=8, storage_bits=8)),
        # The plain baseline: no tiles, one exponent a tensor, and no wide storage of weights.
        _block_encoding(
            "bfp8", _BlockChoices(mantissa_bits=8, storage_bits=8, tile=None, blocks="tile")
        ),
        _plain("int8", Fixed(mantissa_bits=8)),
        # OCP 8-bit floating point: E4M3 forward, E5M2 for gradients.
        _plain("fp8_e4m3", _E4M3, _E5M2),
        # INT8 of OCP MX counts in steps of 2**-6, and its code -128 may stay unused (5.3.4): it is
        # block floating point with a scale of E8M0.
        _microscaled(
            "mxint8",
            BlockFloat(mantissa_bits=8, tile=_MX, exponent_bits=8, exponent_has_nan=True),
        ),
        _microscaled("mxfp8_e4m3", replace(_E4M3, tile=_MX, scale_bits=8)),
        _microscaled(
            "mxfp4",
            Float(
                exponent_bits=2,
                mantissa_bits=2,
                finite=True,
                has_nan=False,
                scaled=True,
                tile=_MX,
                scale_bits=8,
            ),
        ),
    )
}


def derive_encoding(name: str, *, base: str, overrides: Mapping[str, object]) -> Encoding:
    """Return the block floating point encoding `base` with some choices changed.

    `overrides` may set mantissa_bits, tile ([rows, columns], or None for one exponent a tensor),
    storage_bits (32 is IEEE single precision), rounding (of activations and weights),
    gradient_rounding, storage_rounding, blocks, exponent_rule and exponent_bits.

    Raises:
        ValueError: `base` is unknown or has no blocks; a key is unknown or its value not allowed.
    """
    known = [field.name for field in fields(_BlockChoices)]
    for key in overrides:
        if key not in known:
            raise ValueError(f"encoding {name}: no choice {key!r}; known are {', '.join(known)}")
    values = dict(overrides)
    tile = values.get("tile")
    if isinstance(tile, list):
        values["tile"] = tuple(tile)
    try:
        return _block_encoding(name, replace(_choices_of(get_encoding(base)), **values))  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"encoding {name}: {error}") from error


def get_encoding(
    name: str, extra: Mapping[str, Mapping[str, object] | Encoding] | None = None
) -> Encoding:
    """Return the encoding called `name`, of `extra` or of `ENCODINGS`.

    An entry of `extra` is an Encoding, or a mapping {base: NAME, KEY: VALUE, ...} as
    `derive_encoding` takes it.

    Raises:
        ValueError: no encoding has this name, or its entry of `extra` is wrong.
    """
    found = (extra or {}).get(name, ENCODINGS.get(name))
    if isinstance(found, Encoding):
        return found
    if found is None:
        known = ", ".join([*ENCODINGS, *(extra or {})])
        raise ValueError(f"no encoding {name!r}; known are {known}")
    overrides = dict(found)
    base = overrides.pop("base", None)
    if not isinstance(base, str):
        raise ValueError(f"encoding {name} has no base; name one of {', '.join(ENCODINGS)}")
    return derive_encoding(name, base=base, overrides=overrides)
