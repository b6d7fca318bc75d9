"""What the package imports, and when."""

import subprocess
import sys

import pytest

import equinox.colocation


def test_the_plan_of_a_run_imports_no_compiler():
    code = "import sys, equinox.plan; sys.exit(bool({'numba', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there():
    for name in equinox.colocation.__all__:
        assert getattr(equinox.colocation, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        equinox.colocation.simulat  # noqa: B018
