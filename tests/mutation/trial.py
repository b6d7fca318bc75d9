"""The tests of a target against one changed source, in a process of their own."""

import contextlib
import importlib.abc
import importlib.util
import io
import os
import resource
import signal
import sys
import tempfile
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Literal

from tests.mutation.targets import BENEATH, LIBRARIES, Target

EXAMPLES = 40  # where a test of properties does not say how many
Outcome = Literal["killed", "survived", "stopped"]


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, target: Target, source: str) -> None:
        self._target, self._source = target, source

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self._target.module:
            return None
        return importlib.util.spec_from_file_location(name, self._target.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._target.path, "exec"), module.__dict__)


def warm_up(target: Target) -> None:
    """Import what all trials need; nothing of the product but packages beneath the target's."""
    for name in (*LIBRARIES, *BENEATH.get(target.package, ())):
        import_module(name)
    from hypothesis import Phase, settings
    from numba.core.config import reload_config

    reload_config()  # NUMBA_DISABLE_JIT
    # The same examples in every trial, fewer than usual, and the first that fails is enough.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "trial", phases=phases, derandomize=True, database=None, max_examples=EXAMPLES
    )
    settings.load_profile("trial")


def outcome_of(target: Target, source: str | None, *, limit_s: int) -> tuple[Outcome, float]:
    """Return whether the tests of `target` notice that its module has another `source`.

    The other number is the processor time that they took, at most `limit_s`; one that waits takes
    none, and is stopped after ten times that on the clock.
    """
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        signal.alarm(10 * limit_s)
        os._exit(_run_tests(target, source))
    _, status, used = os.wait4(child, 0)
    used_s = used.ru_utime + used.ru_stime
    stops = (signal.SIGKILL, signal.SIGXCPU, signal.SIGALRM)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in stops:
        return "stopped", used_s
    return "survived" if status == 0 else "killed", used_s


def _run_tests(target: Target, source: str | None) -> int:
    import pytest
    from numba.core.config import reload_config

    if source is not None:
        sys.meta_path.insert(0, _Changed(target, source))
        if target.compiled:  # what was compiled of the module as it is must not be found
            os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(dir=os.environ["NUMBA_CACHE_DIR"])
            reload_config()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # half of a second
    silent = io.StringIO()
    chosen = [part for name in target.left_out for part in ("--deselect", name)]
    quiet = ["-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        code = int(pytest.main([*quiet, *chosen, *target.tests]))
    if code and source is None:
        print(silent.getvalue()[-3000:], file=sys.stderr)
    return code
