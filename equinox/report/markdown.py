"""The claims table as Markdown."""

import numpy as np
import pandas as pd

SIGNS = {"reproduced": "✔ reproduced", "partly": "◐ partly", "not_reproduced": "✘ not reproduced"}
UNITS = {"percent": "%", "percentage_points": "points", "perplexity": "", "x": "×"}


def claims_markdown(claims: pd.DataFrame, *, scale: str) -> str:
    """Return the claims as Markdown: those that were judged, then those that were not run."""
    judged, not_run = (claims[(claims["verdict"] == "not_run") == flag] for flag in (False, True))
    counts = claims["verdict"].value_counts()
    summary = ", ".join(f"{n} {name}" for name, n in counts.items()).replace("_", " ")
    lines = [
        f"# Claims, scale `{scale}`",
        "",
        f"{len(claims)} published numbers: {summary}. Intervals: 95 % confidence over seeds, or 5",
        "to 95 % of Monte Carlo draws of the hardware constants.",
        "",
        "| claim | published | reproduced | interval | verdict | how |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_judged_line(row) for _, row in judged.iterrows()]
    lines += ["", "## Not run", "", "| claim | published | what it needs |", "|---|---|---|"]
    lines += [_not_run_line(row) for _, row in not_run.iterrows()]
    return "\n".join([*lines, ""])


def quantity(value: float, unit: str) -> str:
    """Return `value` with three significant digits and its unit; an em dash for none."""
    if value is None or np.isnan(value):
        return "—"
    return f"{value:.3g} {UNITS.get(unit, unit)}".rstrip()


def _judged_line(row: pd.Series) -> str:
    interval = "—"
    if not np.isnan(row["low"]):
        interval = f"{row['low']:.3g} … {row['high']:.3g}"
    published = quantity(row["published"], row["unit"])
    return (
        f"| {row['statement']} (`{row['id']}`) | {published if published != '—' else 'in words'} "
        f"| {quantity(row['reproduced'], row['unit'])} | {interval} | {SIGNS[row['verdict']]} "
        f"| {row['reason']} |"
    )


def _not_run_line(row: pd.Series) -> str:
    published = quantity(row["published"], row["unit"])
    return f"| {row['statement']} (`{row['id']}`) | {published} | {row['reason']} |"
