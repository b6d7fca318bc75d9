"""The search for designs: all points within a budget, the best of them, and how sure that is."""

from equinox.design_space.choose import accelerator_of, break_down, choose_designs
from equinox.design_space.compare import compare_designs
from equinox.design_space.density import measure_density
from equinox.design_space.pareto import find_fronts, pareto_front
from equinox.design_space.search import search
from equinox.design_space.sensitivity import study_sensitivity
from equinox.design_space.sobol import decompose_variance
from equinox.design_space.sweep import evaluate, stream, sweep, sweep_all

__all__ = [
    "accelerator_of",
    "break_down",
    "choose_designs",
    "compare_designs",
    "decompose_variance",
    "evaluate",
    "find_fronts",
    "measure_density",
    "pareto_front",
    "search",
    "stream",
    "study_sensitivity",
    "sweep",
    "sweep_all",
]
