"""A copy of the product in which snakemake has made everything at a small scale smoke."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

PRODUCT = ("Snakefile", "workflow", "equinox", "config", "profiles")
RESULTS = Path("results/smoke")
SMALL = Path(__file__).with_name("smoke.yaml")

Run = Callable[..., subprocess.CompletedProcess[str]]


def copy_product(repository: Path, folder: Path, *, small: bool = False) -> Path:
    """Copy what a run needs, without results and caches; `small`: with less in its scale smoke."""
    folder.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", ".snakemake")
    for name in PRODUCT:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    if small:
        shutil.copy2(SMALL, folder / "config/scales/smoke.yaml")
    return folder


def command(*arguments: str, scale: str = "smoke", config: Sequence[str] = ()) -> list[str]:
    """Return a call of snakemake."""
    snakemake = Path(sys.executable).with_name("snakemake")
    return [str(snakemake), *arguments, "--config", f"scale={scale}", *config]


def start(
    folder: Path, *arguments: str, config: Sequence[str] = (), **environment: str
) -> subprocess.Popen[str]:
    """Start snakemake in `folder` as a user would; stdout and stderr are one text."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.Popen(
        command(*arguments, config=config),
        cwd=folder,
        env=inherited | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


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
        command(*arguments, scale=scale, config=config),
        cwd=folder,
        env=inherited | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1200,
        check=False,
    )


def tables(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each table of a run; files beside them count too."""
    return {path.name: path.read_bytes() for path in (folder / RESULTS / "tables").iterdir()}


def lose(folder: Path, *patterns: str) -> None:
    """Remove results, so that they are to be made again."""
    found = [path for pattern in patterns for path in (folder / RESULTS).glob(pattern)]
    assert found
    for path in found:
        path.unlink()


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "run", symlinks=True))


@pytest.fixture
def planned(made: Path) -> Callable[..., set[str]]:
    """Return the names of the rules that a dry run would run."""

    def plan(*arguments: str, config: Sequence[str] = ()) -> set[str]:
        done = snakemake(made, *arguments, "--dry-run", config=config)
        assert done.returncode == 0, done.stdout
        return jobs_of(done.stdout)

    return plan


def jobs_of(dry_run: str) -> set[str]:
    """Return the names of the rules in what a dry run says."""
    _, found, table = dry_run.partition("Job stats:\n")
    rows = [line.split() for line in table.split("\n\n")[0].splitlines()[2:]]
    return {row[0] for row in rows} - {"total"} if found else set()


@pytest.fixture
def mounted() -> Iterator[Callable[..., None]]:
    """Mount something for a while; as root only."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a full or read-only file system")
    points: list[Path] = []

    def mount(*arguments: str | Path, at: Path) -> None:
        done = subprocess.run(["mount", *arguments, at], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine mounts nothing: {done.stderr.decode()}")
        if at not in points:
            points.append(at)

    yield mount
    for point in points:
        subprocess.run(["umount", "--lazy", point], check=False)
