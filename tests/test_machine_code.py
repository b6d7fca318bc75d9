"""Machine code on disk is used while the sources that it is made of stay, and not after."""

import subprocess
import sys

import pytest

from equinox import machine_code
from equinox.machine_code import renewed, sources_hash

ENTRY = """
from numba import njit
from {package}.below import doubled
from equinox.machine_code import renewed

@njit(cache=True)
@renewed
def run(x):
    return doubled(x)
"""
BELOW = """
from numba import njit

@njit
def doubled(x):
    return {factor} * x
"""
RUN = """
from equinox import machine_code
machine_code._PACKAGE = "{package}"
from {package}.entry import run

print(run(21), sum(run.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "entry.py").write_text(ENTRY.format(package="product"))
    (folder / "below.py").write_text(BELOW.format(factor=2))
    return folder


def run(package, repository) -> list[str]:
    code = f"import sys; sys.path[:0] = [{str(repository)!r}, {str(package.parent)!r}]\n"
    process = subprocess.run(
        [sys.executable, "-c", code + RUN.format(package="product")],
        check=True, capture_output=True, text=True, cwd=package.parent,
    )  # fmt: skip
    return process.stdout.split()


def test_an_edit_below_the_entry_is_seen_and_no_edit_compiles_nothing(package, repository):
    assert run(package, repository) == ["42", "0"]
    assert run(package, repository) == ["42", "1"]
    (package / "below.py").write_text(BELOW.format(factor=3))
    assert run(package, repository) == ["63", "0"]


def test_the_name_changes_with_modules_imported_in_any_way(package, monkeypatch):
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(machine_code, "_PACKAGE", "product")
    entry, below = package / "entry.py", package / "below.py"
    hashes = set()
    for statement in ("import product.below", "from product import below",
                      "from product.below import doubled"):  # fmt: skip
        entry.write_text(f"def f():\n    {statement}\n")
        for factor in (2, 3):
            below.write_text(BELOW.format(factor=factor))
            sources_hash.cache_clear()
            hashes.add(sources_hash("product.entry"))
    assert len(hashes) == 6
    sources_hash.cache_clear()


def test_kernels_are_made_of_their_intrinsics_and_of_nothing_that_uses_them():
    def named(module: str) -> str:
        def kernel() -> None: ...

        kernel.__module__ = module
        return renewed(kernel).__qualname__

    name = named("equinox.encodings.kernels")
    assert name.endswith(f"kernel_{sources_hash('equinox.encodings.kernels')}")
    assert machine_code._imported(b"from equinox.encodings import fast, team") == [
        "equinox.encodings.fast", "equinox.encodings.team",
    ]  # fmt: skip
    assert named("equinox.encodings.scaled_kernels") != name
