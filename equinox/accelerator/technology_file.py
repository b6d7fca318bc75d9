"""Technologies as files: config/technology/<name>.yaml, whole or as what differs from another.

A new technology is a file.
"""

from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import yaml

from equinox.accelerator.components import check_origin, read_banks, read_components
from equinox.accelerator.technology import CHOICES, Constant, Distribution, Technology
from equinox.units import parse

TECHNOLOGIES = Path(__file__).parents[2] / "config" / "technology"

_DISTRIBUTIONS: Final = get_args(Distribution)
_SPAN_OF_LOGARITHMIC: Final = 3.0  # high over low above which the default is log-uniform
_SECTIONS: Final = frozenset({"choices", "constants", "components", "banks"})
_ENTRY: Final = {"value", "low", "high", "source", "status"}


@cache
def _units() -> Mapping[str, str]:
    """Return the unit of each constant, as its field declares it."""
    hints = get_type_hints(Technology, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


def load_technology(technology: str | Path) -> Technology:
    """Return the technology of this name, config/technology/<name>.yaml, or of this file.

    A file with `base: NAME` holds what differs from the file of that name beside it: choices,
    constants and banks, each of them as a whole, so that each has a source of its own, and
    components as a whole. A constant without `distribution` is uniform, or log-uniform where high
    is more than three times low.

    Raises:
        ValueError: there is no such file; a constant or an entry is missing or unknown, has no
            source, status or range, or a quantity has no unit or another dimension.
    """
    path, *bases = technology_files(technology)
    values = _read(path)
    try:
        _check_keys("file", values, frozenset() if bases else _SECTIONS, _SECTIONS | {"base"})
        for base in bases:
            values = _merge(_read(base), values)
        _check_keys("choices", values["choices"], set(CHOICES))
        _check_keys("constants", values["constants"], set(_units()))
        constants = {
            name: _read_constant(name, values["constants"][name], unit)
            for name, unit in _units().items()
        }
        read = Technology(
            name=path.stem,
            components=read_components(values["components"]),
            banks=read_banks(values["banks"]),
            constants=constants,
            **values["choices"],
            **{name: constant.value for name, constant in constants.items()},  # type: ignore[arg-type]
        )
        for choice, name in values["choices"].items():
            read.with_choice(choice, name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return read


def technology_files(technology: str | Path) -> list[Path]:
    """Return the file of a technology, and those that it is based on, from the last to the first.

    Raises:
        ValueError: there is no such file, or it is based on itself.
    """
    path = Path(technology)
    if path.suffix != ".yaml":
        path = TECHNOLOGIES / f"{technology}.yaml"
    files: list[Path] = []
    while True:
        if not path.exists():
            known = ", ".join(sorted(found.stem for found in path.parent.glob("*.yaml")))
            raise ValueError(f"no technology {path.stem}; known are {known}")
        if path in files:
            raise ValueError(f"{path} is based on itself; let one of the files have no base")
        files.append(path)
        base = _read(path).get("base")
        if base is None:
            return files
        path = path.with_name(f"{base}.yaml")


def _read(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text())
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no sections; it needs {', '.join(sorted(_SECTIONS))}")
    return values


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the entries of `over`; an entry is replaced as a whole."""
    merged = {name: value for name, value in base.items() if name != "base"}
    for section, entries in over.items():
        if section in ("choices", "constants", "banks"):
            merged[section] = {**merged[section], **entries}
        elif section == "components":
            merged[section] = entries
    return merged


def _check_keys(what: str, entry: Any, needed: Set[str], optional: Set[str] = frozenset()) -> None:
    found = set(entry) if isinstance(entry, Mapping) else set()
    for problem, names in (("lacks", needed - found), ("has unknown", found - needed - optional)):
        if names:
            raise ValueError(f"{what} {problem} {', '.join(sorted(map(str, names)))}")


def _read_constant(name: str, entry: Any, unit: str) -> Constant:
    _check_keys(name, entry, _ENTRY, {"note", "distribution"})
    check_origin(name, entry)
    try:
        low, value, high = (parse(entry[key], unit) for key in ("low", "value", "high"))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if not low <= value <= high:
        raise ValueError(f"{name} is {entry['value']}, outside {entry['low']} to {entry['high']}")
    wide = high > _SPAN_OF_LOGARITHMIC * low > 0
    distribution = entry.get("distribution", "log_uniform" if wide else "uniform")
    if distribution not in _DISTRIBUTIONS:
        known = ", ".join(_DISTRIBUTIONS)
        raise ValueError(f"distribution of {name} is {distribution!r}; choose one of {known}")
    if distribution == "log_uniform" and low <= 0:
        raise ValueError(f"{name} is from {entry['low']}: a log_uniform one needs a positive low")
    return Constant(
        unit=unit,
        value=value,
        low=low,
        high=high,
        source=entry["source"],
        status=entry["status"],
        distribution=distribution,
    )
