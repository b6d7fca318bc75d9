"""Densely connected networks."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinox.training.models import Dropout, ImageModel, Shape, scale_convolutions

STEM_CHANNELS = 16


class DenseLayer(nn.Module):
    """Norm, ReLU, 3x3 convolution and dropout; the outputs are appended to the inputs."""

    def __init__(self, inputs: int, growth: int, dropout: Dropout) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, growth, 3, padding=1, bias=False)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with `growth` channels more."""
        return torch.cat([x, self.dropout(self.conv(functional.relu(self.norm(x))))], dim=1)


class Transition(nn.Module):
    """Norm, ReLU, 1x1 convolution, dropout and 2x2 average pooling."""

    def __init__(self, channels: int, dropout: Dropout) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with half the height and width."""
        y = self.dropout(self.conv(functional.relu(self.norm(x))))
        return functional.avg_pool2d(y, 2)


class DenseNet(ImageModel):
    """DenseNet-`depth` without bottlenecks: three blocks of (`depth` - 4) / 3 layers.

    Each layer adds `width` channels (the growth rate k): DenseNet-40 (k = 12) is depth 40 and
    width 12. A stem of stride 2 makes a step about three times cheaper than the published stride 1.

    Raises:
        ValueError: `depth` - 4 is not a multiple of 3.

    Source: Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, section 4.
    """

    def __init__(
        self,
        *,
        shape: Shape,
        classes: int,
        width: int,
        depth: int,
        generator: torch.Generator,
        stem_stride: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(shape=shape, classes=classes, width=width)
        if depth < 7 or (depth - 4) % 3:
            raise ValueError(f"depth of a densenet is {depth}; make it 3 n + 4, as 13 or 40")
        drop = Dropout(dropout, generator)
        layers: list[nn.Module] = []
        channels = STEM_CHANNELS
        for block in range(3):
            if block > 0:
                layers.append(Transition(channels, drop))
            for _ in range((depth - 4) // 3):
                layers.append(DenseLayer(channels, width, drop))
                channels += width
        self.stem = nn.Conv2d(shape[0], STEM_CHANNELS, 3, stride=stem_stride, padding=1, bias=False)
        self.layers = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, classes)
        scale_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of classes."""
        x = functional.relu(self.norm(self.layers(self.stem(images))))
        scores: Tensor = self.head(x.mean(dim=(2, 3)))
        return scores
