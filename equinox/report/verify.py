"""Compare a run with the recorded reference run: table by table, claim by claim.

On the same kind of machine every table has the same bytes. Where hardware differs, the last bit of
a floating-point operation may: tables that are computed must then agree to `RELATIVE_TOLERANCE`,
and what rests on training, where one bit grows into another run, must keep each claim's value
inside the interval of the reference.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pandas as pd

from equinox.provenance import frame_sha256
from equinox.tables import TABLES, read_table

RELATIVE_TOLERANCE = 1e-6
TRAINED = frozenset({"accuracy", "equivalence"})  # rest on training
FILE = "checksums.json"
DIFFERS, CLOSE, ALONE = "DIFFERS", "close", "alone"


@final
@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as in the reference."""

    what: str
    kind: str  # DIFFERS: beyond the tolerance; CLOSE: within it; ALONE: nothing to compare with


def main() -> None:
    """Compare, or record a new reference; exit with 1 if the run differs beyond the tolerance."""
    parser = argparse.ArgumentParser(prog="python -m equinox.report.verify", description=__doc__)
    parser.add_argument("--tables", type=Path, required=True, help="results/default/tables")
    parser.add_argument("--reference", type=Path, required=True, help="docs/reference-run")
    parser.add_argument("--record", action="store_true", help="make this run the reference")
    options = parser.parse_args()
    try:
        tables = read_run(options.tables)
        if options.record:
            record(tables, options.reference)
            return
        reference = read_reference(options.reference)
        found = list(compare(tables, reference))
    except ValueError as error:
        parser.error(str(error))
    for difference in found:
        print(f"{difference.kind:<9}{difference.what}")
    kinds = {difference.kind for difference in found}
    if DIFFERS in kinds:
        sys.exit("this run is not the reference run")
    same = "to the tolerance" if CLOSE in kinds else "bit for bit"
    compared = f"{len(set(tables) & set(reference['tables']))} tables and every claim"
    print(f"{compared} agree with the reference run {same}")


def read_run(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a run, each checked.

    Raises:
        ValueError: there are none, or one is damaged.
    """
    paths = sorted(path for path in folder.glob("*.parquet") if path.stem in TABLES)
    if not paths:
        raise ValueError(f"{folder} has no tables; run snakemake first")
    return {path.stem: read_table(path.stem, path) for path in paths}


def record(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write the reference: for each table its checksum, rows, words and sums, and all claims."""
    claims = tables["claims"][["id", "reproduced", "low", "high", "verdict", "from_table"]]
    reference = {
        "tables": {name: _summary(frame) for name, frame in sorted(tables.items())},
        "claims": {row["id"]: _plain(row) for row in claims.to_dict("records")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(reference, indent=1, allow_nan=False) + "\n")


def read_reference(folder: Path) -> Mapping[str, Any]:
    """Return the recorded reference run.

    Raises:
        ValueError: there is none, or it is damaged, or of an earlier version.
    """
    try:
        reference: Mapping[str, Any] = json.loads((folder / FILE).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder / FILE} cannot be read ({error}); record a reference with --record"
        ) from None
    if any("words" not in table for table in reference["tables"].values()):
        raise ValueError(
            f"{folder / FILE} is of an earlier version, without the words of its tables; "
            "record it again with --record"
        )
    return reference


def compare(
    tables: Mapping[str, pd.DataFrame], reference: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield what differs between the tables of a run and the reference."""
    for name, kept in reference["tables"].items():
        if name not in tables:
            yield Difference(what=f"table {name}: it is missing; run snakemake", kind=DIFFERS)
        elif name != "claims" and frame_sha256(tables[name]) != kept["values_sha256"]:
            yield _compare_table(name, _summary(tables[name]), kept)
    for name in sorted(set(tables) - set(reference["tables"])):
        yield Difference(what=f"table {name}: the reference run has none", kind=ALONE)
    if "claims" in tables:
        rows = _plain_rows(tables["claims"])
        for name, kept in reference["claims"].items():
            yield from _compare_claim(name, rows.get(name), kept)
        for name in sorted(set(rows) - set(reference["claims"])):
            yield Difference(what=f"claim {name}: the reference run has none", kind=ALONE)


def _compare_table(name: str, found: Mapping[str, Any], kept: Mapping[str, Any]) -> Difference:
    if name in TRAINED:
        return Difference(what=f"table {name}: other values; its claims decide", kind=CLOSE)
    if found["rows"] != kept["rows"]:
        rows = f"{found['rows']} rows, reference {kept['rows']}"
        return Difference(what=f"table {name}: {rows}", kind=DIFFERS)
    far = [
        column
        for column in sorted(found["words"].keys() | kept["words"].keys())
        if found["words"].get(column) != kept["words"].get(column)
    ]
    far += [
        column
        for column in kept["sums"] | found["sums"]
        if not _close(found["sums"].get(column), kept["sums"].get(column))
    ]
    if far:
        return Difference(what=f"table {name}: other values in {', '.join(far)}", kind=DIFFERS)
    within = f"table {name}: numbers agree to {RELATIVE_TOLERANCE:g} in sum, words are the same"
    return Difference(what=within, kind=CLOSE)


def _compare_claim(
    name: str, found: Mapping[str, Any] | None, kept: Mapping[str, Any]
) -> Iterator[Difference]:
    where = f"claim {name} (from table {kept['from_table'] or 'none'})"
    if found is None:
        yield Difference(what=f"{where}: it is missing", kind=DIFFERS)
        return
    if found["verdict"] != kept["verdict"]:
        words = f"{found['verdict']}, reference {kept['verdict']}"
        yield Difference(what=f"{where}: {words}", kind=DIFFERS)
    value, expected = found["reproduced"], kept["reproduced"]
    if value == expected or _close(value, expected):
        return
    low, high = kept["low"], kept["high"]
    inside = (
        kept["from_table"] in TRAINED and None not in (value, low, high) and low <= value <= high
    )
    yield Difference(
        what=f"{where}: {value}, reference {expected}", kind=CLOSE if inside else DIFFERS
    )


def _close(value: float | None, expected: float | None) -> bool:
    if value is None or expected is None:
        return value is expected
    return math.isclose(value, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)


def _summary(frame: pd.DataFrame) -> dict[str, Any]:
    numbers = frame.select_dtypes("number").replace([math.inf, -math.inf], math.nan)
    words = frame.select_dtypes(exclude="number")
    sums = {name: float(numbers[name].sum()) for name in numbers}
    squares = {f"{name} squared": float((numbers[name] ** 2).sum()) for name in numbers}
    return {
        "rows": len(frame),
        "words": {name: frame_sha256(words[[name]]) for name in words},
        "values_sha256": frame_sha256(frame),
        "sums": {name: value for name, value in (sums | squares).items() if math.isfinite(value)},
    }


def _plain_rows(claims: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["id"]: _plain(row) for row in claims.to_dict("records")}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row with None where it is empty, since JSON has no NaN."""
    return {
        str(key): None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
        if key != "id"
    }


if __name__ == "__main__":
    main()
