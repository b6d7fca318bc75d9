"""Traces that a config names are read once, before a run."""

import os

import pytest

from equinox.named_traces import check_traces, trace_files
from equinox.plan import load_plan

SOUND = "time_s\n0\n1\n4\n"


def config(arrivals="poisson", profile="cosine", varied=()):
    """Return the simulations of a config with these arrivals."""
    changes = {
        "arrivals": str(arrivals),
        "fleet": {"profile": str(profile)},
        "sensitivity": {"arrivals": [str(name) for name in varied]},
    }
    return load_plan({"scale": "smoke", "colocation": changes}).colocation


def test_the_files_among_the_arrivals_are_known_by_their_keys(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(SOUND)
    none = {"arrivals": [], "sensitivity.arrivals": [], "fleet.profile": []}
    assert trace_files(config(varied=["gamma:4"])) == none
    assert trace_files(config(path, path, ["gamma:4", path])) == dict.fromkeys(none, [str(path)])


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("arrivals", lambda path: config(arrivals=path)),
        ("sensitivity.arrivals", lambda path: config(varied=["gamma:4", path])),
        ("fleet.profile", lambda path: config(profile=path)),
    ],
)
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("time_s\n0\n5\n4\n", "row 3 of the trace is 4.0, before row 2"),
        ("time_s\n", "no rows"),
        ("time_s\n-1\n0\n", "row 1 is -1, before time 0"),
        ("time_s\n0\nsoon\n", "row 2 is 'soon', not seconds"),
    ],
)
def test_a_trace_that_is_not_sound_is_told_with_its_key_file_and_row(
    tmp_path, key, where, text, rule
):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"colocation\.{key}: trace .*a\.csv: {rule}"):
        check_traces(where(path), tmp_path / "seen")
    assert not (tmp_path / "seen").exists()


def test_a_sound_trace_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path, seen = tmp_path / "a.csv", tmp_path / "seen"
    path.write_text(SOUND)
    reads = []
    monkeypatch.setattr("equinox.named_traces.read_trace", reads.append)
    for _ in range(2):
        check_traces(config(path, path), seen)
    assert reads == [str(path)]
    os.utime(path, ns=(0, 0))
    check_traces(config(path), seen)
    path.write_text(SOUND + "5\n")
    os.utime(path, ns=(0, 0))
    check_traces(config(path), seen)
    assert len(reads) == 3
    monkeypatch.setattr("equinox.named_traces.sources_hash", lambda module: "edited since")
    check_traces(config(path), seen)
    assert len(reads) == 4
