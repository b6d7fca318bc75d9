"""A job that fails says what was wrong and what to do, in one line."""

import errno
import re

import pytest

from equinox.commands import TRACEBACK, explain, run


def failing(error: Exception):
    def main() -> None:
        raise error

    return main


def test_a_mistake_ends_with_its_message_and_code_one(capsys):
    with pytest.raises(SystemExit) as ended:
        run(failing(ValueError("loads = -1: above 0, please")))
    assert str(ended.value).startswith("error: loads = -1: above 0, please")


def test_a_traceback_is_there_for_those_who_ask(monkeypatch):
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(ValueError, match="loads"):
        run(failing(ValueError("loads = -1")))


def test_a_bug_keeps_its_traceback():
    with pytest.raises(KeyError):
        run(failing(KeyError("x")))


def test_success_says_nothing(capsys):
    run(lambda: None)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.parquet"), "a.parquet.*free some"),
        (OSError(errno.EROFS, "Read-only file system", "a"), "make the folder writable"),
        (OSError(errno.EACCES, "Permission denied", "a"), "make it accessible"),
        (MemoryError("Unable to allocate 9 GiB"), "9 GiB.*mem_mb"),
    ],
)
def test_causes_outside_the_product_come_with_a_remedy(error, words):
    assert re.search(words, explain(error))
