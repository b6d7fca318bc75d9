"""A target of numba's for kernels: its processor, with few operations and few passes.

Before its first function, numba enters all that it can do, for which it loads SciPy, and makes
machine code of its memory management; kernels use integers, numbers, records and arrays. This
module and `operations` are made of inner parts of numba's, so they are for one release of it.
"""

from functools import cached_property
from typing import Any

from numba import _dynfunc  # type: ignore[attr-defined, unused-ignore]
from numba.core import types
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.cpu import CPUContext
from numba.core.imputils import builtin_registry
from numba.core.registry import CPUDispatcher, CPUTarget
from numba.core.typed_passes import (
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.typing import templates
from numba.core.typing.context import Context
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode

#: What numbers, arrays, records, branches, loops and calls need of numba's passes, in its order.
#: The others are for closures, exceptions, literals, lists, reference counts, parallel loops and
#: listings; a function that has need of one does not compile.
_FRONT = (
    *(TranslateByteCode, FixupArgs, IRProcessing, ReconstructSSA),
    *(NopythonTypeInference, PreLowerStripPhis),
)


class _Library(JITCodeLibrary):
    """Code that is optimized once, as a whole."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


class _PartLibrary(_Library):
    """Code of a part, optimized and made machine code where it is called, and not by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Codegen(JITCPUCodegen):
    _library_class = _Library


class _Types(Context):
    """What types operations have."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[Any, Any] = {}

    def refresh(self) -> None:
        """Enter the operations, once; what has them is not imported before a kernel is called."""
        if not self._registries:
            from numba.core.typing import arraydecl  # noqa: F401  (enters those of arrays)

            from equinox.colocation.operations import TYPED

            self.install_registry(_without_overloads(templates.builtin_registry))
            self.install_registry(TYPED)

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Return the types of an operation on `args`, found out once."""
        find = super().resolve_function_type
        if kws or not isinstance(func, types.Function):
            return find(func, args, kws)
        literal = any(template.prefer_literal for template in func.templates)
        key = func, tuple(args if literal else map(types.unliteral, args))
        if key not in self._found:
            self._found[key] = find(func, args, kws)
        return self._found[key]


def _without_overloads(registry: Any) -> Any:
    """Return the operations of `registry` but those that numba compiles from Python."""
    few = templates.Registry()
    few.functions = [each for each in registry.functions if not _is_overload(each)]
    few.attributes = [each for each in registry.attributes if not _is_overload(each)]
    few.globals = [
        (value, kind)
        for value, kind in registry.globals
        if not (isinstance(kind, types.Function) and _is_overload(kind.templates[0]))
    ]
    return few


def _is_overload(template: Any) -> bool:
    return hasattr(template, "_overload_func")


class _Context(CPUContext):
    """What code operations become."""

    def init(self) -> None:
        """Make code as this module does."""
        super().init()
        self._internal_codegen = _Codegen("equinox")

    def refresh(self) -> None:
        """Enter the operations, once."""
        if not self._registries:
            from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401

            from equinox.colocation.operations import WRITTEN

            self.install_registry(builtin_registry)
            self.install_registry(WRITTEN)

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Leave out numba's memory management: nothing is allocated."""


class _Target(CPUTarget):
    @cached_property
    def _toplevel_typing_context(self) -> Any:
        return _Types()

    @cached_property
    def _toplevel_target_context(self) -> Any:
        return _Context(self.typing_context, self._target_name)


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):
    """numba's lowering to LLVM's code, without machine code."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Enter the code of a part in `state`."""
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.targetctx = state.targetctx.subtarget(get_executable=_stand_in)
        return bool(super().run_pass(state))


def _stand_in(library: Any, described: Any, environment: Any) -> Any:
    """Return what stands for a part among numba's functions; it has no machine code to call."""
    module = described.lookup_module()
    return _dynfunc.make_function(module, described.qualname, "", 0, environment, (library,))


class _KernelCompiler(CompilerBase):
    """A compiler of few passes."""

    lowering: Any = NativeLowering

    def define_pipelines(self) -> list[Any]:
        """Return the one way to compile."""
        manager = PassManager("direct")
        for each in (*_FRONT, self.lowering, NoPythonBackend):
            manager.add_pass(each, each.__name__)
        manager.finalize()
        return [manager]


class _PartCompiler(_KernelCompiler):
    lowering = _PartLowering


class _Kernel(CPUDispatcher):
    targetdescr = _Target("cpu")


class _Part(_Kernel):
    def __call__(self, *arguments: Any) -> Any:
        """Run as Python."""
        return self.py_func(*arguments)


#: No wrapper for C, division by zero as in numpy, and no counting of references.
_OPTIONS = {"nopython": True, "no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}


def compiled_kernel(function: Any) -> Any:
    """Return `function`, compiled when it is first called, and kept on disk."""
    kernel = _Kernel(function, None, dict(_OPTIONS), _KernelCompiler)
    kernel.enable_caching()
    return kernel


def compiled_part(function: Any) -> Any:
    """Return `function`, compiled within the kernels that call it."""
    return _Part(function, None, _OPTIONS | {"no_cpython_wrapper": True}, _PartCompiler)
