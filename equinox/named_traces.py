"""The traces that a config names: which files they are, and that they are sound, before a run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from equinox.colocation.arrivals import TRACE_SUFFIXES
from equinox.colocation.traces import read_trace
from equinox.config.colocation import Colocation
from equinox.machine_code import sources_hash


def is_trace(name: str) -> bool:
    """Return whether arrivals of this name are those of a file."""
    return Path(name).suffix in TRACE_SUFFIXES


def named_arrivals(colocation: Colocation) -> Mapping[str, tuple[str, ...]]:
    """Return what says when requests come, a process or a trace, by its key in the config."""
    return {
        "arrivals": (colocation.arrivals,),
        "sensitivity.arrivals": colocation.sensitivity.arrivals,
        "fleet.profile": (colocation.fleet.profile,),
    }


def trace_files(colocation: Colocation) -> Mapping[str, list[str]]:
    """Return the traces among `named_arrivals`, by key."""
    return {
        key: [name for name in names if is_trace(name)]
        for key, names in named_arrivals(colocation).items()
    }


def check_traces(colocation: Colocation, folder: Path) -> None:
    """Raise a ValueError unless each trace can be read, is sorted, and so on: see `read_trace`.

    A million rows take a second, and a workflow reads its config once for each job of a cluster: an
    empty file in `folder` stands for a trace that was sound, until its time or size changes, or
    what reads it.
    """
    for key, names in trace_files(colocation).items():
        for name in names:
            stamp = folder / _version(Path(name))
            if stamp.exists():
                continue
            try:
                read_trace(name)
            except ValueError as error:
                raise ValueError(f"colocation.{key}: {error}") from None
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()


def _version(path: Path) -> str:
    about = path.stat()
    rules = sources_hash("equinox.colocation.traces")
    text = f"{rules} {path.resolve()} {about.st_size} {about.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
