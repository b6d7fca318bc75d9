"""Where a table comes from: command, config, code, packages and inputs, kept in the file itself."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any, final

import grimp
import pandas as pd

from equinox.dependencies import ROOT, source_files

OUTPUTS = ("output", "outputs", "markdown", "checkpoints", "curve")


@final
@dataclass(frozen=True, kw_only=True)
class Origin:
    """What one job was run with.

    `config` and `arguments` are what the command line gave (seeds are in the config); `inputs`
    maps each file that was given to its SHA-256; `code_sha256` covers the sources of `module` and
    of all that it imports; `packages` are the versions of
    Python and of the packages that this code imports.
    """

    module: str
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    config_sha256: str
    code_sha256: str
    inputs: Mapping[str, str]
    packages: Mapping[str, str]

    def to_json(self) -> str:
        """Return the origin as one sorted line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    def check_inputs(self) -> None:
        """Raise ValueError if an input is no longer what it was when the job began."""
        for path, before in self.inputs.items():
            if not Path(path).is_file() or file_sha256(path) != before:
                raise ValueError(
                    f"{path} was changed while this job ran; run snakemake again, which makes "
                    "what rests on it from what it is now"
                )


def origin_of(module: str, options: Mapping[str, Any], files: Iterable[Path] = ()) -> Origin:
    """Return the origin of what `python -m module` makes from its parsed `options`.

    A value that names a file is an input, one that is a JSON object is config, and the rest are
    arguments; names in `OUTPUTS`, and callables, are left out. `files` are inputs that the options
    do not name.
    """
    given = {name: value for name, value in options.items() if name not in OUTPUTS}
    config: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    inputs = {_shown(path): file_sha256(path) for path in files}
    for name, value in given.items():
        named = [path for path in _paths(value) if path.is_file()]
        if named:
            inputs |= {_shown(path): file_sha256(path) for path in named}
        elif isinstance(value, str) and value.startswith("{"):
            config[name] = json.loads(value)
        elif value is not None and not callable(value):
            arguments[name] = value if isinstance(value, str | int | float) else str(value)
    return Origin(
        module=module,
        arguments=arguments,
        config=config,
        config_sha256=_sha256(json.dumps(config, sort_keys=True).encode()),
        code_sha256=code_sha256(module),
        inputs=dict(sorted(inputs.items())),
        packages=package_versions(module),
    )


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frame_sha256(frame: pd.DataFrame) -> str:
    """Return a SHA-256 of the names and values of `frame`; equal values give equal digests."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return _sha256("\0".join(frame.columns).encode() + rows.tobytes())


@cache
def code_sha256(module: str) -> str:
    """Return a SHA-256 of the sources of `module` (a package: its `__main__`) and its imports.

    Raises:
        ValueError: the product has no such module.
    """
    graph = grimp.build_graph("equinox", cache_dir=None)
    main = f"{module}.__main__"
    sources = source_files(graph, [main if main in graph.modules else module])
    digests = (f"{_name(path)} {file_sha256(path)}\n" for path in sources)
    return _sha256("".join(sorted(digests)).encode())


@cache
def package_versions(module: str) -> dict[str, str]:
    """Return the versions of Python and of the packages that `module` and its imports rest on."""
    graph = grimp.build_graph("equinox", include_external_packages=True, cache_dir=None)
    main = f"{module}.__main__"
    imported = graph.find_upstream_modules(main if main in graph.modules else module)
    distributions = metadata.packages_distributions()
    names = {name for package in imported for name in distributions.get(package, ())}
    return {"python": python_version()} | {name: metadata.version(name) for name in sorted(names)}


def _shown(path: Path) -> str:
    """Return how an input is called: relative to the working folder, if it lies in it."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)


def _name(path: str) -> str:
    """Return a source's path inside the product, wherever the job runs."""
    return Path(path).resolve().relative_to(ROOT.resolve()).as_posix()


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str):
        if not value.startswith("{"):
            yield Path(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
