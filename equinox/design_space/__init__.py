"""The search for designs: all points within a budget, the best of them, and how sure that is."""

from equinox.design_space.choose import break_down, choose_designs
from equinox.design_space.density import measure_density
from equinox.design_space.pareto import pareto_front
from equinox.design_space.sensitivity import study_sensitivity
from equinox.design_space.sweep import Grid, evaluate, sweep

__all__ = [
    "Grid",
    "break_down",
    "choose_designs",
    "evaluate",
    "measure_density",
    "pareto_front",
    "study_sensitivity",
    "sweep",
]
