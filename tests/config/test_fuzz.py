"""No config, however broken, ends in anything but an answer that names what is wrong."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import pytest

from equinox import plan
from equinox.config import load_config, merge, parse_config
from equinox.config.checks import to_jsonable
from equinox.plan import check_plan

CONFIGS = 10_000
#: What people and programs write where something else belongs.
NASTY = [
    *(None, True, False, 0, -1, 1, 2**63, -(2**70), 0.5, 1e308, -0.0),
    *(float("nan"), float("inf"), "", " ", "nan", "1e400", "ten", "é", "a" * 5000, "\x00", "\n"),
    *("$(touch x)", "; rm -rf .", "../../etc", "{}", "[]", "%s%s", "!!python/object:os.system"),
    *([], [[]], [None], [1, "a"], {}, {"": 1}, {None: 1}, {1: 2}, {"a": {"b": {}}}, b"bytes"),
    *(object(), {1, 2}, (1, 2), 1j, "hbfp8_16", "28nm", "fp32", "priority"),
]


def paths(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside `values`."""
    items: Any = ()
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, list):
        items = enumerate(values)
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def at(values: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at `path`."""
    for key in path:
        values = values[key]
    return values


def broken(
    values: dict[str, Any], chance: random.Random, nasty: Sequence[Any] = NASTY
) -> dict[str, Any]:
    """Return `values` with one to three places replaced, removed, renamed or filled from others."""
    whole, values = values, copy.deepcopy(values)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(list(paths(values)))
        place = at(values, tuple(way))
        match chance.choice(["replace", "replace", "remove", "rename", "transplant"]):
            case "remove":
                del place[last]
            case "rename" if isinstance(place, dict):
                place[chance.choice(["", "lodas", str(last).upper(), 7])] = place.pop(last)
            case "transplant":
                place[last] = copy.deepcopy(at(whole, chance.choice(list(paths(whole)))))
            case _:
                place[last] = chance.choice(nasty)
    return values


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    values = to_jsonable(load_config({"scale": "smoke"}))
    assert check_plan(parse_config(values)).scale == "smoke"
    return dict(values)


def answer(values: dict[str, Any]) -> str:
    """Return the message, or nothing for a config that is valid; anything else is a failure."""
    try:
        check_plan(parse_config(values))
    except ValueError as error:
        return str(error)
    return ""


def test_ten_thousand_broken_configs_are_valid_or_answered_by_name(default, monkeypatch):
    monkeypatch.setattr(plan, "technology_files", cache(plan.technology_files))  # for speed
    chance = random.Random(2020)
    keys = {str(path[-1]) for path in paths(default)}
    answers = [answer(broken(default, chance)) for _ in range(CONFIGS)]
    told = [text for text in answers if text]
    assert len(told) > CONFIGS // 2
    for text in told:
        assert "Traceback" not in text
        assert "pydantic" not in text
        assert len(text) < 20_000
        assert any(key in text for key in keys), text


@pytest.mark.parametrize("value", NASTY, ids=lambda value: repr(value)[:20])
def test_a_nasty_value_of_any_override_is_answered(value):
    for key in ("scale", "experiment", "data_dir", "training", "colocation__loads", "a__b", "__"):
        with suppress(ValueError):
            assert load_config({key: value})


@pytest.mark.parametrize("section", ["training", "design_space", "colocation"])
def test_what_is_no_section_is_answered(default, section):
    for value in NASTY:
        if not isinstance(value, dict):
            assert f"{section} = " in answer(merge(default, {section: value}))
