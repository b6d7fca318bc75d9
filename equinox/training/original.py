"""Read images of public data sets in the layout that they are published in."""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

Part: TypeAlias = Literal["train", "test"]


@final
@dataclass(frozen=True, kw_only=True)
class Images:
    """Images (images, channels, height, width) and the class of each, unsigned bytes."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    classes: int


#: All that the pickles of CIFAR name: arrays of numpy, as Python 2 wrote them.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickle arrays and plain values; any other class or function is an error, and not run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which data do not need")
        return super().find_class(module, name)


def read_cifar100(folder: Path, part: Part) -> Images:
    """Return all images of CIFAR-100 with the finer of its two classes.

    Raises:
        ValueError: the file is not that of CIFAR-100.
    """
    path = folder / part
    try:
        content = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        pixels = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(content[b"fine_labels"], dtype=np.uint8)
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no pickle of CIFAR-100 ({error}); get it anew") from error
    return _checked(path, pixels, labels, classes=100)


def read_svhn(folder: Path, part: Part) -> Images:
    """Return all images of SVHN's cropped digits; the digit 0 has the label 10 in the files.

    Raises:
        ValueError: the file is not that of SVHN.
    """
    path = folder / f"{part}_32x32.mat"
    try:
        content = loadmat(path, variable_names=["X", "y"])
        pixels = np.ascontiguousarray(content["X"].transpose(3, 2, 0, 1)).astype(np.uint8)
        labels = (content["y"].ravel() % 10).astype(np.uint8)
    except (
        OSError,
        LookupError,
        TypeError,
        ValueError,
        NotImplementedError,  # scipy's word for a file of MATLAB 7.3
        MatReadError,
    ) as error:
        raise ValueError(f"{path} is no file of SVHN ({error}); get it anew") from error
    return _checked(path, pixels, labels, classes=10)


def _checked(
    path: Path, pixels: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int
) -> Images:
    if len(pixels) != len(labels) or not len(labels) or labels.max() >= classes:
        raise ValueError(
            f"{path} has {len(pixels)} images and {len(labels)} labels below {classes}: get it anew"
        )
    return Images(pixels=pixels, labels=labels, classes=classes)


ORIGINAL_IMAGES: Mapping[str, Callable[[Path, Part], Images]] = {
    "cifar100": read_cifar100,
    "svhn": read_svhn,
}
