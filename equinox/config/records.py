"""Checked records from values and files: what is wrong is told with place, key, value and rule."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from equinox.config.checks import Record, adapter_of
from equinox.yaml_files import Key, find_line

_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")


def check_record(
    kind: type[Record], values: object, files: Sequence[Path] = (), under: Sequence[Key] = ()
) -> Record:
    """Return `values`, found at the keys `under` in `files`, as a `kind`.

    The first of `files` goes before the others.

    Raises:
        ValueError: a key is unknown or missing, or a value has the wrong type or is out of range;
            one line with file, line, key, value and rule.
    """
    try:
        record: Record = adapter_of(kind).validate_python(values)
    except ValidationError as error:
        key, problem = next(problems(kind, error))
        raise ValueError(_placed(files, (*under, *key), problem)) from None
    return record


def problems(kind: Any, error: ValidationError) -> Iterator[tuple[tuple[Key, ...], str]]:
    """Yield the key of each thing that is wrong, and `value: rule` in words."""
    told = {item["loc"][:end] for item in error.errors() for end in range(len(item["loc"]))}
    for item in error.errors():
        if item["type"] == "too_short" and item["loc"] in told:
            continue  # for lack of items that are wrong: each is told by itself
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] in _UNKNOWN:
            message = "unknown key" + _suggest(kind, item["loc"])
        elif item["type"] in _MISSING:
            message = "missing; give it a value"
        yield item["loc"], f"{shorten(item['input'])}: {message}"


@contextmanager
def found_in(files: Sequence[Path], *keys: Key) -> Iterator[None]:
    """Add to a ValueError of the block the file and line of `keys`, as `where` finds them."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where(files, keys)}: {error}" if files else str(error)) from None


def where(files: Sequence[Path], keys: Sequence[Key]) -> str:
    """Return "file, line N" of `keys` in the first of `files` that has most of them."""
    found = [find_line(path, keys) for path in files]
    count, line = max(found, key=lambda item: item[0])
    path = files[[item[0] for item in found].index(count)]
    return f"{path}, line {line}" if count else str(path)


def shorten(value: object) -> str:
    """Return `value` as text of 60 characters at most."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _placed(files: Sequence[Path], key: Sequence[Key], problem: str) -> str:
    name = ".".join(map(str, key)) or "the whole"
    return f"{where(files, key)}: {name} = {problem}" if files else f"{name} = {problem}"


def _suggest(kind: Any, location: Sequence[Key]) -> str:
    known = _known_keys(adapter_of(kind).json_schema(), location)
    close = get_close_matches(str(location[-1]), sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(sorted(known))}"


def _known_keys(schema: Mapping[str, Any], location: Sequence[Key]) -> set[str]:
    """Return the keys of the section that `location` is in."""
    parts: list[Mapping[str, Any]] = [schema]
    for key in location:
        known = {name for part in parts for name in part.get("properties", {})}
        inside = [part.get("properties", {}).get(key) for part in parts]
        inside += [part.get(name) for part in parts for name in ("additionalProperties", "items")]
        inside += [each for part in parts for each in part.get("patternProperties", {}).values()]
        parts = [
            leaf for part in inside if isinstance(part, dict) for leaf in _leaves(part, schema)
        ]
    return known


def _leaves(part: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what `part` of `schema` refers to, and each of its alternatives."""
    if "$ref" in part:
        return _leaves(schema["$defs"][part["$ref"].rsplit("/", 1)[-1]], schema)
    return [part, *(leaf for option in part.get("anyOf", ()) for leaf in _leaves(option, schema))]
