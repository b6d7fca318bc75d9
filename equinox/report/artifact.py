"""One archive of a run: code, config, results, checksums, and RO-Crate metadata that name them."""

import gzip
import hashlib
import io
import json
import logging
import os
import subprocess
import tarfile
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equinox.report.environment import code_version, git_commit
from equinox.whole_files import written_whole

METADATA, CHECKSUMS = "ro-crate-metadata.json", "SHA256SUMS"
_KINDS = {  # what a file of the archive is, by its ending
    ".parquet": "application/vnd.apache.parquet",
    ".html": "text/html",
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".md": "text/markdown",
    ".yaml": "text/yaml",
    ".py": "text/x-python",
}


def write_artifact(root: Path, results: Path, output: Path) -> None:
    """Write the product at `root` and `results` to the archive `output` (.tar.gz).

    Files lie under one folder that is named as the archive, in order, with no times and no owners,
    so that the same files give the same bytes. `sha256sum --check SHA256SUMS` checks them.

    Raises:
        ValueError: `results` has no report; make it first.
    """
    if not (results / "report.html").exists():
        raise ValueError(f"{results} has no report.html; run snakemake first")
    top = output.name.removesuffix(".tar.gz")
    files = {name: (root / name).read_bytes() for name in product_files(root)}
    for path in sorted(path for path in results.rglob("*") if path.is_file()):
        inside = path.relative_to(results)
        if inside.parts[0] not in ("logs", "benchmarks") and not path.name.startswith("."):
            files[f"results/{results.name}/{inside.as_posix()}"] = path.read_bytes()
    crate = describe_crate(
        files, code=code_version(root), commit=git_commit(root), date=date_of(root)
    )
    files[METADATA] = json.dumps(crate, indent=1, sort_keys=True).encode()
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    files[CHECKSUMS] = "".join(sums).encode()
    runnable = {name for name in files if os.access(root / name, os.X_OK)}
    with written_whole(output) as partial:
        _write_tar(partial, top, files, runnable)
    logging.info("artifact: %s, %d files", output, len(files))


def product_files(root: Path) -> list[str]:
    """Return the files of the product: those under version control, or all of a plain copy."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        names = [name for name in listed.split("\0") if name]
        return sorted(name for name in names if (root / name).is_file())
    skipped = {"results", "build", ".venv", ".snakemake", "__pycache__"}
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not skipped & set(path.parts))


def date_of(root: Path) -> str:
    """Return the day (ISO 8601) of the commit at `root`; or of the newest file of a plain copy."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "log", "-1", "--format=%cs"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    newest = max((root / name).stat().st_mtime for name in product_files(root))
    return datetime.fromtimestamp(newest, tz=UTC).date().isoformat()


def describe_crate(
    files: Mapping[str, bytes], *, code: str, commit: str, date: str
) -> dict[str, Any]:
    """Return the RO-Crate metadata of `files`: the workflow, and each file with kind and size.

    Source: RO-Crate 1.1 (researchobject.org/ro-crate), Workflow RO-Crate profile 1.0.
    """
    entries = [
        {
            "@id": name,
            "@type": "File",
            "name": name,
            "contentSize": str(len(data)),
            "encodingFormat": _KINDS.get(Path(name).suffix, "text/plain"),
        }
        for name, data in sorted(files.items())
        if name != "Snakefile"
    ]
    profile = "https://w3id.org/ro/crate/1.1"
    return {
        "@context": f"{profile}/context",
        "@graph": [
            {
                "@id": METADATA,
                "@type": "CreativeWork",
                "conformsTo": [
                    {"@id": profile},
                    {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
                ],
                "about": {"@id": "./"},
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": "Equinox: the evaluation of the ColTraIn thesis, with its results",
                "description": f"Code sha256 {code}, git commit {commit}.",
                "datePublished": date,
                "author": {"@id": "#authors"},
                "license": {"@id": "LICENSE"},
                "mainEntity": {"@id": "Snakefile"},
                "hasPart": [{"@id": "Snakefile"}, *({"@id": entry["@id"]} for entry in entries)],
            },
            {
                "@id": "Snakefile",
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": "The whole evaluation",
                "programmingLanguage": {"@id": "#snakemake"},
            },
            {
                "@id": "#snakemake",
                "@type": "ComputerLanguage",
                "name": "Snakemake",
                "url": "https://snakemake.readthedocs.io",
            },
            {"@id": "#authors", "@type": "Organization", "name": "The Equinox developers"},
            *entries,
        ],
    }


def _write_tar(path: Path, top: str, files: Mapping[str, bytes], runnable: Set[str]) -> None:
    """Write files in order, with nothing in the archive that depends on when and by whom."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mode = len(data), 0o755 if name in runnable else 0o644
            archive.addfile(member, io.BytesIO(data))
