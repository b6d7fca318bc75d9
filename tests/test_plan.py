"""Every name in the config is known before anything runs."""

import re

import pytest

from equinox.config import CONFIG_DIR
from equinox.plan import load_plan, training_name


@pytest.mark.parametrize("scale", ["default", "smoke", "full"])
def test_every_scale_names_only_what_there_is(scale):
    assert load_plan({"scale": scale}).scale == scale


@pytest.mark.parametrize("path", sorted(CONFIG_DIR.glob("experiments/*.yaml")), ids=str)
def test_every_experiment_has_a_plan_says_what_it_teaches_and_trains_only_if_it_must(path):
    config = load_plan({"experiment": path.stem})
    assert config.name == f"default@{path.stem}"
    trains = path.stem == "mx"  # the one that adds encodings to train
    assert training_name(config) == ("default@mx" if trains else "default")
    assert re.search(r"^#.*\bTeaches\b", path.read_text(), re.MULTILINE)


def test_an_experiment_on_training_has_runs_of_its_own():
    changed = {"training": {"tasks": {"mlp": {"epochs": 2}}}}
    assert training_name(load_plan({"experiment": "short", **changed})) == "default@short"
    fewer = {"training": {"runs": {"mlp": {"fp32": 6}}}}
    assert training_name(load_plan({"experiment": "fewer", **fewer})) == "default"
    assert training_name(load_plan(changed)) == "default"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"design_space": {"technology": "5nm"}}, r"technology = '5nm' is not known; .*'28nm'"),
        ({"design_space": {"workload": "lstm"}}, r"workload = 'lstm' .*'lstm_2048_25'"),
        ({"training": {"runs": {"mlp": {"hbfp8_61": 1}}}}, r"runs.mlp = 'hbfp8_61'.*'hbfp8_16'\?"),
        ({"colocation": {"schedulings": ["prioritty"]}}, r"did you mean 'priority'\?"),
        ({"colocation": {"batchings": ["none"]}}, r"batchings = 'none' is not known"),
        ({"colocation": {"encoding": "hbfp2"}}, r"colocation.encoding = 'hbfp2'"),
        ({"colocation": {"designs": ["600us"]}}, r"colocation.designs = '600us' .*'500us'\?"),
        ({"colocation": {"sensitivity": {"design": "fast"}}}, r"sensitivity.design = 'fast'"),
        ({"colocation": {"arrivals": "gama:4"}}, r"colocation.arrivals: .*'gama:4'; processes are"),
        ({"colocation": {"arrivals": "no.csv"}}, r"colocation.arrivals = 'no.csv': .*no such file"),
        (
            {"colocation": {"sensitivity": {"arrivals": ["weibull:0"]}}},
            r"sensitivity.arrivals: .*0",
        ),
        ({"colocation": {"fleet": {"profile": "sine"}}}, r"fleet.profile = 'sine': .*'cosine'"),
        (
            {"training": {"encodings": {"odd": {"base": "hbfp8_16", "mantissas": 3}}}},
            r"odd.*mantissas",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones(override, message):
    with pytest.raises(ValueError, match=message):
        load_plan(override)


def test_a_boost_of_an_unknown_encoding_is_told():
    boosts = {"training": {"boosts": {"odd": {"first": "hbfp4_16", "last": "hbfp9"}}}}
    with pytest.raises(ValueError, match=r"training.boosts.odd.last = 'hbfp9' is not known"):
        load_plan(boosts)
