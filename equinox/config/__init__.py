"""The typed config: what to run. `parse_config` is the only way in; unknown keys are errors."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from equinox.config.checks import STRICT, FileName
from equinox.config.colocation import Colocation
from equinox.config.design_space import DesignSpace
from equinox.config.training import Training, TrainingJob
from equinox.yaml_files import read_yaml

CONFIG_DIR = Path(__file__).parents[2] / "config"


@final
@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that a run of the workflow depends on, but for data, constants and code."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    scale: str
    experiment: FileName | None = None  # its results lie beside those of the scale
    data_dir: str | None
    download: bool = False  # fetch missing public data into data_dir
    training: Training
    design_space: DesignSpace
    colocation: Colocation

    @property
    def name(self) -> str:
        """The folder of the results: the scale, and the experiment if there is one."""
        return f"{self.scale}@{self.experiment}" if self.experiment else self.scale

    def training_jobs(self) -> list[TrainingJob]:
        """Return all training jobs."""
        runs = self.training.runs
        return [self.training_job(task, name) for task in runs for name in runs[task]]

    def training_job(self, task: str, encoding: str) -> TrainingJob:
        """Return what the training job of one task in one encoding depends on."""
        return TrainingJob(
            name=task,
            task=self.training.tasks[task],
            encoding=encoding,
            definition=self.training.encodings.get(encoding),
            boost=self.training.boosts.get(encoding),
            seeds=tuple(range(self.training.runs[task][encoding])),
            data_dir=self.data_dir,
            device=self.training.device,
            processes=self.training.tasks[task].processes(self.training.processes),
            autocast=self.training.autocast,
        )


_ADAPTER = TypeAdapter(Config)


def parse_config(values: Mapping[str, Any]) -> Config:
    """Return `values` as a Config.

    Raises:
        ValueError: a key is unknown or missing, or a value has the wrong type or is out of range;
            the message has one line for each, with key, value and rule.
    """
    try:
        config = _ADAPTER.validate_python(values)
    except ValidationError as error:
        raise ValueError(_explain(error)) from None
    _check_references(config)
    return config


def load_config(overrides: Mapping[str, Any]) -> Config:
    """Return config/config.yaml, changed by the files of scale and experiment, and by `overrides`.

    Scale and experiment are those that `overrides` name: the scale `default`, and no experiment,
    where they do not. An experiment needs no file: it may be a name for what is overridden. A key
    of `overrides` may stand for one in sections: a__b__c for {a: {b: {c: ...}}}.

    Raises:
        ValueError: as of `parse_config`, or there is no such scale, or an experiment without a file
            overrides nothing.
    """
    overrides = _unfold(overrides)
    scale = overrides.get("scale", "default")
    known = ["default", *sorted(path.stem for path in (CONFIG_DIR / "scales").glob("*.yaml"))]
    if scale not in known:
        raise ValueError(f"scale = {scale!r}: there is no such scale; there are {known}")
    values = read_yaml(CONFIG_DIR / "config.yaml")
    if scale != "default":
        values = merge(values, read_yaml(CONFIG_DIR / "scales" / f"{scale}.yaml"))
    if overrides.get("experiment") is not None:
        values = merge(values, _experiment(overrides))
    return parse_config(merge(values, overrides))


def _unfold(overrides: Mapping[str, Any]) -> dict[str, Any]:
    unfolded: dict[str, Any] = {}
    for key, value in overrides.items():
        *sections, last = key.split("__")
        part: dict[str, Any] = {last: value}
        for section in reversed(sections):
            part = {section: part}
        unfolded = merge(unfolded, part)
    return unfolded


def _experiment(overrides: Mapping[str, Any]) -> dict[str, Any]:
    name = overrides["experiment"]
    if not isinstance(name, str):
        return {}  # parse_config says that it is no name
    known = {path.stem: path for path in (CONFIG_DIR / "experiments").glob("*.yaml")}
    if name in known:
        return read_yaml(known[name])
    if not set(overrides) - {"scale", "experiment"}:
        raise ValueError(
            f"experiment = {name!r}: it changes nothing; override something too, such as "
            f"design_space__budget__power_w=150, or choose one of {sorted(known)}"
        )
    return {}


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over`: sections key by key, all else replaced.

    The entries of `runs` are selections, not sections: an entry in `over` replaces that of `base`
    as a whole.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if not (isinstance(old, Mapping) and isinstance(value, Mapping)):
            merged[key] = value
        elif key == "runs":
            merged[key] = {**old, **value}
        else:
            merged[key] = merge(old, value)
    return merged


def _explain(error: ValidationError) -> str:
    lines = ["the config (config/config.yaml, config/scales, --config) has errors:"]
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            message = "unknown key" + _suggest(item["loc"])
        elif item["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
            message = "missing; give it a value"
        lines.append(f"  {key} = {_shorten(item['input'])}: {message}")
    return "\n".join(lines)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggest(location: tuple[int | str, ...]) -> str:
    known = _known_keys(location)
    close = get_close_matches(str(location[-1]), sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(sorted(known))}"


def _known_keys(location: tuple[int | str, ...]) -> set[str]:
    """Return the keys of the section that `location` is in."""
    schema = _ADAPTER.json_schema()
    parts: list[Mapping[str, Any]] = [schema]
    for key in location:
        known = {name for part in parts for name in part.get("properties", {})}
        inside = [part.get("properties", {}).get(key) for part in parts]
        inside += [part.get("additionalProperties") for part in parts]
        parts = [
            leaf for part in inside if isinstance(part, dict) for leaf in _leaves(part, schema)
        ]
    return known


def _leaves(part: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what `part` of `schema` refers to, and each of its alternatives."""
    if "$ref" in part:
        return _leaves(schema["$defs"][part["$ref"].rsplit("/", 1)[-1]], schema)
    return [part, *(leaf for option in part.get("anyOf", ()) for leaf in _leaves(option, schema))]


def _check_references(config: Config) -> None:
    unknown = sorted(set(config.training.runs) - set(config.training.tasks))
    if unknown:
        raise ValueError(
            f"training.runs names the task {unknown[0]!r}, which training.tasks does not define; "
            f"defined are {sorted(config.training.tasks)}"
        )
    if config.data_dir is not None and not os.path.isdir(config.data_dir):
        raise ValueError(
            f"data_dir = {config.data_dir!r}: there is no such folder; leave it out for the data "
            "that come with the product"
        )
