"""Small networks, and what all networks share."""

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinox.encodings.random_bits import draw_key, uniform

State: TypeAlias = tuple[Tensor, Tensor]
Shape: TypeAlias = tuple[int, int, int]  # channels, height and width of an image


class ImageModel(nn.Module):
    """A network from images (batch, *shape) to scores of classes (batch, classes).

    `shape` is (channels, height, width) of an image; `width` says how large the network is.
    """

    def __init__(self, *, shape: Shape, classes: int, width: int) -> None:
        super().__init__()
        self.shape, self.classes, self.width = shape, classes, width


def scale_convolutions(model: nn.Module) -> None:
    """Draw the kernels of `model` anew, and lay them out with channels last, which is faster.

    The deviation sqrt(2 / (outputs * kernel size)) keeps the variance of gradients behind a ReLU.

    Source: He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 14.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Mlp(ImageModel):
    """Two hidden layers of `width` units with ReLU."""

    def __init__(self, *, shape: Shape, classes: int, width: int) -> None:
        super().__init__(shape=shape, classes=classes, width=width)
        channels, height, image_width = shape
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * image_width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of classes."""
        scores: Tensor = self.layers(images)
        return scores


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where shapes differ.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 3.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of the block."""
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(y + self.shortcut(x))


class ResNet8(ImageModel):
    """Three blocks of `width`, 2 `width` and 4 `width` channels behind a stem of stride 2.

    The stem's stride makes a step about three times cheaper than that of the ResNet for CIFAR.

    Source: He et al., CVPR 2016, section 4.2, with one block a stage.
    """

    def __init__(self, *, shape: Shape, classes: int, width: int) -> None:
        super().__init__(shape=shape, classes=classes, width=width)
        self.stem = nn.Conv2d(shape[0], width, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            Block(width, width, stride=1),
            Block(width, 2 * width, stride=2),
            Block(2 * width, 4 * width, stride=2),
        )
        self.head = nn.Linear(4 * width, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of classes."""
        x = self.blocks(functional.relu(self.norm(self.stem(images))))
        scores: Tensor = self.head(x.mean(dim=(2, 3)))
        return scores


class Dropout(nn.Module):
    """Dropout that draws from its own generator rather than from the global one."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        super().__init__()
        self.share = share
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with a share of its values zero and the others scaled; `x` in evaluation."""
        if not self.training or self.share == 0:
            return x
        if x.device.type == "cpu":
            kept = torch.rand(x.shape, generator=self.generator) >= self.share
        else:
            kept = uniform(x.shape, draw_key(self.generator), device=x.device) >= self.share
        return x * kept / (1 - self.share)


class LanguageModel(nn.Module):
    """An LSTM over embedded words that predicts the next word."""

    def __init__(
        self, *, vocabulary: int, width: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = Dropout(dropout, generator)
        self.lstm = nn.LSTM(width, width)
        self.decoder = nn.Linear(width, vocabulary)

    def forward(self, words: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the scores of each next word (time, batch, vocabulary) and the last state.

        `words` is (time, batch); without a state, sequences begin.
        """
        outputs, last = self.lstm(self.dropout(self.embedding(words)), state)
        return self.decoder(self.dropout(outputs)), last
