"""What a column and a table are."""

import json
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pyarrow as pa

Kind = Literal["text", "integer", "number"]

_ARROW = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}


@final
@dataclass(frozen=True)
class Column:
    """One quantity: its name, kind, unit (empty for ratios and names), meaning and range."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    low: float = -np.inf
    high: float = np.inf
    nullable: bool = False

    @property
    def field(self) -> pa.Field:
        """The Arrow field; unit and meaning are its metadata."""
        metadata = {"unit": self.unit, "meaning": self.meaning}
        return pa.field(self.name, _ARROW[self.kind], nullable=self.nullable, metadata=metadata)


@final
@dataclass(frozen=True)
class Table:
    """One table: its name, what a row is, the columns that identify a row, and all columns."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema in the declared order of columns."""
        return pa.schema(
            [column.field for column in self.columns],
            metadata={"table": self.name, "row": self.row, "key": json.dumps(self.key)},
        )


def text(name: str, meaning: str, *, nullable: bool = False) -> Column:
    """A column of words."""
    return Column(name, "text", "", meaning, nullable=nullable)


def count(name: str, meaning: str, *, low: float = 0, nullable: bool = False) -> Column:
    """A column of whole numbers."""
    return Column(name, "integer", "", meaning, low=low, nullable=nullable)


def share(name: str, meaning: str, *, high: float = 1, nullable: bool = False) -> Column:
    """A column of ratios, 0 to `high`."""
    return Column(name, "number", "", meaning, low=0, high=high, nullable=nullable)


def number(name: str, unit: str, meaning: str, *, low: float = 0, nullable: bool = False) -> Column:
    """A column of quantities with a unit, at least `low`."""
    return Column(name, "number", unit, meaning, low=low, nullable=nullable)
