"""Reference pages, made from code when the site is built, and the navigation."""

import inspect
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from equinox.config import Config
from equinox.config.colocation import Colocation, Fleet
from equinox.config.design_space import Budget, DesignSpace
from equinox.config.training import Task, Training
from equinox.tables import describe_tables

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent.name for path in (ROOT / "equinox").glob("*/__init__.py"))
SECTIONS = {
    "": Config,
    "training": Training,
    "training.tasks.NAME": Task,
    "design_space": DesignSpace,
    "design_space.budget": Budget,
    "colocation": Colocation,
    "colocation.fleet": Fleet,
}
#: Pages of the navigation; those that are not there are left out.
NAVIGATION: list[tuple[str, list[tuple[str, str]]]] = [
    (
        "Start",
        [
            ("Equinox", "index.md"),
            ("Tutorial", "tutorial.md"),
            ("How to", "how-to.md"),
            ("Cluster", "cluster.md"),
            ("Faults", "faults.md"),
            ("Scale", "scale.md"),
            ("Scale full", "full_scale.md"),
        ],
    ),
    (
        "Explanation",
        [
            ("HBFP", "hbfp.md"),
            ("The authors' emulator", "emulator.md"),
            ("Accuracy study", "accuracy.md"),
            ("Hardware model", "hardware-model.md"),
            ("Simulator", "simulator.md"),
            ("Co-location", "colocation.md"),
            ("Peers", "peers.md"),
            ("Claims", "claims.md"),
            ("Artifact", "artifact.md"),
            ("Mutants", "mutation.md"),
        ],
    ),
    (
        "Reference",
        [
            ("Config keys", "reference/keys.md"),
            ("Tables", "reference/tables.md"),
            *((f"equinox.{name}", f"reference/{name}.md") for name in PACKAGES),
            ("Other modules", "reference/equinox.md"),
        ],
    ),
]


def pages() -> dict[str, str]:
    """Return the pages that are made here: Markdown by path."""
    made = {f"reference/{name}.md": _api(name) for name in PACKAGES}
    made["reference/equinox.md"] = _modules(
        "Other modules", sorted((ROOT / "equinox").glob("*.py"))
    )
    made["reference/tables.md"] = describe_tables()
    made["reference/keys.md"] = _config()
    return made


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation, to the pages that there are."""
    there = {*pages(), *(p.name for p in Path(config.docs_dir).glob("*.md"))}
    listed = {path for _, part in NAVIGATION for _, path in part}
    others = [(Path(name).stem, name) for name in sorted(there - listed)]
    config.nav = [
        {title: [{name: path} for name, path in found if path in there]}
        for title, found in [*NAVIGATION, ("More", others)]
        if any(path in there for _, path in found)
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def _api(package: str) -> str:
    return _modules(f"equinox.{package}", sorted((ROOT / "equinox" / package).rglob("*.py")))


def _modules(title: str, paths: list[Path]) -> str:
    parts = [f"# {title}", ""]
    for path in paths:
        if path.stem.startswith("_") and path.parent.name != "figures":
            continue
        if path.stem.startswith("__"):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        parts += [f"::: {name}", ""]
    return "\n".join(parts)


def _config() -> str:
    parts = [
        "# Config",
        "",
        "The keys of `config/config.yaml`, from the typed config that checks them: unknown keys",
        "and values out of range are told before anything runs. `a__b=1` on the command line is",
        "key `b` of section `a`.",
        "",
    ]
    for section, kind in SECTIONS.items():
        parts += [f"## {section or 'At the top'}", "", inspect.getdoc(kind) or "", ""]
        parts += ["| key | type | default | meaning |", "|---|---|---|---|"]
        comments = _comments(kind)
        for field in fields(kind):
            default = "" if field.default is MISSING else f"`{field.default}`"
            kind_name = _type_name(field.type)
            parts.append(f"| `{field.name}` | {kind_name} | {default} | {comments[field.name]} |")
        parts.append("")
    return "\n".join(parts)


def _comments(kind: Any) -> dict[str, str]:
    """Return the comment beside each field in the source."""
    source = inspect.getsource(kind)
    found = {field.name: "" for field in fields(kind)}
    for name in found:
        match = re.search(rf"((?:^ +#: .*\n)*)^ +{name}: [^#\n]*(?:# (.*))?$", source, re.MULTILINE)
        if match:
            above = " ".join(line.strip(" #:") for line in match[1].splitlines())
            found[name] = f"{above} {match[2] or ''}".strip().replace("|", "\\|")
    return found


def _type_name(kind: Any) -> str:
    text = re.sub(r"\b(?:typing|annotated_types|collections\.abc|equinox\.[\w.]+)\.", "", str(kind))
    text = re.sub(r"<class '(\w+)'>", r"\1", text)
    return f"`{text}`".replace("|", "\\|")
