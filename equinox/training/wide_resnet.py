"""Wide residual networks."""

from torch import Tensor, nn
from torch.nn import functional

from equinox.training.models import ImageModel, Shape, scale_convolutions

STEM_CHANNELS = 16


class PreactivatedBlock(nn.Module):
    """Norm, ReLU and 3x3 convolution, twice, beside a shortcut (a 1x1 convolution if need be)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut: nn.Conv2d | None = None
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of the block."""
        activated = functional.relu(self.norm1(x))
        y: Tensor = self.conv2(functional.relu(self.norm2(self.conv1(activated))))
        return y + (x if self.shortcut is None else self.shortcut(activated))


class WideResNet(ImageModel):
    """WRN-`depth`-k: three groups of (`depth` - 4) / 6 blocks with `width` channels and more.

    The first group has `width` = 16 k channels, the others two and four times as many: WRN-28-10 is
    depth 28 and width 160. A stem of stride 2 makes a step about three times cheaper than the
    published stride 1.

    Raises:
        ValueError: `depth` - 4 is not a multiple of 6.

    Source: Zagoruyko, Komodakis, "Wide Residual Networks", BMVC 2016, table 1.
    """

    def __init__(
        self, *, shape: Shape, classes: int, width: int, depth: int, stem_stride: int = 1
    ) -> None:
        super().__init__(shape=shape, classes=classes, width=width)
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth of a wide_resnet is {depth}; make it 6 n + 4, as 10, 16 or 28")
        blocks, channels = [], STEM_CHANNELS
        for group in range(3):
            outputs = width << group
            for index in range((depth - 4) // 6):
                stride = 2 if group > 0 and index == 0 else 1
                blocks.append(PreactivatedBlock(channels, outputs, stride))
                channels = outputs
        self.stem = nn.Conv2d(shape[0], STEM_CHANNELS, 3, stride=stem_stride, padding=1, bias=False)
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, classes)
        scale_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of classes."""
        x = functional.relu(self.norm(self.blocks(self.stem(images))))
        scores: Tensor = self.head(x.mean(dim=(2, 3)))
        return scores
