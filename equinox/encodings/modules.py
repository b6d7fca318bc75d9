"""Linear and convolutional layers of PyTorch with encoded operands."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from equinox.encodings import functional
from equinox.encodings.operands import Operands


class EncodedLinear(nn.Linear):
    """A linear layer with encoded operands."""

    operands: Operands

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output (..., outputs) for `x` (..., inputs)."""
        return functional.linear(x, self.weight, self.bias, self.operands)


class EncodedTransposedLinear(nn.Module):
    """A linear layer whose weight is (inputs, outputs), as GPT-2's `Conv1D` of transformers."""

    operands: Operands
    weight: nn.Parameter
    bias: nn.Parameter | None

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output (..., outputs) for `x` (..., inputs)."""
        return functional.linear(x, self.weight.T, self.bias, self.operands)


class _EncodedConv(_ConvNd):
    operands: Operands

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if isinstance(padding, str) or self.padding_mode != "zeros":
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = nn.functional.pad(x, self._reversed_padding_repeated_twice, mode=mode)
            padding = (0,) * len(self.stride)
        unbatched = x.ndim == weight.ndim - 1
        y = functional.convolution(
            x.unsqueeze(0) if unbatched else x, weight, bias, self.operands, groups=self.groups,
            stride=self.stride, padding=padding, dilation=self.dilation,
        )  # fmt: skip
        return y.squeeze(0) if unbatched else y


class EncodedConv1d(_EncodedConv, nn.Conv1d):
    """A convolution over one dimension with encoded operands."""


class EncodedConv2d(_EncodedConv, nn.Conv2d):
    """A convolution over two dimensions with encoded operands."""


class EncodedConv3d(_EncodedConv, nn.Conv3d):
    """A convolution over three dimensions with encoded operands."""


class _EncodedConvTranspose(_ConvTransposeNd):
    operands: Operands

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the layer's output for `x` (batch, channels, ...), or of a single sample."""
        dims = len(self.stride)
        if x.ndim == dims + 1:
            return self.forward(x.unsqueeze(0), output_size).squeeze(0)
        if x.ndim != dims + 2 or isinstance(self.padding, str):
            raise ValueError(f"x has {x.ndim} dims; {type(self).__name__} takes {dims + 2}")
        output_padding = self._output_padding(
            x, output_size, list(self.stride), list(self.padding), list(self.kernel_size), dims,
            list(self.dilation),
        )  # fmt: skip
        return functional.convolution(
            x, self.weight, self.bias, self.operands, groups=self.groups, stride=self.stride,
            padding=self.padding, dilation=self.dilation, transposed=True,
            output_padding=tuple(output_padding),
        )  # fmt: skip


class EncodedConvTranspose1d(_EncodedConvTranspose, nn.ConvTranspose1d):
    """A transposed convolution over one dimension with encoded operands."""


class EncodedConvTranspose2d(_EncodedConvTranspose, nn.ConvTranspose2d):
    """A transposed convolution over two dimensions with encoded operands."""


class EncodedConvTranspose3d(_EncodedConvTranspose, nn.ConvTranspose3d):
    """A transposed convolution over three dimensions with encoded operands."""
