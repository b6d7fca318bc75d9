"""The claims table as Markdown."""

import numpy as np
import pandas as pd

from equinox.units import UNIT_SIGNS

SIGNS = {
    "reproduced": "✔ reproduced",
    "partly": "◐ partly",
    "not_reproduced": "✘ not reproduced",
    "not_run": "– not run",
}
CHAPTERS = ("encoding", "hardware", "design_space", "colocation")


def claims_markdown(claims: pd.DataFrame, *, scale: str) -> str:
    """Return the claims as Markdown: those that were judged, then what the others need."""
    claims = in_order(claims)
    judged, not_run = (claims[(claims["verdict"] == "not_run") == flag] for flag in (False, True))
    counts = claims["verdict"].value_counts()
    summary = ", ".join(f"{n} {name}" for name, n in counts.items()).replace("_", " ")
    lines = [
        f"# Claims, scale `{scale}`",
        "",
        f"{len(claims)} published statements: {summary}. Intervals: 95 % confidence over seeds,",
        "or 5 to 95 % of Monte Carlo draws of the hardware constants. What a number was made from,",
        "down to constants and seeds:",
        f"`python -m equinox.report.provenance results/{scale}/tables/claims.parquet`.",
        "",
        "| claim | published | reproduced | interval | verdict | how |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_judged_line(row) for _, row in judged.iterrows()]
    lines += ["", "## Not run", "", "| claims (published) | what they need |", "|---|---|"]
    for reason, rows in not_run.groupby("reason", sort=False):
        named = [
            f"`{row['id']}` ({quantity(row['published'], row['unit'], digits=4)})"
            for _, row in rows.iterrows()
        ]
        lines.append(f"| {', '.join(named)} | {reason} |")
    return "\n".join([*lines, ""])


def in_order(claims: pd.DataFrame) -> pd.DataFrame:
    """Return `claims` in the order of the thesis's argument."""
    place = claims["chapter"].map({name: index for index, name in enumerate(CHAPTERS)})
    return claims.iloc[place.argsort(kind="stable")]


def quantity(value: float, unit: str, *, digits: int = 3) -> str:
    """Return `value` with its significant digits and unit; an em dash for none."""
    if value is None or np.isnan(value):
        return "—"
    return f"{value:.{digits}g} {UNIT_SIGNS.get(unit, unit)}".rstrip()


def _judged_line(row: pd.Series) -> str:
    interval = "—"
    if not np.isnan(row["low"]):
        interval = f"{row['low']:.3g} … {row['high']:.3g}"
    published = quantity(row["published"], row["unit"], digits=4)
    return (
        f"| {row['statement']} (`{row['id']}`) | {published if published != '—' else 'in words'} "
        f"| {quantity(row['reproduced'], row['unit'])} | {interval} | {SIGNS[row['verdict']]} "
        f"| {row['reason']} |"
    )
