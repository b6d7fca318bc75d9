"""What all tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_product, snakemake


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def made(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which a whole run at scale smoke, made small, has just ended, on all cores.

    With EQUINOX_LONG=1 in the environment, scale smoke is what users have.
    """
    small = not os.environ.get("EQUINOX_LONG")
    folder = copy_product(repository, tmp_path_factory.mktemp("made") / "product", small=small)
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    yield folder
    shutil.rmtree(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with tests of the workflow: the longest chain, beside which the others run."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
