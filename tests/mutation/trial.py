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

from tests.mutation.targets import LIBRARIES, WITH_TORCH, Target

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
    """Import what all trials need; nothing of the product."""
    for name in (*LIBRARIES, *(WITH_TORCH if target.needs_torch else ())):
        import_module(name)


def outcome_of(target: Target, source: str | None, *, limit_s: int) -> tuple[Outcome, float]:
    """Return whether the tests of `target` notice another `source`, and the processor's seconds.

    Beyond `limit_s` of these the tests are stopped, and so they are if they wait ten times as long.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        os._exit(_run_tests(target, source))
    ended, cpu_s = _wait(child, 10 * limit_s)
    if ended in (-signal.SIGKILL, -signal.SIGXCPU):
        return "stopped", cpu_s
    return "survived" if ended == 0 else "killed", cpu_s


def _wait(child: int, limit_s: float) -> tuple[int, float]:
    """Return the exit code of `child` and its seconds, once it has ended or had to be stopped."""

    def late(_signal: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        _, status, used = os.wait4(child, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def _run_tests(target: Target, source: str | None) -> int:
    import numba.core.config
    import pytest

    if source is not None:
        sys.meta_path.insert(0, _Changed(target, source))
        if target.compiled:  # what was compiled of the module as it is must not be found
            os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(dir=os.environ["NUMBA_CACHE_DIR"])
    numba.core.config.reload_config()  # read when numba was imported, for another target perhaps
    silent = io.StringIO()
    chosen = [part for name in target.left_out for part in ("--deselect", name)]
    quiet = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        code = int(pytest.main([*quiet, *chosen, *target.tests]))
    if code and source is None:
        print(silent.getvalue()[-3000:], file=sys.stderr)
    return code
