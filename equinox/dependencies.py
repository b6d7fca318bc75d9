"""What a job of the workflow depends on, found without running it."""

import ast
import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import grimp

from equinox.whole_files import written_whole

ROOT = Path(__file__).parents[1]
FIGURES_DIR = ROOT / "equinox" / "figures"


def product_file(path: str | Path) -> str:
    """Return a file of the product, relative to the working directory if it lies under it.

    Relative paths keep Snakemake's records valid when a checkout is moved; absolute ones are for
    workflows that use this one as a module from elsewhere.
    """
    path = ROOT / path
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def source_files(graph: grimp.ImportGraph, modules: Sequence[str]) -> list[str]:
    """Return the sources of `modules` and of all that they import, in a fixed order.

    Raises:
        ValueError: there is no such module.
    """
    unknown = [name for name in modules if name not in graph.modules]
    if unknown:
        raise ValueError(f"there is no module {unknown[0]}; a rule's code= names it")
    upstream = set(modules).union(*map(graph.find_upstream_modules, modules))
    return [product_file(_source(name)) for name in sorted(upstream)]


def source_stamp(graph: grimp.ImportGraph, modules: Sequence[str], folder: Path) -> str:
    """Write, and return, a file in `folder` that stands for the `source_files` of `modules`.

    It has their digests, and the time of the newest of them. Snakemake compares it by content, so a
    result is made again when, and only when, code that it rests on has changed; one file instead of
    sixty for each job lets it plan ten thousand jobs in half the time.

    Raises:
        ValueError: there is no such module.
    """
    files = [Path(path) for path in source_files(graph, modules)]
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}\n" for path in files)
    content, time_ns = "".join(lines), max(path.stat().st_mtime_ns for path in files)
    stamp = folder / "+".join(modules)
    if not (stamp.exists() and stamp.read_text() == content):
        with written_whole(stamp) as partial:  # jobs of a cluster do this at once
            partial.write_text(content)
    os.utime(stamp, ns=(time_ns, time_ns))
    return str(stamp)


def argument_file(arguments: Iterable[str], folder: Path) -> str:
    """Write `arguments` to a file in `folder`, one a line; return how a command has it: `@path`.

    A command of a shell holds 128 kB on Linux, some 3,000 names of files. Commands that take such
    a file have `fromfile_prefix_chars="@"`. It is named after its content, so that another run,
    even a dry one, leaves it as the command expects it.

    Raises:
        ValueError: an argument has more than one line.
    """
    lines = list(arguments)
    broken = next((line for line in lines if len(line.splitlines()) != 1), None)
    if broken is not None:
        raise ValueError(f"{broken!r} is not one line; a file in {folder} has an argument on each")
    content = "".join(f"{line}\n" for line in lines)
    path = folder / hashlib.sha256(content.encode()).hexdigest()[:16]
    if not path.exists():
        with written_whole(path) as partial:
            partial.write_text(content)
    return f"@{path}"


def _source(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))  # importlib would import the parent packages
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def figure_tables(folder: Path = FIGURES_DIR) -> dict[str, tuple[str, ...]]:
    """Return the tables that each figure is drawn from: the literal `TABLES` of its module.

    Raises:
        ValueError: a module has no literal `TABLES`.
    """
    modules = sorted(folder.glob("[!_]*.py"))
    return {path.stem: _literal(path, "TABLES") for path in modules}


def drawn_figures(tables: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return `figure_tables` of the figures that `tables` are enough for."""
    return {name: needed for name, needed in figure_tables().items() if set(needed) <= set(tables)}


def _literal(path: Path, name: str) -> tuple[str, ...]:
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return tuple(ast.literal_eval(value))
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if (
                found == name
            ):
                return tuple(ast.literal_eval(value))
    raise ValueError(f"{path} has no {name}; name the tables that the figure is drawn from")


def figure_captions(folder: Path = FIGURES_DIR) -> dict[str, str]:
    """Return the caption of each figure: the docstring of its module."""
    modules = sorted(folder.glob("[!_]*.py"))
    return {path.stem: ast.get_docstring(ast.parse(path.read_text())) or "" for path in modules}
