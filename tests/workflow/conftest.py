"""A copy of the product in which snakemake has made everything at scale smoke."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

PRODUCT = ("Snakefile", "workflow", "equinox", "config", "profiles")

Run = Callable[..., subprocess.CompletedProcess[str]]


def copy_product(repository: Path, folder: Path) -> Path:
    """Copy what a run needs, without results and caches."""
    folder.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", ".snakemake")
    for name in PRODUCT:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    return folder


def snakemake(
    folder: Path,
    *arguments: str,
    scale: str = "smoke",
    config: Sequence[str] = (),
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run snakemake in `folder` as a user would; the result has stdout and stderr as one text."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("snakemake")),
            *arguments,
            "--config",
            f"scale={scale}",
            *config,
        ],
        cwd=folder,
        env=inherited | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="session")
def made(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which a whole run at scale smoke has just ended, on all cores."""
    folder = copy_product(repository, tmp_path_factory.mktemp("made") / "product")
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def planned(made: Path) -> Callable[..., set[str]]:
    """Return the names of the rules that a dry run would run."""

    def plan(*arguments: str, config: Sequence[str] = ()) -> set[str]:
        done = snakemake(made, *arguments, "--dry-run", config=config)
        assert done.returncode == 0, done.stdout
        _, found, table = done.stdout.partition("Job stats:\n")
        rows = [line.split() for line in table.split("\n\n")[0].splitlines()[2:]]
        return {row[0] for row in rows} - {"total"} if found else set()

    return plan
