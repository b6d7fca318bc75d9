"""Print the ancestry of a table, down to constants and seeds: FILE.parquet."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from equinox.provenance import code_sha256, file_sha256
from equinox.table_files import read_origin

DIGITS = 12  # of a SHA-256, enough for a reader to compare


def main() -> None:
    """Print what a file was made from, and what that was made from."""
    parser = argparse.ArgumentParser(
        prog="python -m equinox.report.provenance", description=__doc__
    )
    parser.add_argument("file", type=Path)
    try:
        print("\n".join(ancestry(parser.parse_args().file)))
    except ValueError as error:
        parser.error(str(error))


def ancestry(path: Path, *, seen: set[Path] | None = None) -> Iterator[str]:
    """Yield the lines of the ancestry of a table's file: itself, then its inputs, indented.

    Each file has its SHA-256 now; an input that has changed since the table was made, and code that
    has, is marked. A table that two others rest on is described once.

    Raises:
        ValueError: the file is missing, is not Parquet, or does not say where it comes from.
    """
    origin = _origin(path)
    seen = set() if seen is None else seen
    yield f"{path}  sha256 {file_sha256(path)[:DIGITS]}"
    if path in seen:
        yield "  as above"
        return
    seen.add(path)
    yield from (f"  {line}" for line in _job(origin))
    for name, digest in origin["inputs"].items():
        yield from (f"  {line}" for line in _input(Path(name), digest, seen))


def _origin(path: Path) -> Mapping[str, Any]:
    try:
        origin = read_origin(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {error}") from None
    if origin is None:
        raise ValueError(
            f"{path} does not say where it comes from; tables that the workflow makes do: "
            "delete it and run snakemake again"
        )
    return origin


def _job(origin: Mapping[str, Any]) -> Iterator[str]:
    given = " ".join(f"{name}={value}" for name, value in origin["arguments"].items())
    yield f"made by  python -m {origin['module']} {given}".rstrip()
    same = code_sha256(origin["module"]) == origin["code_sha256"]
    note = "" if same else "  (the code has changed since)"
    yield f"code     sha256 {origin['code_sha256'][:DIGITS]}{note}"
    if origin["config"]:
        yield f"config   sha256 {origin['config_sha256'][:DIGITS]}"
        for value in origin["config"].values():
            yield from (f"  {key}: {json.dumps(item)}" for key, item in value.items())
    yield "packages " + " ".join(f"{name}={v}" for name, v in origin["packages"].items())


def _input(path: Path, digest: str, seen: set[Path]) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}  sha256 {digest[:DIGITS]}  (no longer there)"
    elif file_sha256(path) != digest:
        yield f"{path}  sha256 {digest[:DIGITS]}  (has changed since)"
    elif path.suffix == ".parquet":
        yield from ancestry(path, seen=seen)
    else:
        yield f"{path}  sha256 {digest[:DIGITS]}"


if __name__ == "__main__":
    main()
