"""Residual networks of bottlenecks for images of 32 x 32 pixels."""

from torch import Tensor, nn
from torch.nn import functional

from equinox.training.models import ImageModel, Shape, scale_convolutions

EXPANSION = 4  # outputs of a bottleneck, as a multiple of its width


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 and 1x1 beside a shortcut, which is a 1x1 one where shapes differ.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of the block."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm3(self.conv3(functional.relu(self.norm2(self.conv2(y)))))
        return functional.relu(y + self.shortcut(x))


class CifarResNet(ImageModel):
    """Three stages of (`depth` - 2) / 6 bottlenecks of `width`, 2 and 4 `width` channels.

    The name ResNet-50 that the authors give to depth 50 and width 16 counts two convolutions a
    block, as in blocks without a bottleneck; with three it has 74 layers. It is not the ResNet-50
    of ImageNet.

    Raises:
        ValueError: `depth` - 2 is not a multiple of 6.

    Source: the authors' public emulator; stages as in He et al., CVPR 2016, section 4.2.
    """

    def __init__(self, *, shape: Shape, classes: int, width: int, depth: int) -> None:
        super().__init__(shape=shape, classes=classes, width=width)
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth of a cifar_resnet is {depth}; make it 6 n + 2, as 8 or 50")
        blocks, channels = [], width
        for stage in range(3):
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(Bottleneck(channels, width << stage, stride))
                channels = EXPANSION * (width << stage)
        self.stem = nn.Conv2d(shape[0], width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, classes)
        scale_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of classes."""
        x = self.blocks(functional.relu(self.norm(self.stem(images))))
        scores: Tensor = self.head(x.mean(dim=(2, 3)))
        return scores
