"""The tests of a target against one changed source, in a process of their own."""

import contextlib
import importlib.abc
import importlib.util
import io
import os
import signal
import sys
import tempfile
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Literal

from tests.mutation.targets import LIBRARIES, Target

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
    for name in (*LIBRARIES, *(("torch",) if target.needs_torch else ())):
        import_module(name)


def outcome_of(target: Target, source: str | None, *, limit_s: float) -> Outcome:
    """Return whether the tests of `target` notice that its module has another `source`."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_run_tests(target, source))
    ended = _wait(child, limit_s)
    if ended is None:
        return "stopped"
    return "survived" if ended == 0 else "killed"


def _wait(child: int, limit_s: float) -> int | None:
    """Return the exit code of `child`; None if it had to be stopped."""

    def late(_signal: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        _, status = os.waitpid(child, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    stopped = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return None if stopped else os.waitstatus_to_exitcode(status)


def _run_tests(target: Target, source: str | None) -> int:
    import pytest

    if source is not None:
        sys.meta_path.insert(0, _Changed(target, source))
        if target.compiled:  # what was compiled of the module as it is must not be found
            os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(dir=os.environ["NUMBA_CACHE_DIR"])
    silent = io.StringIO()
    chosen = [part for name in target.left_out for part in ("--deselect", name)]
    quiet = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        code = int(pytest.main([*quiet, *chosen, *target.tests]))
    if code and source is None:
        print(silent.getvalue()[-3000:], file=sys.stderr)
    return code
