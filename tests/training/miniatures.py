"""Small data in the layouts of the public data sets."""

import pickle
import string
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

WORDS = ["".join(letters) for letters in product(string.ascii_lowercase, repeat=2)]


def make_cifar100(data_dir: Path, images: int = 4) -> None:
    folder = data_dir / "cifar-100-python"
    folder.mkdir()
    for part in ("train", "test"):
        random = np.random.default_rng(len(part))
        labels = random.permutation(100)[:images]
        data = random.integers(0, 256, (images, 3072), dtype=np.uint8)
        content = {b"data": data, b"fine_labels": labels.tolist(), b"coarse_labels": [0] * images}
        (folder / part).write_bytes(pickle.dumps(content, protocol=2))


def make_svhn(data_dir: Path, images: int = 4) -> None:
    folder = data_dir / "svhn"
    folder.mkdir()
    for part in ("train", "test"):
        random = np.random.default_rng(len(part))
        pixels = random.integers(0, 256, (32, 32, 3, images), dtype=np.uint8)
        labels = np.arange(1, images + 1, dtype=np.uint8)[:, None]
        savemat(folder / f"{part}_32x32.mat", {"X": pixels, "y": labels})


def make_imagenet(data_dir: Path) -> None:
    random = np.random.default_rng(0)
    for part, images in (("train", 2), ("val", 1)):
        for name in ("n01440764", "n01443537"):
            folder = data_dir / "imagenet" / part / name
            folder.mkdir(parents=True)
            for index in range(images):
                pixels = random.integers(0, 256, (90 + index, 120, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}_{index}.JPEG", quality=80)


def make_ptb(data_dir: Path, words: int = 300) -> None:
    folder = data_dir / "ptb"
    folder.mkdir()
    for part in ("train", "valid"):
        random = np.random.default_rng(len(part))
        chosen = random.choice(WORDS[:60], (words // 10, 9))
        lines = [f" {' '.join(line)} <unk> N \n" for line in chosen]
        (folder / f"ptb.{part}.txt").write_text("".join(lines))


def make_wordpiece(data_dir: Path, words: int = 2600) -> None:
    folder = data_dir / "wordpiece"
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *string.ascii_lowercase, *WORDS[:300], "##ing"]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    for part in ("train", "valid"):
        random = np.random.default_rng(len(part))
        chosen = random.choice(WORDS[:300], (words // 20, 20))
        (folder / f"{part}.txt").write_text("\n".join(" ".join(line) for line in chosen))


MINIATURES = {
    "cifar100": make_cifar100,
    "svhn": make_svhn,
    "imagenet": make_imagenet,
    "ptb": make_ptb,
    "wordpiece": make_wordpiece,
}
