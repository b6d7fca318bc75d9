"""What all tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with tests of the workflow: the longest chain, beside which the others run."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
