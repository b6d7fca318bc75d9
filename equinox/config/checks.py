"""Types of config values with their ranges, and the reading of checked records from JSON."""

from functools import cache
from typing import Annotated, Any, Final, TypeVar

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(1)]
Seed = Annotated[int, Ge(0)]
Name = Annotated[str, MinLen(1)]
#: A name that a file or folder may have, and that a shell takes as it is.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = sorted({repr(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is there twice; give each value once")
    return values


Distinct: Final = AfterValidator(_distinct)  # of a list whose values become keys of rows

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Record = TypeVar("Record")


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Return what checks and writes a `kind`; making one takes longer than using it."""
    return _make_adapter(kind)


_make_adapter = cache(TypeAdapter)


def from_json(kind: type[Record], text: str) -> Record:
    """Return `text` as a `kind`; unknown keys and values out of range are a ValueError."""
    record: Record = adapter_of(kind).validate_json(text)
    return record


def to_jsonable(record: object) -> Any:
    """Return `record` as plain dictionaries, lists and numbers."""
    return adapter_of(type(record)).dump_python(record, mode="json")
