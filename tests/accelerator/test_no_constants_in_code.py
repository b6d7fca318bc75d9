"""Every physical constant is in config/technology: none is a number in the code."""

import ast

import pytest

from equinox.units import _UNITS

#: What names of quantities with a unit end in; "_s" and the like.
SUFFIXES = tuple(
    f"_{name.lower()}" for name in (*_UNITS, "op_per_s", "pj", "um2_per_mac") if name != "1"
)
#: Definitions: ideal machines have nothing or everything of it; a prefix is a power of ten or two.
DEFINITIONS = {0, 1, float("inf")}


def is_number(node):
    """Whether an expression is made of numbers alone."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        operands = isinstance(node, ast.BinOp) and (node.left, node.right)
        return bool(operands) and all(map(is_number, operands))
    return isinstance(value, int | float) and not isinstance(value, bool)


def named_numbers(source):
    """Yield the names of quantities with a unit that `source` gives a number to."""
    for node in ast.walk(ast.parse(source)):
        pairs = []
        match node:
            case ast.Assign(targets=targets, value=value):
                pairs = [(ast.unparse(target), value) for target in targets]
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pairs = [(ast.unparse(target), value)]
            case ast.keyword(arg=str(name), value=value):
                pairs = [(name, value)]
            case ast.arguments():
                names = [arg.arg for arg in node.args[len(node.args) - len(node.defaults) :]]
                pairs = list(zip(names, node.defaults, strict=True))
                pairs += [
                    (arg.arg, value)
                    for arg, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)
                    if value is not None
                ]
            case ast.Dict(keys=keys, values=values):
                pairs = [
                    (str(key.value), value)
                    for key, value in zip(keys, values, strict=True)
                    if isinstance(key, ast.Constant)
                ]
        for name, value in pairs:
            if not is_number(value) or not name.lower().endswith(SUFFIXES):
                continue
            if not isinstance(value, ast.Constant) or value.value not in DEFINITIONS:
                yield name


@pytest.mark.parametrize("package", ["accelerator", "design_space"])
def test_no_quantity_has_its_value_in_code(repository, package):
    found = {
        f"{path.name}: {name}"
        for path in repository.glob(f"equinox/{package}/**/*.py")
        for name in named_numbers(path.read_text())
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "HBM_W = 8.0",
        "self.read_j: float = 1.1e-12",
        "Bank(area_mm2=2 * 40)",
        "def f(power_w=75): ...",
        "def f(*, latency_cycle=12): ...",
        "x = {'wire_pj': 0.084}",
    ],
)
def test_a_number_with_a_unit_is_found(source):
    assert len(list(named_numbers(source))) == 1


@pytest.mark.parametrize("source", ["batch = 128", "total_w = 0", "a_w = b_w * 2", "limit = 1e-6"])
def test_counts_and_expressions_are_not(source):
    assert not list(named_numbers(source))
