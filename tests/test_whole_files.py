"""Files that are there as a whole or not at all."""

import os
import subprocess
import sys

import pytest

from equinox.whole_files import written_whole

WRITER = """
import sys
from pathlib import Path
from equinox.whole_files import written_whole
path, text = sys.argv[1:]
with written_whole(path) as partial:
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        print("half", flush=True)
        sys.stdin.readline()
        file.write(text)
"""


def write(path, text):
    """Start a process that writes `text` twice, and wait for its first half."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "half\n"
    return process


def finish(process):
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


def test_of_two_processes_that_write_at_once_the_last_one_decides_with_all_it_wrote(tmp_path):
    path = tmp_path / "some[1] table.txt"
    first, second = write(path, "one "), write(path, "two ")
    assert not path.exists()
    finish(second)
    assert path.read_text() == "two two "
    finish(first)
    assert path.read_text() == "one one "
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_live_one_writes_is_not(
    tmp_path,
):
    path = tmp_path / "table[2].txt"
    killed, alive = write(path, "killed "), write(path, "alive ")
    killed.kill()
    killed.communicate()
    assert len(list(tmp_path.iterdir())) == 2
    with written_whole(path) as partial:
        assert len(list(tmp_path.iterdir())) == 1
        partial.write_text("whole")
    assert path.read_text() == "whole"
    finish(alive)
    assert path.read_text() == "alive alive "
    assert os.listdir(tmp_path) == [path.name]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("before")
    with pytest.raises(AttributeError), written_whole(path) as partial:
        partial.write_text("half").close()  # a number has no close
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == [path.name]


def test_a_file_where_the_folder_belongs_is_told_with_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "table.txt"
    with pytest.raises(OSError, match=r"table\.txt cannot be written"), written_whole(path):
        pass
