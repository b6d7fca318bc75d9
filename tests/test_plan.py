"""Every name in the config is known before anything runs."""

import re
import subprocess
import sys

import pytest

from equinox.config import CONFIG_DIR
from equinox.plan import comparisons, load_plan, training_folders, why_not_compared
from equinox.training.names import MODELS
from equinox.training.problems import _MAKERS


@pytest.mark.parametrize("scale", ["default", "smoke", "full"])
def test_every_scale_names_only_what_there_is(scale):
    assert load_plan({"scale": scale}).scale == scale


@pytest.mark.parametrize("path", sorted(CONFIG_DIR.glob("experiments/*.yaml")), ids=str)
def test_every_experiment_has_a_plan_says_what_it_teaches_and_trains_only_if_it_must(path):
    config = load_plan({"experiment": path.stem})
    assert config.name == f"default@{path.stem}"
    own = {run for run, folder in training_folders(config).items() if folder == config.name}
    formats = {"mxint8", "mxfp8_e4m3", "mxfp4"}  # what the scale does not train in
    mx = {(task, encoding) for task in ("mlp", "resnet") for encoding in formats}
    assert own == (mx if path.stem == "mx" else set())
    assert re.search(r"^#.*\bTeaches\b", path.read_text(), re.MULTILINE)


def test_an_experiment_on_training_has_runs_of_its_own():
    changed = {"training": {"tasks": {"mlp": {"epochs": 2}}}}
    folders = training_folders(load_plan({"experiment": "short", **changed}))
    assert folders["mlp", "fp32"] == "default@short"
    assert folders["resnet", "fp32"] == "default"
    fewer = {"training": {"runs": {"mlp": {"fp32": 6}}}}
    assert set(training_folders(load_plan({"experiment": "fewer", **fewer})).values()) == {
        "default"
    }
    assert set(training_folders(load_plan(changed)).values()) == {"default"}


def test_an_experiment_is_compared_in_what_it_has_of_its_own_and_the_scale_has_too(tmp_path):
    more_power, mx = (load_plan({"experiment": name}) for name in ("more_power", "mx"))
    assert comparisons(load_plan({}), tmp_path) == ()
    assert comparisons(mx, tmp_path) == ("comparison",)
    tables = tmp_path / "default" / "tables"
    tables.mkdir(parents=True)
    for name in ("equivalence", "operating_points", "sharing"):
        (tables / f"{name}.parquet").touch()
    both = ("colocation_comparison", "sharing_comparison")
    assert comparisons(more_power, tmp_path) == ("comparison", *both)
    assert comparisons(mx, tmp_path) == ("comparison", "accuracy_comparison", *both)


def test_a_table_that_cannot_be_compared_says_why_with_the_command_that_helps(tmp_path):
    mx = load_plan({"experiment": "mx", "scale": "smoke"})
    assert why_not_compared(mx, "designs", tmp_path) is None
    assert why_not_compared(mx, "comparison", tmp_path) is None
    for table, source in (("accuracy", "equivalence"), ("colocation", "operating_points")):
        reason = why_not_compared(mx, f"{table}_comparison", tmp_path)
        assert "experiment = 'mx' beside scale = 'smoke'" in reason
        assert reason.endswith(f"\n    snakemake {source} --config scale=smoke")
    assert "trains nothing" in why_not_compared(
        load_plan({"experiment": "hbm3"}), "accuracy_comparison", tmp_path
    )
    assert "none is named" in why_not_compared(load_plan({}), "sharing_comparison", tmp_path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"design_space": {"technology": "5nm"}}, r"technology = '5nm' is not known; .*'28nm'"),
        ({"design_space": {"workload": "lstm"}}, r"workload = 'lstm' .*'lstm_2048_25'"),
        ({"training": {"runs": {"mlp": {"hbfp8_61": 1}}}}, r"runs.mlp = 'hbfp8_61'.*'hbfp8_16'\?"),
        (
            {"training": {"tasks": {"lstm": {"model": "lsmt"}}}},
            r"training.tasks.lstm.model = 'lsmt' .* mean 'lstm'\?",
        ),
        (
            {"training": {"tasks": {"mlp": {"dataset": "fashion-mnist"}}}},
            r"training.tasks.mlp.dataset = 'fashion-mnist' .* mean 'fashion_mnist'\?.*'cifar100'",
        ),
        ({"colocation": {"schedulings": ["prioritty"]}}, r"did you mean 'priority'\?"),
        ({"colocation": {"batchings": ["none"]}}, r"batchings = 'none' is not known"),
        ({"colocation": {"encoding": "hbfp2"}}, r"colocation.encoding = 'hbfp2'"),
        ({"colocation": {"designs": ["600us"]}}, r"colocation.designs = '600us' .*'500us'\?"),
        ({"colocation": {"sensitivity": {"design": "fast"}}}, r"sensitivity.design = 'fast'"),
        ({"colocation": {"arrivals": "gama:4"}}, r"colocation.arrivals: .*'gama:4'; processes are"),
        ({"colocation": {"arrivals": "no.csv"}}, r"colocation.arrivals = 'no.csv': .*no such file"),
        ({"colocation": {"arrivals": "a{b}.csv"}}, r"reads braces in a path as a wildcard; rename"),
        (
            {"colocation": {"sensitivity": {"arrivals": ["weibull:0"]}}},
            r"sensitivity.arrivals: .*0",
        ),
        (
            {"colocation": {"sharing": {"mixes": {"odd": [{"workload": "lstm"}]}}}},
            r"sharing.mixes = 'lstm' is not known",
        ),
        ({"colocation": {"sharing": {"orders": ["last"]}}}, r"sharing.orders = 'last' .*'listed'"),
        (
            {"colocation": {"sharing": {"schedulings": ["training_only"]}}},
            r"sharing.schedulings = 'training_only' is not known",
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


def test_a_folder_in_data_dir_is_a_data_set_and_a_task_that_does_not_run_needs_none(tmp_path):
    (tmp_path / "own").mkdir()
    task = {"training": {"tasks": {"mlp": {"dataset": "own"}}}}
    assert load_plan({"data_dir": str(tmp_path), **task})
    with pytest.raises(ValueError, match=r"tasks.mlp.dataset = 'own' is not known"):
        load_plan(task)
    assert load_plan({"training": {**task["training"], "runs": {"mlp": {}}}})


def test_a_plan_knows_the_models_that_are_trained_without_their_library():
    assert list(MODELS) == list(_MAKERS)
    code = "import sys, equinox.plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_boost_of_an_unknown_encoding_is_told():
    boosts = {"training": {"boosts": {"odd": {"first": "hbfp4_16", "last": "hbfp9"}}}}
    with pytest.raises(ValueError, match=r"training.boosts.odd.last = 'hbfp9' is not known"):
        load_plan(boosts)
