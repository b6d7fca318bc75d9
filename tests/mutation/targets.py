"""The modules whose mutants are tried, each with tests that run in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

LIBRARIES = ("pytest", "hypothesis", "numpy", "pandas", "pyarrow.parquet", "pydantic", "numba")
WITH_TORCH = ("torch", "torch._dynamo", "numba.experimental", "scipy.linalg", "ml_dtypes")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A module, the tests that are to notice its mutants, and those of them that are too slow.

    `compiled`: numba compiles its kernels anew for each mutant; otherwise they run as Python.
    """

    module: str
    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    compiled: bool = False
    needs_torch: bool = False

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
    "policies": _target("equinox.colocation.policies", "test_policies.py"),
    "batching": _target("equinox.colocation.batching", "test_batching.py", "test_queue.py"),
    "metrics": _target("equinox.colocation.metrics", "test_metrics.py"),
    "queue": _target("equinox.colocation.queue", "test_queue.py", compiled=True),
    "engine": _target("equinox.colocation.engine", "test_engine.py", compiled=True),
    "formats": _target(
        "equinox.encodings.formats",
        "test_formats.py",
        "test_backward_formats.py",
        needs_torch=True,
    ),
    "number_formats": _target(
        "equinox.encodings.number_formats",
        "test_formats.py",
        "test_microscaling.py",
        "test_reference.py",
        needs_torch=True,
    ),
    "reference": _target(
        "equinox.encodings.reference",
        "test_reference.py",
        "test_golden.py",
        needs_torch=True,
    ),
    "random_bits": _target(
        "equinox.encodings.random_bits", "test_random_bits.py", "test_rounding.py", needs_torch=True
    ),
    "rounding": _target("equinox.encodings.rounding", "test_rounding.py", needs_torch=True),
    "bit_true": _target("equinox.encodings.bit_true", "test_bit_true.py", needs_torch=True),
    "operands": _target(
        "equinox.encodings.operands",
        "test_backward_formats.py",
        "test_functional.py",
        "test_scratch.py",
        needs_torch=True,
    ),
    "optimizer": _target("equinox.encodings.optimizer", "test_optimizer.py", needs_torch=True),
    "recurrent": _target("equinox.encodings.recurrent", "test_recurrent.py", needs_torch=True),
    "attention": _target("equinox.encodings.attention", "test_attention.py", needs_torch=True),
    "functional": _target(
        "equinox.encodings.functional",
        "test_functional.py",
        "test_blocks.py",
        "test_backward_formats.py",
        needs_torch=True,
    ),
    "products": _target(
        "equinox.encodings.products", "test_attention.py", "test_drop_in.py", needs_torch=True
    ),
    "scratch": _target("equinox.encodings.scratch", "test_scratch.py", needs_torch=True),
    "fast": _target(
        "equinox.encodings.fast", "test_rounding.py", "test_corners.py", needs_torch=True
    ),
    "kernels": _target(
        "equinox.encodings.kernels", "test_rounding.py", compiled=True, needs_torch=True
    ),
    "scaled_kernels": _target(
        "equinox.encodings.scaled_kernels",
        "test_rounding.py",
        "test_microscaling.py",
        compiled=True,
        needs_torch=True,
    ),
    "intrinsics": _target(
        "equinox.encodings.intrinsics", "test_rounding.py", compiled=True, needs_torch=True
    ),
}
