"""Every mistake in the config is found before anything runs, and named."""

import json

import pytest
import yaml

from equinox.config import Config, load_config, merge, parse_config
from equinox.config.checks import from_json, to_jsonable
from equinox.config.colocation import Colocation, Fleet
from equinox.config.design_space import Budget, DesignSpace
from equinox.config.training import Task, Training, TrainingJob


@pytest.fixture
def values(repository):
    return yaml.safe_load((repository / "config/config.yaml").read_text())


@pytest.mark.parametrize("scale", ["default", "smoke", "full"])
def test_every_scale_is_valid(scale):
    assert load_config({"scale": scale}).scale == scale


def test_an_unknown_scale_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match=r"scale = 'smoek': .* \['default', .*'smoke'\]"):
        load_config({"scale": "smoek"})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"colocation": {"loads": [0.5, -1]}}, r"colocation.loads.1 = -1: .*greater than 0"),
        ({"colocation": {"lodas": [0.5]}}, r"colocation.lodas = .*did you mean 'loads'"),
        ({"training": {"tasks": {"mlp": {"epochs": "ten"}}}}, r"training.tasks.mlp.epochs = 'ten'"),
        ({"training": {"runs": {"cnn": {"fp32": 1}}}}, r"runs names the task 'cnn'"),
        ({"design_space": {"budget": {"power_w": None}}}, r"budget.power_w = None: .*valid number"),
        ({"nonsense": 1}, r"nonsense = 1: unknown key; known keys: colocation, data_dir"),
        ({"colocation": {"sensitivity": {"zz": 1}}}, r"zz = 1: unknown key; .*: adaptive_timeout"),
        ({"training": {"tasks": {"mlp": {"awd": {"zz": 1}}}}}, r"zz = 1: .*: activation_penalty"),
        ({"colocation": {"seeds": [1, 1]}}, r"colocation.seeds = \[1, 1\]: 1 is there twice"),
        ({"colocation": {"warm_up": 1}}, r"colocation.warm_up = 1: .*less than 1"),
        ({"colocation": {"fleet": {"pack_load": 0}}}, r"pack_load = 0: .*greater than 0"),
        ({"colocation": {"fleet": {"peak_to_trough": 0.5}}}, r"peak_to_trough = 0.5: .*equal to 1"),
        ({"data_dir": "/no/such/folder"}, r"data_dir = '/no/such/folder': there is no such folder"),
    ],
)
def test_a_mistake_is_named_with_key_value_and_rule(override, message):
    with pytest.raises(ValueError, match=message):
        load_config(override)


def test_all_mistakes_are_told_at_once(values):
    values["colocation"]["loads"] = [-1]
    values["training"]["tasks"]["mlp"]["epochs"] = 0
    with pytest.raises(ValueError, match="(?s)epochs.*loads"):
        parse_config(values)


def test_mixes_of_services_are_replaced_together():
    base = {"sharing": {"mixes": {"a": [1], "b": [2]}, "design": "d"}}
    merged = merge(base, {"sharing": {"mixes": {"c": [3]}}})
    assert merged == {"sharing": {"mixes": {"c": [3]}, "design": "d"}}


def test_a_wrong_item_of_a_list_is_one_line():
    service = {"workload": "lstm_2048_25"}
    for wrong, line in (
        ({"weight": 0}, "0.weight = 0: Input should be greater than 0"),
        ({"wight": 2}, "0.wight = 2: unknown key; did you mean 'weight'?"),
    ):
        with pytest.raises(ValueError, match="errors:") as caught:
            load_config({"colocation": {"sharing": {"mixes": {"mine": [service | wrong]}}}})
        assert str(caught.value).splitlines()[1:] == [f"  colocation.sharing.mixes.mine.{line}"]
    with pytest.raises(ValueError, match=r"mine = \[\]: .*at least 1 item"):
        load_config({"colocation": {"sharing": {"mixes": {"mine": []}}}})


def test_sections_merge_key_by_key_and_runs_are_replaced_by_task():
    base = {"a": {"b": 1, "c": {"d": 2}}, "runs": {"mlp": {"fp32": 3, "bf16": 3}, "lstm": {}}}
    over = {"a": {"c": {"f": 3}, "b": None}, "runs": {"mlp": {"fp32": 1}}}
    assert merge(base, over) == {
        "a": {"b": None, "c": {"d": 2, "f": 3}},
        "runs": {"mlp": {"fp32": 1}, "lstm": {}},
    }


def test_two_underscores_stand_for_a_section():
    flat = load_config({"design_space__budget__power_w": "150", "colocation__loads": [0.5]})
    nested = {"design_space": {"budget": {"power_w": 150}}, "colocation": {"loads": [0.5]}}
    assert flat == load_config(nested)
    assert flat.design_space.budget.area_mm2 == load_config({}).design_space.budget.area_mm2


def test_an_experiment_is_a_file_or_a_name_for_overrides():
    filed = load_config({"experiment": "more_power"})
    assert (filed.name, filed.design_space.budget.power_w) == ("default@more_power", 150)
    named = load_config({"experiment": "mine", "scale": "smoke", "design_space__max_rows": 9})
    assert (named.name, named.design_space.max_rows) == ("smoke@mine", 9)
    assert load_config({}).name == "default"
    both = load_config({"experiment": "more_power", "design_space__budget__power_w": 200})
    assert both.design_space.budget.power_w == 200


@pytest.mark.parametrize("name", ["more_powr", "a/b", "../x", ""])
def test_an_experiment_that_changes_nothing_or_is_no_folder_is_an_error(name):
    with pytest.raises(ValueError, match=r"experiment = .*\['7nm', .*'epfl', .*'more_power'"):
        load_config({"experiment": name})
    if name != "more_powr":
        with pytest.raises(ValueError, match="experiment"):
            load_config({"experiment": name, "design_space__max_rows": 9})


def test_a_training_job_depends_on_nothing_but_training():
    job = load_config({}).training_job("mlp", "fp32")
    other = load_config({"colocation": {"loads": [0.5]}, "design_space": {"max_rows": 8}})
    assert to_jsonable(other.training_job("mlp", "fp32")) == to_jsonable(job)


def test_a_job_survives_its_way_through_json():
    job = load_config({}).training_job("lstm", "hbfp8_16")
    assert from_json(TrainingJob, json.dumps(to_jsonable(job))) == job


@pytest.mark.parametrize(
    "section", [Config, Training, Task, DesignSpace, Budget, Colocation, Fleet, TrainingJob]
)
def test_every_section_forbids_unknown_keys(section):
    assert section.__pydantic_config__["extra"] == "forbid"
