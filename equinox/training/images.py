"""Classification of images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equinox.config.training import Task
from equinox.training.architectures import IMAGE_MODELS
from equinox.training.datasets import Images, load_images
from equinox.training.problem import Problem

CROP_MARGIN = 2  # pixels of border that a random crop may take in


@final
@dataclass(frozen=True, kw_only=True)
class ImageProblem(Problem):
    """Classes of images; the metric is the share of test images whose class is wrong."""

    metric: ClassVar[str] = "error"

    task: Task
    train: Images
    test: Images
    mean: Tensor  # of each channel of the training images
    deviation: Tensor

    @property
    def steps(self) -> int:
        """Training steps of one epoch; an incomplete batch is left out."""
        return len(self.train.labels) // self.task.batch_size

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        channels, height, width = self.train.pixels.shape[1:]
        make = IMAGE_MODELS[self.task.model]
        return make(self.task, (channels, height, width), self.train.classes, generator)

    def losses(self, model: nn.Module, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the cross entropy of batches in random order, each image once an epoch."""
        margin = CROP_MARGIN if self.task.augment else 0
        pixels, labels = _channels_last(self.train.pixels, margin), _labels(self.train)
        order = torch.randperm(len(labels), generator=generator)
        for batch in order[: self.steps * self.task.batch_size].split(self.task.batch_size):  # type: ignore[no-untyped-call]
            chosen = (
                _crop_and_flip(pixels, batch, generator) if self.task.augment else pixels[batch]
            )
            images = self._normalize(chosen)
            yield functional.cross_entropy(model(images), labels[batch])

    def evaluate(self, model: nn.Module) -> float:
        """Return the share of test images whose class is wrong.

        Batches are those of training, since images of a batch may share an exponent.
        """
        batches = _channels_last(self.test.pixels, 0).split(self.task.batch_size)  # type: ignore[no-untyped-call]
        scores = [model(self._normalize(batch)) for batch in batches]
        if not all(bool(batch.isfinite().all()) for batch in scores):
            return float("nan")
        wrong = torch.cat(scores).argmax(dim=1) != _labels(self.test)
        return float(wrong.double().mean())

    def _normalize(self, pixels: Tensor) -> Tensor:
        """Return `pixels` (batch, height, width, channels) as (batch, channels, height, width).

        Each channel of the training images gets mean 0 and variance 1.
        """
        return ((pixels.float() - self.mean) / self.deviation).permute(0, 3, 1, 2)


def make_image_problem(task: Task, data_dir: str | None) -> ImageProblem:
    """Return the problem of `task`.

    Raises:
        ValueError: the data are missing, damaged or too few.
    """
    if task.train_size < task.batch_size:
        raise ValueError(
            f"train_size is {task.train_size}, less than one batch of {task.batch_size}"
        )
    train = load_images(task.dataset, "train", size=task.train_size, data_dir=data_dir)
    mean, deviation = _statistics(train.pixels)
    return ImageProblem(
        task=task,
        train=train,
        test=load_images(task.dataset, "test", size=task.test_size, data_dir=data_dir),
        mean=mean,
        deviation=deviation,
    )


def _labels(images: Images) -> Tensor:
    return torch.from_numpy(images.labels).long()


def _channels_last(pixels: NDArray[np.uint8], margin: int) -> Tensor:
    """Return pixels (images, height, width, channels) with `margin` zeros on all sides.

    Convolutions are faster in this layout in memory.
    """
    sides = (0, 0), (margin, margin), (margin, margin), (0, 0)
    return torch.from_numpy(np.pad(pixels.transpose(0, 2, 3, 1), sides))


def _statistics(pixels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel of `pixels`, of a constant one 1."""
    values = torch.arange(256, dtype=torch.float64)
    counts = [np.bincount(pixels[:, c].ravel(), minlength=256) for c in range(pixels.shape[1])]
    shares = torch.from_numpy(np.stack(counts) / pixels[:, 0].size)  # (channels, values)
    mean = shares @ values
    deviation = (shares @ values.square() - mean.square()).clamp(min=0).sqrt()
    return mean.float(), torch.where(deviation > 0, deviation, 1.0).float()


def _crop_and_flip(padded: Tensor, batch: Tensor, generator: torch.Generator) -> Tensor:
    """Return random crops of the images `batch` of `padded`, half of them mirrored."""
    height, width = (size - 2 * CROP_MARGIN for size in padded.shape[1:3])
    top, left = torch.randint(2 * CROP_MARGIN + 1, (2, len(batch), 1), generator=generator)
    mirrored = torch.randint(2, (len(batch), 1), generator=generator).bool()
    columns = torch.arange(width)
    columns = left + torch.where(mirrored, width - 1 - columns, columns)  # (batch, width)
    rows = top + torch.arange(height)  # (batch, height)
    return padded[batch[:, None, None], rows[:, :, None], columns[:, None, :]]
