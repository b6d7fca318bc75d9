"""The modules whose mutants are tried, each with tests that run in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

LIBRARIES = ("pytest", "hypothesis", "numpy", "pandas", "pyarrow.parquet", "pydantic", "numba")


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
    "queue": _target("equinox.colocation.queue", "test_queue_worked.py"),
}
