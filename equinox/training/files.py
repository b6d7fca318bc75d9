"""Find and read the files of a data set, each plain or compressed with gzip (.gz) or xz (.xz)."""

import gzip
import hashlib
import io
import logging
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from equinox.config.checks import Name
from equinox.config.records import check_record
from equinox.yaml_files import read_yaml

SHIPPED = Path(__file__).parent / "data"

_LOG = logging.getLogger(__name__)
_OPEN: Mapping[str, Callable[[io.BytesIO], io.BufferedIOBase]] = {
    "": lambda file: file,
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".xz": lzma.LZMAFile,
}


def find_folder(dataset: str, data_dir: str | None) -> Path:
    """Return the folder of `dataset`: the one in `data_dir` if it is there, else the shipped one.

    Raises:
        ValueError: there is no such folder, or no `data_dir`.
    """
    if data_dir is not None and not Path(data_dir).is_dir():
        raise ValueError(f"data_dir is {data_dir!r}, which is no folder. {_layout(dataset)}")
    folders = [Path(data_dir) / dataset] if data_dir is not None else []
    for folder in (*folders, SHIPPED / dataset):
        if folder.is_dir():
            _LOG.info("data: %s", folder)
            return folder
    shipped = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir())
    where = f"in data_dir, {data_dir}" if data_dir is not None else "and data_dir is not set"
    raise ValueError(
        f"no data set {dataset!r} {where}; with the product come {', '.join(shipped)}. "
        f"{_layout(dataset)}"
    )


def read_file(folder: Path, name: str, size: int = -1) -> bytes:
    """Return the content of a file of a data set, or its first `size` bytes, decompressed.

    Raises:
        ValueError: there is no such file, or it is damaged; a shipped one has to have the digest
            that its `source.yaml` says.
    """
    paths = {suffix: folder / f"{name}{suffix}" for suffix in _OPEN}
    suffix, path = next(((key, path) for key, path in paths.items() if path.is_file()), ("", None))
    if path is None:
        raise ValueError(f"{folder} has no file {name}. {_layout(folder.name)}")
    data = path.read_bytes()
    if folder.parent == SHIPPED:
        _verify(path, data)
    try:
        with _OPEN[suffix](io.BytesIO(data)) as file:
            return file.read(size)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}); get it anew") from error


def _verify(path: Path, data: bytes) -> None:
    source = path.with_name("source.yaml")
    digests = check_record(dict[str, Name], read_yaml(source).get("files"), [source], ["files"])
    expected = digests.get(path.name)
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ValueError(
            f"{path} is damaged: its sha256 is {found}, {source} says {expected}; restore both, "
            "for example with git checkout"
        )


def _layout(dataset: str) -> str:
    return (
        "Expected layout, each file plain, .gz or .xz:\n"
        f"  images: DATA_DIR/{dataset}/train-images-idx3-ubyte, train-labels-idx1-ubyte,\n"
        "          t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte\n"
        f"  text:   DATA_DIR/{dataset}/train.txt, valid.txt, test.txt"
    )
