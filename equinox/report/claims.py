"""Claims: every published number beside what came out here, with a verdict by a stated rule."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, final

import numpy as np
import pandas as pd
from annotated_types import Ge
from pydantic import ConfigDict

from equinox.config.checks import STRICT, Name
from equinox.config.records import check_record, found_in
from equinox.report.markdown import quantity
from equinox.report.measures import MEASURES, Measurement, NotComputedError, Tables
from equinox.yaml_files import read_yaml

Relation = Literal["equals", "at_most", "at_least"]
Verdict = Literal["reproduced", "partly", "not_reproduced", "not_run"]


@final
@dataclass(frozen=True, kw_only=True)
class Claim:
    """One published statement, and how ours is held against it (see config/published.yaml)."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    id: Name
    title: str = ""  # a few words; the statement, if there are none
    chapter: Literal["encoding", "design_space", "colocation", "hardware"]
    statement: Name
    quantity: Name
    value: float | None
    unit: Name
    relation: Relation
    tolerance: Annotated[float, Ge(0)] = 0.0
    limit: float | None = None
    stand_in: bool = False
    needs: str = ""
    source: Name

    @property
    def bound(self) -> float:
        """What the relation is held against: the published value, else the stated limit."""
        bound = self.limit if self.value is None else self.value
        if bound is None:
            raise ValueError(f"claim {self.id} has neither value nor limit; give it one")
        return bound


def read_claims(path: str | Path) -> list[Claim]:
    """Return the claims of a file such as config/published.yaml.

    Raises:
        ValueError: a claim has an unknown key, or lacks one, or two have the same id.
    """
    path = Path(path)
    claims = check_record(list[Claim], read_yaml(path).get("published"), [path], ["published"])
    names = [claim.id for claim in claims]
    for index, claim in enumerate(claims):
        with found_in([path], "published", index):
            if claim.id in names[:index]:
                raise ValueError(f"two claims are called {claim.id!r}; give one another id")
            if claim.value is None and claim.limit is None:
                raise ValueError(f"claim {claim.id} has neither value nor limit; give it one")
    return claims


def judge(claim: Claim, measurement: Measurement) -> Verdict:
    """Return the verdict on `claim`.

    With a measured value v, its interval [low, high] (v alone where there is none), and the
    accepted range A (for `equals`: published value ± tolerance; for `at_most` and `at_least`: all
    up to, or from, the bound):

    - equals: reproduced if v is in A; partly if the interval meets A.
    - at_most, at_least: reproduced if the whole interval is in A; partly if it meets A.
    - not_reproduced otherwise. On data that stand in for the published ones, at best partly.
    """
    low, high = (
        measurement.value if np.isnan(end) else end for end in (measurement.low, measurement.high)
    )
    lowest, highest = accepted(claim)
    if claim.relation == "equals":
        inside = lowest <= measurement.value <= highest
    else:
        inside = lowest <= low and high <= highest
    if inside and not claim.stand_in:
        return "reproduced"
    return "partly" if low <= highest and high >= lowest else "not_reproduced"


def accepted(claim: Claim) -> tuple[float, float]:
    """Return the range of values that `claim` accepts; infinite where it is open."""
    slack = claim.tolerance
    lowest = claim.bound - slack if claim.relation != "at_most" else -np.inf
    highest = claim.bound + slack if claim.relation != "at_least" else np.inf
    return lowest, highest


def claims_table(claims: Sequence[Claim], tables: Tables) -> pd.DataFrame:
    """Return the `claims` table: each claim with its value, interval, verdict and reason."""
    return pd.DataFrame([_row(claim, tables) for claim in claims])


def _row(claim: Claim, tables: Tables) -> Mapping[str, object]:
    kept = ("id", "chapter", "statement", "quantity", "unit", "source")
    row = {name: value for name, value in asdict(claim).items() if name in kept}
    row["title"] = claim.title or claim.statement
    row |= {"published": claim.value, "reproduced": None, "low": None, "high": None}
    ends = zip(("accepted_low", "accepted_high"), accepted(claim), strict=True)
    row |= {name: end if np.isfinite(end) else None for name, end in ends}
    try:
        measurement = _measure(claim, tables)
    except NotComputedError as error:
        return row | {"verdict": "not_run", "reason": str(error), "from_table": ""}
    verdict = judge(claim, measurement)
    return row | {
        "reproduced": measurement.value,
        "low": measurement.low,
        "high": measurement.high,
        "verdict": verdict,
        "reason": _reason(claim, measurement, verdict),
        "from_table": measurement.table,
    }


def _measure(claim: Claim, tables: Tables) -> Measurement:
    if claim.id not in MEASURES:
        raise NotComputedError(claim.needs or "nothing computes it yet")
    measurement = MEASURES[claim.id](tables)
    if np.isnan(measurement.value):
        raise NotComputedError(f"it has no value: {measurement.how}")
    return measurement


def _reason(claim: Claim, measurement: Measurement, verdict: Verdict) -> str:
    parts = [measurement.how]
    if claim.value is None:
        words = {"at_most": "at most", "at_least": "at least", "equals": "about"}
        parts.append(f"held against {words[claim.relation]} {quantity(claim.bound, claim.unit)}")
    if claim.stand_in:
        parts.append("the data stand in for the published ones")
    if verdict == "not_reproduced" and claim.needs:
        parts.append(claim.needs)
    return "; ".join(parts)
