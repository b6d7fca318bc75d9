"""Mutants of a module: its source with one operator, comparison, number or condition changed."""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import parso.tree  # noqa: F401  # before cosmic_ray, whose import of it is circular
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

#: Without a decorator, a kernel is not compiled, a class not final: slower or looser, never wrong.
_LEFT_OUT = ("core/RemoveDecorator",)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A changed source, and what was changed where."""

    operator: str
    line: int
    before: str
    after: str
    source: str


def sample_mutants(path: Path, count: int, seed: int) -> tuple[list[Mutant], int]:
    """Return `count` mutants of a module at random, without repetition, and how many there are.

    Of those that change nothing that runs (annotations, texts of errors) none is chosen.
    """
    source = path.read_text()
    same, places = _runs(source), list(_places(source))
    random.Random(seed).shuffle(places)
    chosen: dict[str, Mutant] = {}
    for name, occurrence in places:
        changed = mutate_code(source, get_operator(name)(), occurrence)
        if changed is not None and _runs(changed) != same:
            chosen[changed] = _described(name.removeprefix("core/"), source, changed)
        if len(chosen) == count:
            break
    return list(chosen.values()), len(places)


def _places(source: str) -> Iterator[tuple[str, int]]:
    """Yield each operator with the number of each place that it changes."""
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        kind = get_operator(name)
        if name not in _LEFT_OUT and not kind.arguments():
            positions = map(kind().mutation_positions, nodes)
            yield from ((name, number) for number in range(sum(len(list(p)) for p in positions)))


def _described(operator: str, source: str, changed: str) -> Mutant:
    old, new = source.splitlines(), changed.splitlines()
    line = next(n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    return Mutant(
        operator=operator,
        line=line + 1,
        before=old[line].strip(),
        after=new[line].strip(),
        source=changed,
    )


def _runs(source: str) -> str:
    """Return what of a source runs: its tree without annotations and texts of errors."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Name(id="Any")
        if isinstance(node, ast.JoinedStr):
            node.values = []
    return ast.dump(tree)
