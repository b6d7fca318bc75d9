"""What made a result: code, config, seeds, versions and kind of machine; no times, no host."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from equinox.dependencies import ROOT

#: Packages whose versions may change a result.
PACKAGES = (
    *("matplotlib", "numba", "numpy", "pandas", "pyarrow", "scipy", "seaborn"),
    *("snakemake", "torch"),
)
_CODE = ("Snakefile", "workflow", "equinox", "config")
_ENDINGS = {".py", ".smk", ".yaml", ".html", ".css", ".js", ".mplstyle", ""}


def provenance(*, code: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Return what made a page, by name, all of it the same for each run on one machine."""
    return {
        "Code": f"sha256 {code}",
        "Git commit": git_commit(),
        "Scale": str(config["scale"]),
        "Experiment": str(config["experiment"] or "none"),
        "Seeds": seeds(config),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "Machine": f"{platform.system()} {platform.machine()}, {processor()}",
    }


def code_version(root: Path = ROOT) -> str:
    """Return the first 16 digits of the SHA-256 of all code and config under `root`."""
    digest = hashlib.sha256()
    for path in sorted(_sources(root)):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _sources(root: Path) -> Iterator[Path]:
    for name in _CODE:
        if (root / name).is_file():
            yield root / name
        for folder, inner, files in os.walk(root / name):
            inner[:] = [item for item in inner if item != "__pycache__"]
            found = (Path(folder, file) for file in files)
            yield from (path for path in found if path.suffix in _ENDINGS)


def git_commit(root: Path = ROOT) -> str:
    """Return the commit that is checked out at `root`, and whether files differ from it."""
    if not (root / ".git").exists():
        return "none: not a git checkout"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=, with changes"]
    try:
        done = subprocess.run(
            [*command, "--abbrev=40", "--exclude=*"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return f"unknown: {error}"
    return done.stdout.strip()


def seeds(config: Mapping[str, Any]) -> str:
    """Return in words which seeds a run with `config` draws from."""
    most = max(n for runs in config["training"]["runs"].values() for n in runs.values())
    arrivals = ", ".join(map(str, config["colocation"]["seeds"]))
    draws = config["design_space"]["monte_carlo_seed"]
    return f"training 0 to {most - 1}, arrivals {arrivals}, Monte Carlo {draws}"


def processor() -> str:
    """Return the model of the processor, or its family where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"


def sections(config: Mapping[str, Any]) -> dict[str, str]:
    """Return each section of `config` as YAML; what is in no section is in `run`."""
    parts = {name: value for name, value in config.items() if isinstance(value, dict)}
    run = {name: value for name, value in config.items() if name not in parts}
    return {
        name: yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None)
        for name, value in {"run": run, **parts}.items()
    }
