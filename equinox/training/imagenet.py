"""Classification of photographs in folders, read while training goes on."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from equinox.config.training import Task
from equinox.training.architectures import IMAGE_MODELS
from equinox.training.layouts import require_layout
from equinox.training.problem import ALONE, Problem, Step

SIZE = 224  # pixels of a side that a network sees
SHORT_SIDE = 256  # pixels of the shorter side that a test image is scaled to
AREA_SHARES = 0.08, 1.0  # of an image, that a random crop may take
RATIOS = 3 / 4, 4 / 3  # width to height of a random crop
ATTEMPTS = 10  # to draw a crop that fits
THREADS = 8  # that decode images
SUFFIXES = {".jpeg", ".jpg", ".png"}


@final
@dataclass(frozen=True, kw_only=True)
class Photographs:
    """Files of photographs and the class of each."""

    paths: Sequence[Path]
    labels: Tensor


@final
@dataclass(frozen=True, kw_only=True)
class ImagenetProblem(Problem):
    """Classes of photographs; the metric is the share of test images whose class is wrong.

    Training sees a random part of each image, scaled to 224 x 224 and perhaps mirrored; the test
    sees the middle.

    Source: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 6: crops of 8 to
    100 % of the area, with sides in a ratio of 3/4 to 4/3.
    """

    metric: ClassVar[str] = "error"

    task: Task
    train: Photographs
    test: Photographs
    classes: int
    mean: Tensor
    deviation: Tensor
    device: torch.device

    @property
    def steps(self) -> int:
        """Training steps of one epoch; an incomplete batch is left out."""
        return len(self.train.paths) // self.task.step_size

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        make = IMAGE_MODELS[self.task.model]
        return make(self.task, (3, SIZE, SIZE), self.classes, generator)

    def epoch(
        self, model: nn.Module, generator: torch.Generator, workers: range = ALONE
    ) -> Iterator[Step]:
        """Yield steps on batches in random order, each image once an epoch."""
        order = torch.randperm(len(self.train.paths), generator=generator)
        seeds = torch.randint(2**62, (len(order),), generator=generator)
        with ThreadPoolExecutor(THREADS) as pool:
            for step in range(self.steps):
                first = step * self.task.step_size
                yield Step(losses=self._losses(model, order[first:], seeds[first:], workers, pool))

    def _losses(
        self,
        model: nn.Module,
        order: Tensor,
        seeds: Tensor,
        workers: range,
        pool: ThreadPoolExecutor,
    ) -> Iterator[Tensor]:
        for worker in workers:
            part = slice(worker * self.task.batch_size, (worker + 1) * self.task.batch_size)
            chosen = order[part].tolist()
            paths = [self.train.paths[index] for index in chosen]
            images = list(pool.map(read_random_part, paths, seeds[part].tolist()))
            labels = self.train.labels[chosen].to(self.device)
            yield functional.cross_entropy(model(self._normalize(images)), labels)

    def evaluate(self, model: nn.Module) -> float:
        """Return the share of test images whose class is wrong."""
        wrong = 0
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self.test.paths), self.task.batch_size):
                batch = slice(start, start + self.task.batch_size)
                images = list(pool.map(read_middle, self.test.paths[batch]))
                scores = model(self._normalize(images)).cpu()
                if not bool(scores.isfinite().all()):
                    return float("nan")
                wrong += int((scores.argmax(dim=1) != self.test.labels[batch]).sum())
        return wrong / len(self.test.paths)

    def _normalize(self, images: list[NDArray[np.uint8]]) -> Tensor:
        """Return `images` (height, width, channels) as (batch, channels, height, width)."""
        pixels = torch.from_numpy(np.stack(images)).to(self.device).float()
        return ((pixels - self.mean) / self.deviation).permute(0, 3, 1, 2)


def read_random_part(path: Path, seed: int) -> NDArray[np.uint8]:
    """Return a random part of an image (224, 224, 3), perhaps mirrored; `seed` decides."""
    draw = random.Random(seed)
    with Image.open(path) as file:
        image = file.convert("RGB")
    left, top, width, height = _draw_part(draw, *image.size)
    part = image.resize(
        (SIZE, SIZE), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height)
    )
    pixels = np.asarray(part)
    return pixels[:, ::-1] if draw.random() < 0.5 else pixels


def _draw_part(draw: random.Random, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a random part; the largest one if none fits."""
    low, high = np.log(RATIOS)
    for _ in range(ATTEMPTS):
        area = width * height * draw.uniform(*AREA_SHARES)
        ratio = float(np.exp(draw.uniform(low, high)))
        part_width, part_height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < part_width <= width and 0 < part_height <= height:
            left, top = draw.randint(0, width - part_width), draw.randint(0, height - part_height)
            return left, top, part_width, part_height
    part_width = min(width, round(height * RATIOS[1]))
    part_height = min(height, round(width / RATIOS[0]))
    return (width - part_width) // 2, (height - part_height) // 2, part_width, part_height


def read_middle(path: Path) -> NDArray[np.uint8]:
    """Return the middle of an image (224, 224, 3), scaled to a shorter side of 256 pixels."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    scale = SHORT_SIDE / min(image.size)
    width, height = (max(SHORT_SIDE, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    return np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))


def make_imagenet_problem(
    task: Task, data_dir: str | None, device: torch.device
) -> ImagenetProblem:
    """Return the problem of `task`.

    Raises:
        ValueError: the data are missing or too few, or the task says no mean and deviation.
    """
    if task.pixel_mean is None or task.pixel_deviation is None:
        raise ValueError("a task on imagenet needs pixel_mean and pixel_deviation")
    folder = require_layout(task.dataset, data_dir)
    names = sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
    train = _list_photographs(folder / "train", names, task.train_size)
    if len(train.paths) < task.step_size:
        raise ValueError(
            f"{folder / 'train'} has {len(train.paths)} images, less than one batch of "
            f"{task.step_size}"
        )
    return ImagenetProblem(
        task=task,
        train=train,
        test=_list_photographs(folder / "val", names, task.test_size),
        classes=len(names),
        mean=255 * torch.tensor(task.pixel_mean, device=device),
        deviation=255 * torch.tensor(task.pixel_deviation, device=device),
        device=device,
    )


def _list_photographs(folder: Path, names: Sequence[str], size: int | None) -> Photographs:
    """Return the images of each class, or the first of each so that `size` are left."""
    wanted = None if size is None else max(1, size // len(names))
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        found = sorted(
            path for path in (folder / name).glob("*") if path.suffix.lower() in SUFFIXES
        )
        if not found or len(found) < (wanted or 1):
            raise ValueError(
                f"{folder / name} has {len(found)} images; it should have {wanted or 'some'}: "
                "a folder for each class, with files *.JPEG"
            )
        paths += found[:wanted]
        labels += [label] * len(found[:wanted])
    return Photographs(paths=paths, labels=torch.tensor(labels))
