"""No file of a technology, a workload or claims, however broken, ends in a traceback."""

import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from equinox.accelerator import (
    load_technology,
    load_workload,
    technology_file,
    unit_cost,
    workloads,
)
from equinox.config import records
from equinox.report.chapters import read_chapters
from equinox.report.claims import read_claims
from equinox.yaml_files import read_yaml
from tests.config.test_fuzz import NASTY, broken

FILES = 10_000 if os.environ.get("EQUINOX_LONG") else 2_000
DAMAGES = 40
NASTY_IN_YAML = [value for value in NASTY if type(value) not in (object, set, complex, tuple)]
LINES = ["- [", "a: *b", "&x", "\t: 1", "? [a]", "a: 1\na: 1", "%", "!!python/object:os.system {}"]


def load_cost(path: Path) -> None:
    """Load a technology, and use all of its tables."""
    technology = load_technology(path)
    for encoding in ("hbfp8_16", "bf16", "int8"):
        unit_cost(encoding, 16, technology)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "technology": ("config/technology/28nm.yaml", load_cost),
    "technology_on_another": ("config/technology/7nm.yaml", load_cost),
    "workload": ("config/workloads/lstm_2048_25.yaml", load_workload),
    "claims": ("config/published.yaml", read_claims),
    "chapters": ("equinox/report/chapters.yaml", partial(read_chapters, {})),
}


def answer(read: Callable[[Path], object], path: Path) -> str:
    """Return the message, or nothing for a file that is valid; anything else is a failure."""
    try:
        read(path)
    except ValueError as error:
        return str(error)
    return ""


def damaged(text: str, chance: random.Random) -> str:
    """Return `text` as a slip of the hand, or of a disk, leaves it."""
    lines = text.splitlines()
    place = chance.randrange(len(lines))
    match chance.choice(["cut", "drop", "twice", "insert", "indent", "byte"]):
        case "cut":
            return text[: chance.randrange(len(text))]
        case "drop":
            del lines[place]
        case "twice":
            lines.insert(place, lines[place])
        case "insert":
            lines.insert(place, chance.choice(LINES))
        case "indent":
            lines[place] = "   " + lines[place]
        case _:
            spot = chance.randrange(len(text))
            return text[:spot] + chance.choice("\x00{[*&!|>%@`'\":") + text[spot + 1 :]
    return "\n".join(lines)


@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_text_is_read_or_answered_in_a_line_with_its_file(repository, tmp_path, kind):
    source, read = READERS[kind]
    text, chance = (repository / source).read_text(), random.Random(7)
    path = tmp_path / "mine.yaml"
    for base in (repository / "config/technology").glob("*.yaml"):
        (tmp_path / base.name).write_bytes(base.read_bytes())
    told = []
    for _ in range(DAMAGES):
        path.write_text(damaged(text, chance))
        told.append(answer(read, path))
    told = [message for message in told if message]
    assert len(told) > DAMAGES // 4
    for message in told:
        assert "\n" not in message
        assert message.startswith(str(path)), message
    assert sum(", line " in message for message in told) > 0.9 * len(told)


@pytest.mark.parametrize("kind", ["technology", "workload"])
def test_thousands_of_broken_files_are_valid_or_answered(repository, monkeypatch, kind):
    source, read = READERS[kind]
    values, chance = read_yaml(repository / source), random.Random(2020)
    module = technology_file if kind == "technology" else workloads
    monkeypatch.setattr(records, "find_line", lambda path, keys: (1, 1))  # for speed
    told = []
    for _ in range(FILES):
        wrong = broken(values, chance, NASTY_IN_YAML)
        monkeypatch.setattr(module, "read_yaml", lambda path, wrong=wrong: wrong)
        told.append(answer(read, repository / source))
    told = [message for message in told if message]
    assert len(told) > FILES // 2
    for message in told:
        assert "\n" not in message
        assert len(message) < 2_000, message


@pytest.mark.parametrize("value", NASTY_IN_YAML, ids=lambda value: repr(value)[:20])
def test_a_file_of_a_nasty_value_is_answered_with_its_name(tmp_path, value):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(value))
    for _, read in READERS.values():
        assert str(path) in answer(read, path)


def test_levels_without_end_aliases_and_folders_are_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    for text in ("[" * 100_000, "a: " * 3 + "1", "a: &a [*a]", "a: &a {}\nb: *a", "- " * 100_000):
        path.write_text(text)
        with pytest.raises(ValueError, match="mine.yaml, line 1|mine.yaml, line 2"):
            read_yaml(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read_yaml(tmp_path)


def test_a_mistake_is_told_with_the_line_that_it_is_in(repository, tmp_path):
    text = (repository / "config/technology/28nm.yaml").read_text()
    lines = text.splitlines()
    line = next(n for n, found in enumerate(lines) if found == "  clock_share:")
    lines[line + 1] = "    value: fast"
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(lines))
    expected = rf"mine\.yaml, line {line + 1}: clock_share: 'fast' is not a quantity of 1; write a"
    with pytest.raises(ValueError, match=expected):
        load_technology(path)


def test_an_entry_of_the_base_is_told_with_the_file_of_the_base(repository, tmp_path):
    text = (repository / "config/technology/28nm.yaml").read_text()
    (tmp_path / "base.yaml").write_text(text.replace("    value: 1 GHz", "    value: 9 GHz"))
    (tmp_path / "mine.yaml").write_text("base: base\nconstants: {}\n")
    with pytest.raises(ValueError, match=r"base\.yaml, line \d+: nominal_frequency_hz is 9 GHz"):
        load_technology(tmp_path / "mine.yaml")


def test_a_layer_is_told_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("source: s\nupdate_op_per_weight: 4\nlayers:\n  - {name: a, k: 1, n: 0}\n")
    expected = r"mine\.yaml, line 4: layers\.0\.n = 0: .*greater than or equal to 1"
    with pytest.raises(ValueError, match=expected):
        load_workload(path)
