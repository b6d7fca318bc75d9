"""Number formats as data: floating point, block floating point and fixed point.

`mantissa_bits` counts the sign everywhere. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, final, get_args

Rounding: TypeAlias = Literal["nearest", "stochastic"]
ExponentRule: TypeAlias = Literal["floor", "ceil"]
Blocks: TypeAlias = Literal["sample", "tile", "reduction"]
#: Height and width of a block of the matrix (dim 0, all other dims). None along an axis is all of
#: it: (1, None) is one exponent per index of dim 0. None alone is the whole tensor.
Tile: TypeAlias = tuple[int | None, int | None] | None

SAMPLE: Tile = (1, None)


def check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{what} is {value!r}; choose one of {', '.join(choices)}")


def check_bits(what: str, value: object, low: int, high: int) -> None:
    """Raise ValueError unless `value` is an integer from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{what} is {value!r}; it must be an integer from {low} to {high}")


def check_flag(what: str, value: object) -> None:
    """Raise ValueError unless `value` is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} is {value!r}; it must be true or false")


def _check_tile(tile: Tile) -> None:
    if tile is None:
        return
    if not isinstance(tile, tuple) or len(tile) != 2:
        raise ValueError(f"tile is {tile!r}; write (rows, columns), or None")
    for size in tile:
        if size is not None:
            check_bits("a side of tile", size, 1, 2**31)


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
        check_bits("exponent_bits", self.exponent_bits, 2, 8)
        check_bits("mantissa_bits", self.mantissa_bits, 2, 24)
        check_choice("rounding", self.rounding, get_args(Rounding))
        _check_tile(self.tile)
        for flag in ("finite", "scaled", "has_nan"):
            check_flag(flag, getattr(self, flag))
        if self.scale_bits is not None:
            check_bits("scale_bits", self.scale_bits, 2, 8)

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
        check_bits("mantissa_bits", self.mantissa_bits, 2, 24)
        check_bits("exponent_bits", self.exponent_bits, 2, 10)
        check_choice("exponent_rule", self.exponent_rule, get_args(ExponentRule))
        check_flag("exponent_has_nan", self.exponent_has_nan)
        check_choice("rounding", self.rounding, get_args(Rounding))
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
        check_bits("mantissa_bits", self.mantissa_bits, 2, 24)
        check_choice("rounding", self.rounding, get_args(Rounding))

    @property
    def bits(self) -> float:
        """Bits of one value; the scale of the tensor is negligible."""
        return self.mantissa_bits


Format: TypeAlias = Float | BlockFloat | Fixed

FP32 = Float(exponent_bits=8, mantissa_bits=24)
BF16 = Float(exponent_bits=8, mantissa_bits=8)
