"""The modules whose mutants are tried, each with tests that run in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

LIBRARIES = ("pytest", "hypothesis", "numpy", "pandas", "pyarrow.parquet", "pydantic", "numba")

#: By package: modules of packages beneath it, which no mutant of it changes.
BENEATH: Mapping[str, tuple[str, ...]] = {
    "accelerator": (
        "equinox.config.records",
        "equinox.encodings.formats",
        "scipy.stats",
        "tests.conftest",
    ),
    "encodings": (
        "equinox.config.records",
        "ml_dtypes",
        "numba.experimental",
        "scipy.linalg",
        "tests.conftest",
        "torch",
        "torch._dynamo",
    ),
    "colocation": (
        "equinox.accelerator",
        "equinox.config.colocation",
        "equinox.design_space.choose",
        "equinox.tables",
        "scipy.special",
        "scipy.stats",
        "tests.conftest",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A module, the tests that are to notice its mutants, and those of them that are too slow.

    `compiled`: numba compiles its kernels anew for each mutant. `cached`: it has none, but calls
    those of other modules, which are compiled once. Otherwise kernels run as Python.
    """

    module: str
    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    compiled: bool = False
    cached: bool = False

    @property
    def package(self) -> str:
        """The package's name."""
        return self.module.split(".")[1]

    @property
    def path(self) -> str:
        """The module's file."""
        return self.module.replace(".", "/") + ".py"


def _target(module: str, *tests: str, left_out: tuple[str, ...] = (), **kind: bool) -> Target:
    package = module.split(".")[1]
    return Target(
        module=module,
        tests=tuple(f"tests/{package}/{name}" for name in tests),
        left_out=tuple(f"tests/{package}/{name}" for name in left_out),
        **kind,
    )


#: The engine against the machine that is stepped cycle by cycle, the policy that does most first.
_STEPPED = (
    "test_simulation.py::test_worked_example",
    *(
        f"test_engine.py::test_agrees_with_the_stepped_machine_to_the_cycle[{policy}]"
        for policy in ("priority", "software", "fair", "inference_only", "training_only")
    ),
)

_DAY_BY_HAND = tuple(
    f"test_fleet.py::test_{name}"
    for name in (
        "a_day_by_hand",
        "balancers_by_hand",
        "between_the_simulated_loads_and_saturation_latency_is_unknown",
        "a_trace_gives_the_day_its_profile",
    )
)

TARGETS: Mapping[str, Target] = {
    "timing": _target(
        "equinox.accelerator.timing", "test_timing.py", "test_timing_bounds.py", "test_systolic.py"
    ),
    "cost": _target("equinox.accelerator.cost", "test_cost.py"),
    "components": _target(
        "equinox.accelerator.components", "test_components.py", "test_technology.py"
    ),
    "datapath": _target("equinox.accelerator.datapath", "test_datapath.py"),
    "machine": _target("equinox.accelerator.machine", "test_machine.py", "test_timing.py"),
    "service": _target("equinox.accelerator.service", "test_service.py"),
    "technology": _target("equinox.accelerator.technology", "test_technology.py", "test_cost.py"),
    "technology_file": _target("equinox.accelerator.technology_file", "test_technology.py"),
    "workloads": _target("equinox.accelerator.workloads", "test_workloads.py"),
    # equinox.colocation, the kernels first
    "engine": _target(
        "equinox.colocation.engine",
        *_STEPPED,
        "test_services.py::test_deadlines_are_met_in_their_order",
        "test_stream.py::test_a_machine_in_blocks_by_hand",
    ),
    "periods": _target("equinox.colocation.periods", "test_periods.py", *_STEPPED),
    "records": _target("equinox.colocation.records", "test_periods.py", *_STEPPED),
    "queue": _target(
        "equinox.colocation.queue",
        *(
            "test_queue.py",
            "test_stream.py::test_a_queue_in_blocks_by_hand",
            "test_stream.py::test_no_block_is_no_request",
            "test_stream.py::test_blocks_change_nothing_in_a_queue",
        ),
        left_out=(
            "test_queue.py::test_chunks_of_training",
            "test_queue.py::test_training_that_yields_at_once",
        ),
    ),
    "state": _target(
        "equinox.colocation.state",
        "test_simulation.py",
        "test_services.py",
        "test_stream.py::test_a_machine_in_blocks_by_hand",
        "test_engine.py",
        cached=True,
    ),
    "stream": _target(
        "equinox.colocation.stream",
        "test_stream.py",
        left_out=("test_stream.py::test_memory_does_not_grow",),
        cached=True,
    ),
    "tally": _target("equinox.colocation.tally", "test_tally.py"),
    "batching": _target("equinox.colocation.batching", "test_batching.py"),
    "metrics": _target("equinox.colocation.metrics", "test_metrics.py", cached=True),
    "policies": _target("equinox.colocation.policies", "test_policies.py"),
    "classes": _target(
        "equinox.colocation.classes",
        "test_classes.py",
        left_out=("test_classes.py::test_mean_times", "test_classes.py::test_preemption_leaves"),
    ),
    "simulation": _target(
        "equinox.colocation.simulation", "test_simulation.py", "test_services.py", cached=True
    ),
    "search": _target(
        "equinox.colocation.search",
        "test_search.py",
        left_out=(
            "test_search.py::test_a_queue_saturates",
            "test_search.py::test_batches_raise",
            "test_search.py::test_the_largest_load_within",
        ),
    ),
    "fleet": _target("equinox.colocation.fleet", *_DAY_BY_HAND, cached=True),
    "balancers": _target("equinox.colocation.balancers", *_DAY_BY_HAND, cached=True),
    "sweep": _target(
        "equinox.colocation.sweep",
        *(
            f"test_sweep.py::test_{name}"
            for name in (
                "work_by_hand",
                "no_work_has_no_energy",
                "latencies_after_the_warm_up_are_in_us",
                "batchings_that_are_the_same_by_hand",
                "a_run_by_hand",
                "above_saturation_latencies_are_infinite_and_at_it_they_are_not",
            )
        ),
        cached=True,
    ),
    "saturation": _target(
        "equinox.colocation.saturation",
        "test_saturation.py::test_a_site_by_hand",
        "test_saturation.py::test_limits_of_a_server_by_hand",
        cached=True,
    ),
    "replications": _target(
        "equinox.colocation.replications",
        *(
            f"test_replications.py::test_{name}"
            for name in (
                "intervals_by_hand",
                "one_replication_has_the_interval_of_its_run",
                "an_infinite_replication_makes_the_point_infinite",
            )
        ),
        cached=True,
    ),
    "site": _target("equinox.colocation.site", "test_site.py", cached=True),
    "arrivals": _target("equinox.colocation.arrivals", "test_arrivals.py", cached=True),
    "traces": _target("equinox.colocation.traces", "test_traces.py", cached=True),
    "programs": _target("equinox.colocation.programs", "test_programs.py", cached=True),
    "study": _target("equinox.colocation.study", "test_study.py", cached=True),
    # end of equinox.colocation
    "formats": _target(
        "equinox.encodings.formats",
        "test_formats.py",
        "test_backward_formats.py",
        cached=True,
    ),
    "number_formats": _target(
        "equinox.encodings.number_formats",
        "test_formats.py",
        "test_microscaling.py",
        "test_reference.py",
        cached=True,
    ),
    "reference": _target(
        "equinox.encodings.reference",
        "test_reference.py",
        "test_golden.py",
        cached=True,
    ),
    "random_bits": _target(
        "equinox.encodings.random_bits",
        "test_random_bits.py",
        "test_rounding.py",
        cached=True,
    ),
    "rounding": _target("equinox.encodings.rounding", "test_rounding.py", cached=True),
    "bit_true": _target("equinox.encodings.bit_true", "test_bit_true.py", cached=True),
    "operands": _target(
        "equinox.encodings.operands",
        "test_backward_formats.py",
        "test_functional.py",
        "test_scratch.py",
        cached=True,
    ),
    "optimizer": _target("equinox.encodings.optimizer", "test_optimizer.py", cached=True),
    "recurrent": _target("equinox.encodings.recurrent", "test_recurrent.py", cached=True),
    "attention": _target("equinox.encodings.attention", "test_attention.py", cached=True),
    "functional": _target(
        "equinox.encodings.functional",
        "test_functional.py",
        "test_blocks.py",
        "test_backward_formats.py",
        "test_attention.py",
        cached=True,
    ),
    "products": _target("equinox.encodings.products", "test_attention.py", cached=True),
    "scratch": _target("equinox.encodings.scratch", "test_scratch.py", cached=True),
    "fast": _target(
        "equinox.encodings.fast",
        "test_rounding.py",
        "test_corners.py",
        cached=True,
    ),
    "kernels": _target("equinox.encodings.kernels", "test_rounding.py", compiled=True),
    "scaled_kernels": _target(
        "equinox.encodings.scaled_kernels",
        "test_rounding.py",
        "test_microscaling.py",
        compiled=True,
    ),
    "intrinsics": _target("equinox.encodings.intrinsics", "test_rounding.py", compiled=True),
}
