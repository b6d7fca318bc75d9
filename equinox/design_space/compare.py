"""The named designs of an experiment beside those of the scale that it changes."""

import pandas as pd

from equinox.accelerator import Technology, Workload
from equinox.config.design_space import DesignSpace
from equinox.design_space.choose import choose_designs
from equinox.design_space.sweep import sweep_all


def compare_designs(
    designs: pd.DataFrame,
    config: DesignSpace,
    technology: Technology,
    workload: Workload,
    name: str,
    scale: str,
) -> pd.DataFrame:
    """Return `designs`, called `name`, and the designs of `scale`: rows of the table comparison.

    `config`, `technology` and `workload` are those of the scale, whose designs are found anew, so
    that its own results need not be there. A scale compared with itself is there once.
    """
    found = [designs.assign(experiment=name)]
    if name != scale:
        points = sweep_all(config, technology, workload)
        own = choose_designs(points, config, technology, workload)
        found.insert(0, own.assign(experiment=scale))
    return pd.concat(found, ignore_index=True)
