"""Images in the order of memory in which the CPU's convolutions are fastest: channels last.

A rounded operand is a copy, so that another order of its values costs nothing; results are turned
back, so that a network sees the order that it has without encodings.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinox.encodings.rounding import compiled_or

_HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def is_faster_channels_last(x: Tensor, weight: Tensor) -> bool:
    """Whether to convolve images `x` (batch, channels, height, width) with their channels last.

    Measured with oneDNN, 3 to 2048 channels and 4x4 to 112x112 positions: the step of a layer took
    0.3 to 0.9 of the time, but more where an image has fewer values than half the weights.
    """
    if x.dtype is not torch.float32 or x.ndim != 4 or not x.is_cpu or not x.is_contiguous():
        return False
    batch, channels, height, width = x.shape
    is_order_free = channels == 1 or height * width == 1
    is_large = batch > 0 and 2 * x.numel() >= batch * weight.numel()
    return _HAS_ONEDNN and is_large and not is_order_free


def pads_beyond_kernel(weight: Tensor, padding: tuple[int, ...], dilation: tuple[int, ...]) -> bool:
    """Whether a kernel may read padding alone, which oneDNN may not survive with channels last.

    Seen in PyTorch 2.13: segmentation faults of nn.Conv2d itself, with strides and narrow images.
    """
    sides = zip(weight.shape[2:], padding, dilation, strict=True)
    return any(pad > gap * (taps - 1) for taps, pad, gap in sides)


def channels_last(images: Tensor, out: Tensor | None) -> Tensor:
    """Return `images` with their channels last, in `out` where they are not so already."""
    if images.is_contiguous(memory_format=torch.channels_last):
        return images
    if out is None:
        out = torch.empty_like(images, memory_format=torch.channels_last)
    return _turn_images(images.contiguous(), out)


def in_usual_order(images: Tensor) -> Tensor:
    """Return `images` contiguous, in other memory if their channels are last."""
    if images.is_contiguous() or not images.is_contiguous(memory_format=torch.channels_last):
        return images.contiguous()
    rows = images.permute(0, 2, 3, 1).flatten(1, 2)
    return _turn_images(rows, torch.empty(images.shape, dtype=images.dtype, device="cpu"))


def _turn_images(images: Tensor, out: Tensor) -> Tensor:
    """See `fast.turn_images`."""
    turned: Tensor = compiled_or("turn_images", _turn_by_copy)(images, out)
    return turned


def _turn_by_copy(images: Tensor, out: Tensor) -> Tensor:
    matrices = images.flatten(2).mT
    _, rows, columns = matrices.shape
    out.as_strided(matrices.shape, (rows * columns, columns, 1)).copy_(matrices)
    return out
