"""Every name in the config is known before anything runs."""

import pytest

from equinox.plan import load_plan


@pytest.mark.parametrize("scale", ["default", "smoke"])
def test_every_scale_names_only_what_there_is(scale):
    assert load_plan({"scale": scale}).scale == scale


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
