"""The typed config: what to run. `parse_config` is the only way in; unknown keys are errors."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from equinox.config.checks import STRICT, FileName
from equinox.config.colocation import Colocation
from equinox.config.design_space import DesignSpace
from equinox.config.records import problems, where
from equinox.config.training import Training, TrainingJob
from equinox.yaml_files import Key, read_yaml

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


def parse_config(
    values: Mapping[str, Any],
    files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """Return `values`, merged from `files` (the last one first) and `overrides`, as a Config.

    Raises:
        ValueError: a key is unknown or missing, or a value has the wrong type or is out of range;
            the message has one line for each, with key, value and rule, and file and line.
    """
    try:
        config = TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        raise ValueError(_explain(error, files, overrides or {})) from None
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
    files = [CONFIG_DIR / "config.yaml"]
    if scale != "default":
        files.append(CONFIG_DIR / "scales" / f"{scale}.yaml")
    if overrides.get("experiment") is not None:
        files += _experiment_files(overrides)
    values: dict[str, Any] = {}
    for path in files:
        values = merge(values, read_yaml(path))
    return parse_config(merge(values, overrides), files[::-1], overrides)


def _unfold(overrides: Mapping[str, Any]) -> dict[str, Any]:
    unfolded: dict[str, Any] = {}
    for key, value in overrides.items():
        *sections, last = key.split("__")
        part: dict[str, Any] = {last: value}
        for section in reversed(sections):
            part = {section: part}
        unfolded = merge(unfolded, part)
    return unfolded


def _experiment_files(overrides: Mapping[str, Any]) -> list[Path]:
    name = overrides["experiment"]
    if not isinstance(name, str):
        return []  # parse_config says that it is no name
    known = {path.stem: path for path in (CONFIG_DIR / "experiments").glob("*.yaml")}
    if name in known:
        return [known[name]]
    if not set(overrides) - {"scale", "experiment"}:
        raise ValueError(
            f"experiment = {name!r}: it changes nothing; override something too, such as "
            f"design_space__budget__power_w=150, or choose one of {sorted(known)}"
        )
    return []


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over`: sections key by key, all else replaced.

    The entries of `runs` are selections, not sections: an entry in `over` replaces that of `base`
    as a whole. So do `mixes`, all together.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if key == "mixes" or not (isinstance(old, Mapping) and isinstance(value, Mapping)):
            merged[key] = value
        elif key == "runs":
            merged[key] = {**old, **value}
        else:
            merged[key] = merge(old, value)
    return merged


def _explain(error: ValidationError, files: Sequence[Path], overrides: Mapping[str, Any]) -> str:
    lines = ["the config (config/config.yaml, config/scales, --config) has errors:"]
    for key, problem in problems(Config, error):
        found = files and not _is_in(overrides, key) and where(files, key)
        lines.append(f"  {'.'.join(map(str, key))} = {problem}{f' ({found})' if found else ''}")
    return "\n".join(lines)


def _is_in(values: Any, keys: Sequence[Key]) -> bool:
    for key in keys:
        if not (isinstance(values, Mapping) and key in values):
            return isinstance(values, Sequence)
        values = values[key]
    return True


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
