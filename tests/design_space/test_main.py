import json
import sys
from dataclasses import replace

import pytest

from equinox.config.checks import to_jsonable
from equinox.design_space.__main__ import COMMANDS, main
from equinox.tables import read_table


@pytest.fixture(scope="module")
def make(config, repository, tmp_path_factory):
    """Return a function that runs one command and returns the path of its table."""
    folder = tmp_path_factory.mktemp("tables")
    small = replace(
        config, max_rows=20, widths=(16,), voltage_steps=3, monte_carlo_draws=1, encodings=("int8",)
    )
    options = {
        "config": json.dumps(to_jsonable(small)),
        "technology": str(repository / "config/technology/28nm.yaml"),
        "workload": str(repository / "config/workloads/lstm_2048_25.yaml"),
        "design-space": str(folder / "design_space.parquet"),
        "designs": str(folder / "designs.parquet"),
        "name": "default@other",
        "scale": "default",
    }

    def run(command, without=()):
        path = folder / f"{COMMANDS[command][0]}.parquet"
        arguments = ["equinox.design_space", command, "--output", str(path)]
        for option, value in options.items():
            if option not in without:
                arguments += [f"--{option}", value]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            main()
        return path

    return run


def test_every_command_makes_its_table(make):
    for command, (table, _, _) in COMMANDS.items():
        assert len(read_table(table, make(command)))


def test_a_missing_option_is_named(make, capsys):
    with pytest.raises(SystemExit):
        make("sweep", without=["workload"])
    assert "sweep needs workload" in capsys.readouterr().err
