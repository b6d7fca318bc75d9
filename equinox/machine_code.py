"""Name a function that numba keeps on disk after all the code that it is made of.

Numba looks up machine code by the file and the name of the function that was called, and compiles
it again when this file has changed, but not when another one has that the function calls into.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])

_PACKAGE = __name__.partition(".")[0]


def renewed(function: Function) -> Function:
    """Return `function`, its qualified name ended by a hash of its module's sources.

    Below numba's decorator, with cache=True, machine code on disk is then found only while this
    module is as it was, and so are all modules of this package that it imports, directly or not:

        @njit(cache=True)
        @renewed
        def run(...): ...

    Functions that it calls need no cache of their own.
    """
    function.__qualname__ += f"_{sources_hash(function.__module__)}"
    return function


@cache
def sources_hash(module: str) -> str:
    """Return 12 hexadecimal digits of a hash of the sources that `module` is made of."""
    sources: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name not in sources and path is not None:
            sources[name] = path.read_bytes()
            waiting.extend(_imported(sources[name]))
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name} {len(sources[name])} ".encode() + sources[name])
    return digest.hexdigest()[:12]


def _source(module: str) -> Path | None:
    """Return the file of a module of this package; None if the name is of something in one.

    Nothing is imported: a function may import a module that takes long.
    """
    package, *below = module.split(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent.joinpath(*below)
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imported(source: bytes) -> list[str]:
    """Return the modules of this package that the import statements of `source` name."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if _is_ours(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name if _source(name) else node.module for name in within]
    return names


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == _PACKAGE
