"""What a program's text says of writes that no inspection proves: to a buffer that is refilled, a tensor's ``.data``.

It is asked only whether a write is possible. If it is, no code is printed that would rely on there being none.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.inside.records import Place
from tensorbridge_cli.tracing.report.bindings import calls_at, declared, uses_of
from tensorbridge_cli.tracing.report.library_functions import INTO_FIRST, is_in_place
from tensorbridge_cli.tracing.report.source import node_of
from tensorbridge_cli.tracing.report.syntax import FUNCTIONS, innermost, last_name, nodes_of, text_of, tree_of
from tensorbridge_cli.tracing.report.uses import is_only_read


def only_written_to(site: Site) -> bool:
    """Return True if the result is used for nothing but to write into the source, e.g. ``from_numpy(a).add_(1)``."""
    call = node_of(site)
    return call is not None and _is_only_written_to(call, tree_of(text_of(site.file)))


def is_made_to_write(place: Place) -> bool:
    """Return True if what an earlier line made is used for nothing but to write: ``view`` of a tensor that it fills."""
    tree = tree_of(text_of(place.file))
    calls = calls_at(place.line, place.conversion, tree)
    return bool(calls) and all(_is_only_written_to(call, tree) for call in calls)


def is_written_through(place: Place) -> bool:
    """Return True if the program writes through what an earlier line made: ``flat`` in ``flat = w.reshape(-1)``.

    So it knows that the memory is shared, and ``w`` may be read again.
    """
    tree = tree_of(text_of(place.file))
    calls = calls_at(place.line, place.through[0] if place.until else place.conversion, tree)
    return any(_is_written_to(call, tree) for call in calls)


def _is_written_to(node: ast.AST, tree: ast.AST, names_of: tuple[ast.AST, ...] = ()) -> bool:
    uses = [use for target, used in _names(node, tree) for use in used if not isinstance(target, ast.Subscript)]
    known = (*names_of, node)
    return any(use in _targets(tree) or (use not in known and _is_written_to(use, tree, known)) for use in uses)


def _is_only_written_to(node: ast.AST, tree: ast.AST, names_of: tuple[ast.AST, ...] = ()) -> bool:
    """Return True if what ``node`` gives, or a name or a container of it, is written into and never read.

    ``names_of`` are the nodes that it has been a name of.
    """
    if node in _targets(tree):
        return True
    uses = [use for _, used in _names(node, tree) for use in used]
    known = (*names_of, node)
    return bool(uses) and all(use not in known and _is_only_written_to(use, tree, known) for use in uses)


def _names(node: ast.AST, tree: ast.AST) -> Iterator[tuple[ast.expr, list[ast.AST]]]:
    """Yield what is bound to what ``node`` gives, or to a container of it, each with where that is used."""
    scope = innermost(tree, node, (*FUNCTIONS, ast.Module)) or tree
    for one in nodes_of(scope):
        for target, value in _bindings(one):
            if node in [*_held(value)]:
                yield target, _uses_of(target, scope, tree)


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what a statement binds and to what; of ``for x, y in zip(a, b)`` to what is looped over."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case ast.For(target=target, iter=ast.Call(func=ast.Name(id="enumerate" | "zip" as name), args=values)):
            targets = target.elts[name == "enumerate" :] if isinstance(target, ast.Tuple) else []
            yield from zip(targets, values, strict=False)
        case ast.For(target=target, iter=value):
            yield target, value


def _held(value: ast.expr) -> Iterator[ast.expr]:
    """Yield what a value is, or may be an item of, or holds: ``a`` in ``a[0]``, ``[a, b]`` and ``[a for b in c]``."""
    yield value
    match value:
        case ast.Subscript(value=part) | ast.ListComp(elt=part) | ast.DictComp(value=part):
            yield from _held(part)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            for part in parts:
                yield from _held(part)


def _uses_of(target: ast.expr, scope: ast.AST, tree: ast.AST) -> list[ast.AST]:
    """Return where what an assignment binds is used; of an attribute, that of any object in the file."""
    if isinstance(target, ast.Name):
        return list(uses_of({target.id}, tree if target.id in declared(nodes_of(scope)) else scope))
    if isinstance(target, ast.Attribute):
        alike = (node for node in nodes_of(tree) if isinstance(node, ast.Attribute) and node.attr == target.attr)
        return [node for node in alike if not isinstance(node.ctx, ast.Store)]
    return [target]


@functools.lru_cache(maxsize=64)
def _targets(tree: ast.AST) -> frozenset[ast.expr]:
    """Return what the statements of a file write into and take no value from, see ``_written_into``."""
    return frozenset(_written_into(tree))


def _written_into(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what statements write into and take no value from: ``t`` in ``t.add_(1)``, ``t[0] = 1``, ``t += 1``."""
    for node in nodes_of(tree):
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(node, ast.Assign):
            written: list[ast.expr] = [target for target in node.targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.AugAssign):
            written = [node.target]
        elif isinstance(call, ast.Call) and is_in_place(call):
            written = [call]
        elif isinstance(call, ast.Call):
            written = [keyword.value for keyword in call.keywords if keyword.arg == "out"]
            written += call.args[:1] if last_name(call.func) in INTO_FIRST else []
        else:
            continue
        for part in written:
            yield part
            while isinstance(part, ast.Attribute | ast.Subscript | ast.Call):
                part = part.func if isinstance(part, ast.Call) else part.value
                yield part


@functools.lru_cache(maxsize=4)
def thaws(texts: tuple[str, ...]) -> bool:
    """Return True if a file may let a read-only array be written again, with ``a.flags.writeable = True``."""
    return any(_thaws(node) for text in texts for node in nodes_of(tree_of(text)))


def _thaws(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        names = {last_name(one) or _constant(one) for one in node.targets}
        return not names.isdisjoint({"writeable", "WRITEABLE", "W"}) and not _is_false(node.value)
    if isinstance(node, ast.Call) and last_name(node.func) == "setflags":
        given = [*node.args[:1], *(one.value for one in node.keywords if one.arg in ("write", None))]
        return not all(map(_is_false, given))
    return False


def _constant(target: ast.expr) -> object:
    index = target.slice if isinstance(target, ast.Subscript) else None
    return index.value if isinstance(index, ast.Constant) else None


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value


_PAST_TORCH = frozenset({"data", "data_ptr", "untyped_storage", "set_"})
_OTHERS_DATA = ("utils", "ctypes")


def writes_past_torch(text: str) -> bool:
    """Return True if a file may write to tensors' memory so that torch does not count it.

    That is through ``.data``, and through an array over a tensor's memory.
    """
    tree = tree_of(text)
    for node in nodes_of(tree):
        # torch.utils.data is a module, and what is in array.ctypes.data is an address
        if isinstance(node, ast.Attribute) and node.attr in _PAST_TORCH and last_name(node.value) not in _OTHERS_DATA:
            return True
    over_tensors = (node for node in nodes_of(tree) if isinstance(node, ast.Call) and _is_over_tensor(node))
    return not all(_is_read(node, tree) for node in over_tensors)


_OVER_TENSOR = frozenset({"numpy", "asarray", "asanyarray", "ascontiguousarray", "from_dlpack", "frombuffer"})


def _is_over_tensor(call: ast.Call) -> bool:
    """Return True for a call like ``t.numpy()`` or ``np.asarray(t)``."""
    return last_name(call.func) in _OVER_TENSOR


def _is_read(call: ast.Call, tree: ast.AST) -> bool:
    """Return True if the array that ``call`` gives is only read, maybe through one name."""
    names = {
        node.targets[0].id
        for node in nodes_of(tree)
        if isinstance(node, ast.Assign) and node.value is call and len(node.targets) == 1
        if isinstance(node.targets[0], ast.Name)
    }
    if not names:
        return is_only_read(call, tree)
    return all(is_only_read(use, tree) for use in uses_of(names, tree))
