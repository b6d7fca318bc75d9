"""Fetch a public data set: `python -m equinox.training.fetch --dataset NAME --data-dir FOLDER`."""

import argparse
import hashlib
import logging
import os
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from equinox.training.layouts import LAYOUTS, Download
from equinox.whole_files import written_whole

TIMEOUT_S = 60

_LOG = logging.getLogger(__name__)


def fetch(dataset: str, data_dir: Path) -> None:
    """Fetch what is missing of a public data set into its folder in `data_dir`.

    Raises:
        ValueError: the data set is not public, or a file has not the digest that it should.
        OSError: there is no network, or no such file.
    """
    layout = LAYOUTS[dataset]
    if not layout.downloads:
        raise ValueError(f"{dataset} cannot be fetched; get it from {layout.origin}")
    folder = data_dir / layout.folder
    for download in layout.downloads:
        name = download.url.rpartition("/")[2]
        if download.is_tar and all(Path(path).exists() for path in layout.paths(str(data_dir))):
            continue
        if not download.is_tar and (folder / name).exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir) as scratch:
            file = Path(scratch) / name
            _LOG.info("fetch %s", download.url)
            _retrieve(download, file)
            if download.is_tar:
                _unpack(file, layout.folder, layout.files, folder)
            else:
                os.replace(file, folder / name)


def _retrieve(download: Download, file: Path) -> None:
    digest = hashlib.new(download.algorithm, usedforsecurity=False)
    with (
        # The address is one of LAYOUTS, never a user's; what comes must have the digest beside it.
        urllib.request.urlopen(download.url, timeout=TIMEOUT_S) as response,  # nosec B310
        file.open("wb") as target,
    ):
        while chunk := response.read(1 << 20):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != download.digest:
        raise ValueError(
            f"{download.url} has the {download.algorithm} {digest.hexdigest()}, not "
            f"{download.digest}: it was cut short or has changed; nothing of it is kept"
        )


def _unpack(archive: Path, inside: str, names: tuple[str, ...], folder: Path) -> None:
    """Write the content of named members of `archive`; no path in it is used."""
    with tarfile.open(archive) as tar:
        for name in names:
            member = tar.extractfile(f"{inside}/{name}")
            if member is None:
                raise ValueError(f"{archive.name}: {inside}/{name} is not a file; nothing is kept")
            with member, written_whole(folder / name) as target:
                target.write_bytes(member.read())


def main() -> None:
    """Fetch as the arguments say."""
    parser = argparse.ArgumentParser(prog="equinox.training.fetch", description=__doc__)
    fetchable = [name for name, layout in LAYOUTS.items() if layout.downloads]
    parser.add_argument("--dataset", required=True, choices=fetchable)
    parser.add_argument("--data-dir", required=True, type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    fetch(arguments.dataset, arguments.data_dir)


if __name__ == "__main__":
    main()
