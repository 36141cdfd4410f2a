"""The names of a program's text: where they are bound and used, and which another file names."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Collection, Iterable, Iterator

from tensorbridge_cli.tracing.report.syntax import (
    FUNCTIONS,
    expressions_at,
    last_name,
    names_of,
    nodes_of,
    parents_of,
    path_of,
    tree_of,
)

_MODULES = ("numpy", "torch")


def functions_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the functions that files define."""
    return frozenset().union(*(functions_in_tree(tree_of(text)) for text in texts))


def uses_of(names: Collection[str], tree: ast.AST) -> Iterator[ast.Name]:
    """Yield where variables are used, and not bound: also ``a`` in ``a += 1``."""
    named = (node for node in nodes_of(tree) if isinstance(node, ast.Name) and node.id in names)
    for node in named:
        if isinstance(node.ctx, ast.Load) or isinstance(parents_of(tree)[node], ast.AugAssign):
            yield node


def declared(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that ``nodes`` declare as those of an outer scope: ``global x`` and ``nonlocal x``."""
    return {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}


def bound_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that ``nodes`` bind or delete."""
    return {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}


def sole_binding(path: str, tree: ast.AST) -> ast.Assign | None:
    """Return the statement that binds a variable or an attribute, to nothing else; None if there are several."""
    named = (one for one in nodes_of(tree) if path and path_of(one) == path)
    stored = (parents_of(tree)[one] for one in named if isinstance(getattr(one, "ctx", None), ast.Store))
    bindings = [one for one in stored if not isinstance(one, ast.AugAssign)]
    first = bindings[0] if len(bindings) == 1 else None
    return first if isinstance(first, ast.Assign) and len(first.targets) == 1 else None


def own_names(scope: ast.AST | None) -> set[str]:
    """Return the names that a function has for itself: its parameters, and what it binds."""
    nodes = nodes_of(scope) if scope is not None else ()
    return parameters_of(scope) | (bound_in(nodes) - declared(nodes))


def parameters_of(scope: ast.AST | None) -> set[str]:
    """Return the names of the parameters of a function."""
    return {node.arg for node in ast.walk(getattr(scope, "args", ast.Pass())) if isinstance(node, ast.arg)}


def calls_at(line: int, conversion: str, tree: ast.AST) -> list[ast.Call]:
    """Return the calls on a line that name a conversion."""
    calls = [node for node in expressions_at(line, tree) if isinstance(node, ast.Call)]
    return [call for call in calls if last_name(call.func) in names_of(conversion, tree)]


Binding = ast.Assign | ast.NamedExpr
"""What gives names to values: ``t = x``, and ``(t := x)``."""


def bindings_at(line: int, tree: ast.AST) -> list[ast.Assign]:
    """Return the statements that bind what an expression on a line gives."""
    here = expressions_at(line, tree)
    return [node for node in nodes_of(tree) if isinstance(node, ast.Assign) and node.value in here]


def bindings_of(name: str, line: int, tree: ast.AST) -> list[ast.Assign]:
    """Return those in whose value a function or a method of that name is called, or named."""
    return [one for one in bindings_at(line, tree) if name in map(last_name, ast.walk(one.value))]


def bound_apart(binding: Binding) -> list[tuple[ast.expr, ast.expr]]:
    """Return what a binding binds, each with its value: ``t`` and ``f(a)``, ``n`` and 0 of ``t, n = f(a), 0``.

    Of ``t, u = map(f, x)`` it is the whole value for each.
    """
    parts: list[tuple[ast.expr, ast.expr]] = []
    for target in binding.targets if isinstance(binding, ast.Assign) else [binding.target]:
        several, values = (getattr(one, "elts", []) for one in (target, binding.value))
        if len(several) == len(values) > 0 and not any(isinstance(one, ast.Starred) for one in (*several, *values)):
            parts += zip(several, values, strict=True)
        else:
            names = (one.value if isinstance(one, ast.Starred) else one for one in several or [target])
            parts += ((name, binding.value) for name in names)
    return parts


@functools.lru_cache(maxsize=64)
def modules(tree: ast.AST) -> frozenset[str]:
    """Return the names that a file gives to numpy and torch, and to nothing else."""
    imports = [one for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    names = {one.asname or one.name for one in imports if one.name in _MODULES}
    return frozenset(names - _bound(tree))


@functools.lru_cache(maxsize=64)
def builtin_names(tree: ast.AST) -> frozenset[str]:
    """Return the names that mean Python's own functions in a file."""
    return frozenset(dir(builtins)) - _bound(tree)


@functools.lru_cache(maxsize=64)
def _bound(tree: ast.AST) -> frozenset[str]:
    """Return the names that a file binds, other than by ``import numpy``."""
    bound = bound_in(ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            others = (one for one in node.names if isinstance(node, ast.ImportFrom) or one.name not in _MODULES)
            bound |= {one.asname or one.name for one in others}
    return frozenset(bound)


@functools.lru_cache(maxsize=512)
def functions_in_tree(tree: ast.AST) -> frozenset[str]:
    """Return the names of the functions that a file defines."""
    return frozenset(node.name for node in nodes_of(tree) if isinstance(node, FUNCTIONS))


def is_named_elsewhere(name: str, tree: ast.AST, texts: Iterable[str]) -> bool:
    """Return True if a file other than that of ``tree`` names an attribute, or imports a name of a module, so."""
    return any(name in named_elsewhere(text) for text in texts if tree_of(text) is not tree)


@functools.lru_cache(maxsize=512)
def named_elsewhere(text: str) -> frozenset[str]:
    """Return the attributes that a file names, and what it imports from modules."""
    nodes = list(ast.walk(tree_of(text)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return frozenset(names | {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names})
