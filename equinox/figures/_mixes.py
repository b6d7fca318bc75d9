"""What a mix of services that share an accelerator is called."""

import pandas as pd

from equinox.figures._style import look, ordered


def mix_titles(sharing: pd.DataFrame) -> dict[str, str]:
    """Return a title for each mix of the table sharing, or sharing_comparison, in the alphabet.

    Its services, with the requests of a batch where they are fewer than the rows of the array: the
    most in any batch of that experiment. What is called something else in another experiment has
    both titles; mixes of one title, which differ in weights, have their names in the config too.
    """
    full = sharing.assign(run=sharing.get("experiment", ""))
    full["rows"] = full.groupby("run")["max_batch"].transform("max")
    titles = {
        str(mix): "\n".join(dict.fromkeys(_services(mine) for _, mine in rows.groupby("run")))
        for mix, rows in full.groupby("mix")
    }
    named = list(titles.values())
    return {
        mix: title if named.count(title) == 1 else f"{title}\n{look(mix).label}"
        for mix, title in titles.items()
    }


def _services(rows: pd.DataFrame) -> str:
    most = rows.groupby("workload")[["max_batch", "rows"]].max()
    limited = most["max_batch"] < most["rows"]
    return " + ".join(
        look(name).label + (f" (≤ {most['max_batch'][name]})" if limited[name] else "")
        for name in ordered(rows["workload"])
    )
