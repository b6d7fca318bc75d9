"""Technologies as files: config/technology/<name>.yaml, whole or as what differs from another.

A new technology is a file.
"""

from collections.abc import Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_type_hints

from annotated_types import MaxLen
from pydantic import Strict, StringConstraints

from equinox.accelerator.components import check_components, check_origin, read_bank
from equinox.accelerator.technology import CHOICES, Constant, Distribution, Technology
from equinox.config.records import check_record, found_in
from equinox.units import parse
from equinox.yaml_files import read_yaml

TECHNOLOGIES = Path(__file__).parents[2] / "config" / "technology"

_DISTRIBUTIONS: Final = get_args(Distribution)
_SPAN_OF_LOGARITHMIC: Final = 3.0  # high over low above which the default is log-uniform
_ENTRY: Final = {"value", "low", "high", "source", "status"}

_BaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_Text = Annotated[str, MaxLen(1000)]  # a message that names it can be read
_Entry = Mapping[_Text, _Text | Annotated[float, Strict()]]
_KINDS: Final[Mapping[str, Any]] = {
    "choices": Mapping[_Text, _Text],
    "constants": Mapping[_Text, _Entry],
    "components": Mapping[str, Any],
    "banks": Mapping[_Text, _Entry],
}


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
    files = technology_files(technology)
    values: dict[str, Any] = {}
    for path in reversed(files):
        own = read_yaml(path)
        with found_in([path]):
            _check_keys("file", own, set() if values else set(_KINDS), {*_KINDS, "base"})
        for section in own.keys() & _KINDS:
            own[section] = check_record(_KINDS[section], own[section], [path], [section])
        values = _merge(values, own)
    return _technology(files, values)


def _technology(files: Sequence[Path], values: Mapping[str, Any]) -> Technology:
    with found_in(files, "choices"):
        _check_keys("choices", values["choices"], set(CHOICES))
    with found_in(files, "constants"):
        _check_keys("constants", values["constants"], set(_units()))
    constants = {}
    for name, unit in _units().items():
        with found_in(files, "constants", name):
            constants[name] = _read_constant(name, values["constants"][name], unit)
    with found_in(files, "components"):
        check_origin("components", values["components"])
    banks = {}
    for name, entry in values["banks"].items():
        with found_in(files, "banks", name):
            banks[name] = read_bank(name, entry)
    read = Technology(
        name=files[0].stem,
        components=check_components(values["components"], files),
        banks=banks,
        constants=constants,
        **values["choices"],
        **{name: constant.value for name, constant in constants.items()},  # type: ignore[arg-type]
    )
    for choice, name in values["choices"].items():
        with found_in(files, "choices", choice):
            read.with_choice(choice, name)
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
        with found_in(files[-1:], "base"):
            if not path.exists():
                known = ", ".join(sorted(found.stem for found in path.parent.glob("*.yaml")))
                raise ValueError(f"no technology {path.stem}; known are {known}")
            if path in files:
                raise ValueError(f"{path} is based on itself; let one of the files have no base")
        files.append(path)
        base = read_yaml(path).get("base")
        if base is None:
            return files
        base = check_record(_BaseName, base, [path], ["base"])
        path = path.with_name(f"{base}.yaml")


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the entries of `over`; an entry is replaced as a whole."""
    merged = dict(base)
    for section, entries in over.items():
        if section == "components":
            merged[section] = entries
        elif section != "base":
            merged[section] = {**merged.get(section, {}), **entries}
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
