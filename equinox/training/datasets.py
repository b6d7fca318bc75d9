"""Read images and text, from the data that come with the product or from a user's folder.

A data set is a folder of files (see `equinox.training.files`):

- images: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and the same with `t10k` for test,
  in the IDX layout of MNIST: type 8 (unsigned byte), dimensions (images, height, width) or
  (images, channels, height, width);
- text: `train.txt`, `valid.txt`, `test.txt`: words between blanks, a sentence a line.

Public data sets keep the layout that they are published in: see `equinox.training.layouts`.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from equinox.training.files import find_folder, read_file
from equinox.training.layouts import LAYOUTS, require_layout
from equinox.training.original import ORIGINAL_IMAGES, Images, Part

END_OF_SENTENCE = "<eos>"
UNKNOWN = "<unk>"

_PREFIX = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE = 8  # code of the IDX layout


@final
@dataclass(frozen=True, kw_only=True)
class Text:
    """Text as numbers of words, below `vocabulary`."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    vocabulary: int


def load_images(
    dataset: str, part: Part, *, size: int | None, data_dir: str | None = None
) -> Images:
    """Return the first images of `part`, in their order, with the same number of each class.

    If `size` is not a multiple of the number of classes, the first classes have one image more;
    without a size, these are all images.

    Raises:
        ValueError: files are missing, damaged or not in the IDX layout, or there are too few
            images of a class.
    """
    if dataset in ORIGINAL_IMAGES:
        images = ORIGINAL_IMAGES[dataset](require_layout(dataset, data_dir), part)
        if size is None:
            return images
        chosen = _balanced(images.labels, images.classes, size, f"{dataset} ({part})")
        return replace(images, pixels=images.pixels[chosen], labels=images.labels[chosen])
    folder, prefix = find_folder(dataset, data_dir), _PREFIX[part]
    labels = _read_idx(folder, f"{prefix}-labels-idx1-ubyte")
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"{folder}: {prefix} labels have the shape {labels.shape}, not (images,)")
    classes = int(labels.max()) + 1
    if size is None:
        chosen = np.arange(len(labels))
    else:
        chosen = _balanced(labels, classes, size, f"{dataset} ({part})")
    pixels = _read_idx(folder, f"{prefix}-images-idx3-ubyte", items=int(chosen[-1]) + 1)
    if pixels.ndim not in (3, 4) or len(pixels) != chosen[-1] + 1:
        raise ValueError(
            f"{folder}: {prefix} images have the shape {pixels.shape} for {len(labels)} labels; "
            "make them (images, height, width) or (images, channels, height, width)"
        )
    if pixels.ndim == 3:
        pixels = pixels[:, np.newaxis]
    return Images(pixels=pixels[chosen], labels=labels[chosen], classes=classes)


def _balanced(labels: NDArray[np.uint8], classes: int, size: int, what: str) -> NDArray[np.intp]:
    """Return the indices of the first images of each class, in ascending order."""
    indices = []
    for label in range(classes):
        wanted = size // classes + (label < size % classes)
        found = np.flatnonzero(labels == label)
        if len(found) < wanted:
            raise ValueError(
                f"{what} has {len(found)} images of class {label}; {size} images of {classes} "
                f"classes take {wanted}: ask for fewer, or name a folder with more in data_dir"
            )
        indices.append(found[:wanted])
    return np.sort(np.concatenate(indices))


def load_text(
    dataset: str,
    *,
    train_size: int | None,
    valid_size: int | None,
    vocabulary: int,
    data_dir: str | None = None,
) -> Text:
    """Return the first words, or all, of the training and the validation text as numbers.

    The vocabulary holds the most frequent words of these training words (equally frequent ones
    in alphabetical order), the end of a sentence among them; all others share the number 0.

    Raises:
        ValueError: files are missing or damaged, or hold fewer words than asked for.
    """
    original = dataset in LAYOUTS
    folder = require_layout(dataset, data_dir) if original else find_folder(dataset, data_dir)
    prefix = f"{dataset}." if original else ""
    train = _read_words(folder, f"{prefix}train.txt", train_size)
    valid = _read_words(folder, f"{prefix}valid.txt", valid_size)
    counts = Counter(train)
    del counts[UNKNOWN]
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[: vocabulary - 1]
    if len(frequent) < vocabulary - 1:
        raise ValueError(
            f"{dataset}: {len(train)} words have {len(frequent)} different ones; set vocabulary "
            f"to {len(frequent) + 1} at most, not {vocabulary}"
        )
    number = {word: index for index, word in enumerate(frequent, start=1)}
    return Text(
        train=np.array([number.get(word, 0) for word in train]),
        valid=np.array([number.get(word, 0) for word in valid]),
        vocabulary=vocabulary,
    )


def _read_words(folder: Path, name: str, size: int | None) -> list[str]:
    lines = read_file(folder, name).decode("utf-8").splitlines()
    words = [word for line in lines if line.strip() for word in (*line.split(), END_OF_SENTENCE)]
    if size is not None and len(words) < size:
        raise ValueError(
            f"{folder / name} has {len(words)} words, ends of sentences included, not {size}: ask "
            "for fewer, or name a folder with more in data_dir"
        )
    return words[:size]


def _read_idx(folder: Path, name: str, items: int | None = None) -> NDArray[np.uint8]:
    """Return the values of an IDX file, or its first `items` along the first dimension."""
    start = read_file(folder, name, 4)
    dimensions = start[3] if len(start) == 4 and start[:3] == bytes([0, 0, _UNSIGNED_BYTE]) else 0
    header = 4 + 4 * dimensions
    shape = np.frombuffer(read_file(folder, name, header)[4:], ">u4").astype(int)
    if items is not None and len(shape):
        shape[0] = min(items, shape[0])
    end = header + int(shape.prod())
    data = read_file(folder, name, end if items is not None else -1)
    if not dimensions or len(shape) != dimensions or len(data) != end:
        raise ValueError(
            f"{folder / name} is not in the IDX layout of unsigned bytes: it begins with "
            f"{data[:8].hex(' ')} and has {len(data)} bytes; see equinox/training/datasets.py"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
