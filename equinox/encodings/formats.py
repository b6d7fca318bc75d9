"""Encodings as data: a number format for each role; adding one is an entry of `ENCODINGS`.

Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, final, get_args

from equinox.encodings.number_formats import (
    BF16,
    FP32,
    SAMPLE,
    BlockFloat,
    Blocks,
    ExponentRule,
    Fixed,
    Float,
    Format,
    Rounding,
    Tile,
    check_bits,
    check_choice,
)

__all__ = [
    "BF16",
    "ENCODINGS",
    "FP32",
    "SAMPLE",
    "BlockFloat",
    "Blocks",
    "Encoding",
    "ExponentRule",
    "Fixed",
    "Float",
    "Format",
    "Rounding",
    "Tile",
    "derive_encoding",
    "get_encoding",
]


#: Fields of an Encoding that are formats.
Role: TypeAlias = Literal["x", "w", "grad", "storage", "x_backward", "w_backward"]


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
    #: Activations as the backward pass reads them, for the gradient of a weight; None: as forward.
    x_backward: Format | None = None
    #: Weights as the backward pass reads them, for the gradient of x; None: as forward.
    w_backward: Format | None = None

    def __post_init__(self) -> None:
        check_choice("blocks", self.blocks, get_args(Blocks))
        for role in _ROLES:
            if not isinstance(self.format_of(role), Format):
                raise ValueError(f"{role} is {self.format_of(role)!r}; it must be a number format")

    def format_of(self, role: Role) -> Format:
        """Return the format of a role; in the backward pass that of the forward one by default."""
        match role:
            case "x_backward":
                return self.x_backward or self.x
            case "w_backward":
                return self.w_backward or self.w
            case _:
                found: Format = getattr(self, role)
                return found

    @property
    def operands(self) -> tuple[Format, ...]:
        """Formats of the operands of all products, forward and backward."""
        return (
            *(self.x, self.w, self.grad),
            *(self.format_of("x_backward"), self.format_of("w_backward")),
        )

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
            isinstance(part, Float) and part.is_fp32 for part in (*self.operands, self.storage)
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
    exponent_has_nan: bool = False


def _block_encoding(name: str, choices: _BlockChoices) -> Encoding:
    """Return the encoding of these choices; 32 bits of storage are IEEE single precision."""
    check_choice("storage_rounding", choices.storage_rounding, get_args(Rounding))
    w = BlockFloat(
        mantissa_bits=choices.mantissa_bits,
        tile=choices.tile,
        exponent_rule=choices.exponent_rule,
        rounding=choices.rounding,
        exponent_bits=choices.exponent_bits,
        exponent_has_nan=choices.exponent_has_nan,
    )
    x = replace(w, tile=SAMPLE) if choices.blocks == "sample" else w
    storage: Format = FP32
    if choices.storage_bits != 32:
        check_bits("storage_bits", choices.storage_bits, choices.mantissa_bits, 24)
        storage = replace(w, mantissa_bits=choices.storage_bits, rounding=choices.storage_rounding)
    grad = replace(x, rounding=choices.gradient_rounding)
    return Encoding(name=name, x=x, w=w, grad=grad, storage=storage, blocks=choices.blocks)


def _choices_of(encoding: Encoding, name: str) -> _BlockChoices:
    w, storage = encoding.w, encoding.storage
    if not isinstance(w, BlockFloat):
        raise ValueError(
            f"encoding {name} has no blocks; derive from one of block floating point, "
            "for example hbfp8_16, or set its roles one by one"
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
        exponent_has_nan=w.exponent_has_nan,
    )


def _derive_float(encoding: Encoding, name: str, overrides: Mapping[str, object]) -> Encoding:
    """Return `encoding`, whose operands are floating point, with some of their fields changed."""
    changes = dict(overrides)
    rounding = changes.pop("gradient_rounding", changes.get("rounding"))
    of_grad = changes if rounding is None else {**changes, "rounding": rounding}
    return replace(
        encoding,
        name=name,
        x=replace(encoding.x, **changes),  # type: ignore[arg-type]
        w=replace(encoding.w, **changes),  # type: ignore[arg-type]
        grad=replace(encoding.grad, **of_grad),  # type: ignore[arg-type]
    )


def _plain(name: str, operand: Format, grad: Format | None = None) -> Encoding:
    """Return an encoding without blocks whose weights are stored in FP32."""
    return Encoding(name=name, x=operand, w=operand, grad=grad or operand, storage=FP32)


def _microscaled(name: str, operand: Format) -> Encoding:
    """Return an encoding of OCP MX, whose blocks lie along the reduced dimension.

    Source: Open Compute Project, "OCP Microscaling Formats (MX) Specification", v1.0, 2023.
    """
    return replace(_plain(name, operand), blocks="reduction")


#: In this order: a format of the backward pass starts from that of the forward one.
_ROLES: tuple[Role, ...] = get_args(Role)
_FLOAT_CHOICES = (
    *("exponent_bits", "mantissa_bits", "finite", "scaled", "rounding", "gradient_rounding"),
)

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
    """Return the encoding `base` with some choices changed.

    Of one in floating point, `overrides` may set exponent_bits, mantissa_bits, finite, scaled,
    rounding and gradient_rounding. Of one in block floating point, it may set mantissa_bits, tile
    ([rows, columns], or None for one exponent a tensor), storage_bits (32 is IEEE single
    precision), rounding (of activations and weights), gradient_rounding, storage_rounding, blocks,
    exponent_rule, exponent_bits and exponent_has_nan (the lowest exponent is taken by NaN).

    Of any, it may set a role, after that: x, w, grad, storage, x_backward or w_backward is the name
    of an encoding whose format of this role is taken, or a mapping of fields of the format to their
    values, in which `base` may name such an encoding. What the backward pass reads is by default
    what the forward pass reads, and starts from that.

    Raises:
        ValueError: `base` is unknown, or has no blocks to change; a key is unknown or its value not
            allowed.
    """
    choices = {key: _as_tile(key, value) for key, value in overrides.items() if key not in _ROLES}
    parent = get_encoding(base)
    is_float = isinstance(parent.w, Float)
    known = _FLOAT_CHOICES if is_float else [field.name for field in fields(_BlockChoices)]
    for key in choices:
        if key not in known:
            known_keys = ", ".join([*known, *_ROLES])
            raise ValueError(f"encoding {name}: no choice {key!r}; known are {known_keys}")
    try:
        encoding = replace(parent, name=name)
        if choices and is_float:
            encoding = _derive_float(parent, name, choices)
        elif choices:
            encoding = _block_encoding(name, replace(_choices_of(parent, base), **choices))  # type: ignore[arg-type]
        for role in _ROLES:
            if role in overrides:
                found = _format_of_role(role, encoding.format_of(role), overrides[role])
                encoding = replace(encoding, **{role: found})  # type: ignore[arg-type]
        return encoding
    except ValueError as error:
        raise ValueError(f"encoding {name}: {error}") from error


def _format_of_role(role: Role, number_format: Format, choice: object) -> Format:
    """Return the format that `choice` makes of that of a role."""
    if not isinstance(choice, (str, Mapping)):
        raise ValueError(f"{role} is {choice!r}; name an encoding, or map fields to values")
    changes = {"base": choice} if isinstance(choice, str) else dict(choice)
    base = changes.pop("base", None)
    if base is not None:
        number_format = get_encoding(str(base)).format_of(role)
    known = [field.name for field in fields(number_format)]
    for key in changes:
        if key not in known:
            kind = type(number_format).__name__
            raise ValueError(f"{role}: no field {key!r} of {kind}; known are {', '.join(known)}")
    try:
        return replace(number_format, **{k: _as_tile(k, v) for k, v in changes.items()})  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"{role}: {error}") from error


def _as_tile(key: str, value: object) -> object:
    return tuple(value) if key == "tile" and isinstance(value, list) else value


def get_encoding(
    name: str | Encoding, extra: Mapping[str, Mapping[str, object] | Encoding] | None = None
) -> Encoding:
    """Return the encoding called `name`, of `extra` or of `ENCODINGS`; of an Encoding, itself.

    An entry of `extra` is an Encoding, or a mapping {base: NAME, KEY: VALUE, ...} as
    `derive_encoding` takes it.

    Raises:
        ValueError: no encoding has this name, or its entry of `extra` is wrong.
    """
    if isinstance(name, Encoding):
        return name
    if not isinstance(name, str):
        raise ValueError(f"an encoding is {name!r}; give an Encoding, or a name of ENCODINGS")
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
