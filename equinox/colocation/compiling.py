"""Compiled functions whose first call is quick.

numba brings its own code generator, so no C compiler is needed where this runs. It takes a
millisecond for a statement and a hundredth of a second for a function, whence few of both.
"""

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any

from numba import _dynfunc, njit  # type: ignore[attr-defined, unused-ignore]
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import (
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode

from equinox.machine_code import renewed

#: What numbers, arrays, records, branches, loops and calls need of numba's passes, in its order.
#: The others are for closures, exceptions, literals, lists, reference counts, parallel loops and
#: listings; a function that has need of one does not compile.
_FRONT = (
    *(TranslateByteCode, FixupArgs, IRProcessing, ReconstructSSA),
    *(NopythonTypeInference, PreLowerStripPhis),
)


_pass: Any = register_pass


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc, unused-ignore]
    """Code of a part, optimized and made machine code where it is called, and not by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):  # type: ignore[misc, unused-ignore]
    """numba's lowering to LLVM's code, without machine code."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Enter the code of a part in `state`."""
        library: Any = _PartLibrary  # this and what is above it have no types
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.targetctx = state.targetctx.subtarget(get_executable=_stand_in)
        lower: Any = super().run_pass
        return bool(lower(state))


def _stand_in(library: Any, described: Any, environment: Any) -> Any:
    """Return what stands for a part among numba's functions: Python cannot call it."""
    module = described.lookup_module()
    return _dynfunc.make_function(module, described.qualname, "", 0, environment, (library,))


class _KernelCompiler(CompilerBase):  # type: ignore[misc, unused-ignore]
    """A compiler of few passes."""

    lowering: Any = NativeLowering

    def define_pipelines(self) -> list[Any]:
        """Return the one way to compile."""
        manager: Any = PassManager("direct")  # type: ignore[no-untyped-call, unused-ignore]
        for each in (*_FRONT, self.lowering, NoPythonBackend):
            manager.add_pass(each, each.__name__)
        manager.finalize()
        return [manager]


class _PartCompiler(_KernelCompiler):
    lowering = _PartLowering


# numba's types do not have these options: no wrapper for C, division by zero as in numpy, and no
# counting of references, since nothing is allocated.
_njit: Any = njit
_OPTIONS = {"no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}

#: Compile a function that compiled functions call.
part = _njit(no_cpython_wrapper=True, pipeline_class=_PartCompiler, **_OPTIONS)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled when it is first called, and kept on disk; see `machine_code`."""
    return compile_quickly(
        _njit(cache=True, pipeline_class=_KernelCompiler, **_OPTIONS)(renewed(function))
    )


def compile_quickly(compiled: Any) -> Callable[..., Any]:
    """Return `compiled`, a function that numba compiles, with a first call that takes a third less.

    The compiler makes millions of small objects, and Python's cyclic garbage collector looks
    through all of them again and again; it is paused until the first call is over. What the kernel
    calls is compiled with it, so only what Python calls needs this.
    """
    if not hasattr(compiled, "py_func"):  # NUMBA_DISABLE_JIT=1: nothing is compiled
        return compiled  # type: ignore[no-any-return]

    @wraps(compiled.py_func)
    def call(*arguments: Any) -> Any:
        if compiled.signatures or not gc.isenabled():
            return compiled(*arguments)
        gc.disable()
        try:
            return compiled(*arguments)
        finally:
            gc.enable()

    return call
