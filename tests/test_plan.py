"""Every name in the config is known before anything runs."""

import re

import pytest

from equinox.config import CONFIG_DIR
from equinox.plan import load_plan, training_folder


@pytest.mark.parametrize("scale", ["default", "smoke"])
def test_every_scale_names_only_what_there_is(scale):
    assert load_plan({"scale": scale}).scale == scale


def folders(config):
    runs = config.training.runs
    return {
        (task, name): training_folder(config, task, name) for task in runs for name in runs[task]
    }


EXPERIMENTS = sorted(path.stem for path in CONFIG_DIR.glob("experiments/*.yaml"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_plan_and_a_comment_on_what_it_teaches(name):
    config = load_plan({"experiment": name})
    assert config.name == f"default@{name}"
    text = (CONFIG_DIR / "experiments" / f"{name}.yaml").read_text()
    assert re.search(r"^#.*\bTeaches\b", text, re.MULTILINE)


@pytest.mark.parametrize("name", sorted({*EXPERIMENTS} - {"mx"}))
def test_an_experiment_on_hardware_or_requests_trains_nothing_again(name):
    assert set(folders(load_plan({"experiment": name})).values()) == {"default"}


def test_an_experiment_that_adds_encodings_trains_those_alone():
    found = folders(load_plan({"experiment": "mx"}))
    own = {run for run, folder in found.items() if folder == "default@mx"}
    assert own
    assert {encoding for _, encoding in own} == {"mxint8", "mxfp8_e4m3", "mxfp4"}


def test_an_experiment_on_training_has_runs_of_its_own():
    changed = {"training": {"tasks": {"mlp": {"epochs": 2}}}}
    found = folders(load_plan({"experiment": "short", **changed}))
    assert {folder for (task, _), folder in found.items() if task == "mlp"} == {"default@short"}
    assert {folder for (task, _), folder in found.items() if task != "mlp"} == {"default"}
    assert set(folders(load_plan(changed)).values()) == {"default"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"design_space": {"technology": "5nm"}}, r"technology = '5nm' is not known; .*'28nm'"),
        ({"design_space": {"workload": "lstm"}}, r"workload = 'lstm' .*'lstm_2048_25'"),
        ({"training": {"runs": {"mlp": {"hbfp8_61": 1}}}}, r"runs.mlp = 'hbfp8_61'.*'hbfp8_16'\?"),
        ({"colocation": {"schedulings": ["prioritty"]}}, r"did you mean 'priority'\?"),
        ({"colocation": {"batchings": ["none"]}}, r"batchings = 'none' is not known"),
        ({"colocation": {"encoding": "hbfp2"}}, r"colocation.encoding = 'hbfp2'"),
        (
            {"training": {"encodings": {"odd": {"base": "hbfp8_16", "mantissas": 3}}}},
            r"odd.*mantissas",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones(override, message):
    with pytest.raises(ValueError, match=message):
        load_plan(override)
