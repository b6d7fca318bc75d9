"""Keep what a killed job has finished: a file for each seed, beside the job's output."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import pandas as pd
import torch

import equinox.encodings
from equinox.config.checks import to_jsonable
from equinox.config.training import TrainingJob


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` to `path` as Parquet, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    frame.to_parquet(partial, index=False)
    os.replace(partial, path)


@final
@dataclass(frozen=True, kw_only=True)
class Partials:
    """The finished seeds of one job; another job, code or PyTorch does not find them."""

    output: Path
    key: str

    def read(self, seed: int) -> pd.DataFrame | None:
        """Return the rows of `seed`, or None if it is not finished."""
        path = self._path(seed)
        return pd.read_parquet(path) if path.exists() else None

    def write(self, seed: int, rows: pd.DataFrame) -> None:
        """Keep the rows of `seed`."""
        write_frame(rows, self._path(seed))

    def remove(self) -> None:
        """Remove the files of this output, also those of other keys."""
        for path in self.output.parent.glob(f"{self.output.name}.*.seed*.parquet"):
            path.unlink()

    def _path(self, seed: int) -> Path:
        return self.output.with_name(f"{self.output.name}.{self.key}.seed{seed}.parquet")


def partials_of(job: TrainingJob, output: Path) -> Partials:
    """Return the finished seeds of `job`, whose result goes to `output`."""
    job = replace(job, seeds=(0,))  # a seed's rows do not depend on the others
    digest = hashlib.sha256(json.dumps(to_jsonable(job), sort_keys=True).encode())
    digest.update(torch.__version__.encode())
    for path in _sources():
        digest.update(path.read_bytes())
    return Partials(output=output, key=digest.hexdigest()[:16])


def _sources() -> Iterator[Path]:
    """Yield the files of the code that a result depends on."""
    for package in (Path(__file__).parent, Path(equinox.encodings.__file__).parent):
        yield from sorted(package.glob("*.py"))
