"""What the tests of figures share: their names, and tables to draw."""

from collections.abc import Iterator

import pytest

from equinox.figures._save import house_style


@pytest.fixture(autouse=True)
def _in_house_style() -> Iterator[None]:
    with house_style():
        yield
