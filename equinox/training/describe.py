"""What the accuracy table says of an encoding."""

from equinox.encodings.formats import BlockFloat, Encoding, Fixed, Float


def describe_encoding(encoding: Encoding) -> dict[str, int | str]:
    """Return the columns of table `accuracy` that describe `encoding`, by name."""
    return {
        "mantissa_bits": encoding.mantissa_bits,
        "exponent_bits": encoding.exponent_bits,
        "tile": _tile(encoding),
        "blocks": _blocks(encoding),
        "storage_bits": encoding.storage.mantissa_bits,
        "gradient_rounding": encoding.grad.rounding,
        "storage_rounding": encoding.storage_rounding,
    }


def _tile(encoding: Encoding) -> str:
    """Return the weights that share an exponent."""
    match encoding.w:
        case Float(tile=None):
            return "value"
        case Fixed() | BlockFloat(tile=None):
            return "tensor"
        case BlockFloat(tile=(rows, columns)) | Float(tile=(rows, columns)):
            return f"{rows or 'all'}x{columns or 'all'}"
    raise ValueError(f"encoding {encoding.name}: {encoding.w!r} has no name for its tile")


def _blocks(encoding: Encoding) -> str:
    """Return the activations that share an exponent."""
    tile = _tile(encoding)
    if tile == "value" or (tile == "tensor" and encoding.blocks != "sample"):
        return tile
    return encoding.blocks
