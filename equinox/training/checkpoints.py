"""Keep what a killed job has done: the rows of finished seeds, and the state after each epoch."""

import hashlib
import io
import json
import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import pandas as pd
import torch

import equinox.encodings
from equinox.config.checks import to_jsonable
from equinox.config.training import TrainingJob
from equinox.table_files import read, write
from equinox.training_tables import ACCURACY
from equinox.whole_files import written_whole


@final
@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """What is kept of one job; another job, code or PyTorch does not find it."""

    folder: Path
    key: str

    def read_rows(self, seed: int) -> pd.DataFrame | None:
        """Return the rows of `seed`, or None if it is not finished."""
        path = self._path(seed, "parquet")
        return read(ACCURACY, path) if path.exists() else None

    def write_rows(self, seed: int, rows: pd.DataFrame) -> None:
        """Keep the rows of `seed`, which is finished; its state is no longer needed."""
        write(rows, ACCURACY, self._path(seed, "parquet"))
        self._path(seed, "pt").unlink(missing_ok=True)

    def read_state(self, seed: int) -> dict[str, Any] | None:
        """Return the last state of `seed`, or None if there is none.

        Raises:
            ValueError: the file is damaged.
        """
        path = self._path(seed, "pt")
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            kind = type(error).__name__
            raise ValueError(f"{path} is damaged ({kind}); remove it to begin anew") from error
        return state

    def write_state(self, seed: int, state: Mapping[str, Any]) -> None:
        """Keep the state of `seed` in place of the one before, at once or not at all."""
        content = io.BytesIO()  # PyTorch tells of a full disk as of an error of its own
        torch.save(state, content)
        with written_whole(self._path(seed, "pt")) as partial:
            partial.write_bytes(content.getbuffer())

    def remove(self) -> None:
        """Remove the folder, with what is there of other keys."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, seed: int, suffix: str) -> Path:
        return self.folder / f"{self.key}.seed{seed}.{suffix}"


def checkpoints_of(job: TrainingJob, folder: Path) -> Checkpoints:
    """Return what is kept of `job` in `folder`."""
    job = replace(job, seeds=(0,))  # a seed's rows do not depend on the others
    digest = hashlib.sha256(json.dumps(to_jsonable(job), sort_keys=True).encode())
    digest.update(torch.__version__.encode())
    for path in _sources():
        digest.update(path.read_bytes())
    return Checkpoints(folder=folder, key=digest.hexdigest()[:16])


def _sources() -> Iterator[Path]:
    """Yield the files of the code that a result depends on."""
    for package in (Path(__file__).parent, Path(equinox.encodings.__file__).parent):
        yield from sorted(package.glob("*.py"))
