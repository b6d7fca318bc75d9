"""YAML files of the product, read safely; what is wrong in one is told with its line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

DEPTH = 50  # levels that a file may nest: the reader in C overflows its stack on thousands
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # neither can run code

Key = str | int


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file; it cannot run code.

    Raises:
        ValueError: the file is missing, is not YAML in UTF-8, holds something else than keys and
            values, has a key twice, an alias, or more than `DEPTH` levels; the message has file
            and line, and what to do.
    """
    node, text = _compose(path)
    if not isinstance(node, yaml.MappingNode):
        kind = type(node).__name__.removesuffix("Node").lower() if node else "nothing"
        raise ValueError(f"{path}, line 1: the file holds {kind}; write keys and values")
    _check_keys(path, node)
    loader = _LOADER(text)
    try:
        values: dict[str, Any] = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise _broken(path, error) from None
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} has a value that is none: {error}; quote it") from None
    finally:
        loader.dispose()
    return values


def find_line(path: str | Path, keys: Sequence[Key]) -> tuple[int, int]:
    """Return how many of `keys` the file has, each inside the one before, and the last's line."""
    node, _ = _compose(path)
    line = 0
    for count, key in enumerate(keys):
        found = _child(node, key)
        if found is None:
            return count, line + 1
        line, node = found
    return len(keys), line + 1


def _child(node: Any, key: Key) -> tuple[int, Any] | None:
    """Return the line (from 0) and the node of what `key` names in `node`."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line, node.value[key]
    return None


def _compose(path: str | Path) -> tuple[Any, str]:
    """Return the tree of a YAML file, and its text."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        _check_depth(path, text)
        return yaml.compose(text, Loader=_LOADER), text
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; is it there?") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: it is not text in UTF-8; save it as such") from None
    except yaml.YAMLError as error:
        raise _broken(path, error) from None


def _check_depth(path: str | Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        mark: Any = event.start_mark
        where = f"{path}, line {mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"{where}: it is not YAML that is read here: an alias; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError(f"{where}: more than {DEPTH} levels are nested; write fewer")


def _check_keys(path: str | Path, node: Any) -> None:
    """Refuse a key that is there twice: YAML would take the last one without a word."""
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(path, value)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            where = f"{path}, line {name.start_mark.line + 1}"
            if not isinstance(name, yaml.ScalarNode):
                raise ValueError(f"{where}: a key is no name; write a word and a colon")
            if name.value in seen:
                raise ValueError(f"{where}: the key {name.value} is there twice; keep one")
            seen.add(name.value)
            _check_keys(path, value)


def _broken(path: str | Path, error: yaml.YAMLError) -> ValueError:
    """Return what the reader found, in one line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{path}, line {mark.line + 1}" if mark else str(path)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    return ValueError(f"{where}: it is not YAML: {said}; look at this line and the one before")
