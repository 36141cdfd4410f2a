"""What a program's text says of writes that no inspection proves: to a buffer that is refilled, a tensor's ``.data``.

It is asked only whether a write is possible. If it is, no code is printed that would rely on there being none.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.report.source import FUNCTIONS, LOOPS, begin, call_of, innermost, is_in, text_of, tree_of


def written_in_place(site: Site) -> bool:
    """Return True if the file writes into what the call converts, e.g. a buffer, where that can be after the call.

    It can if it stands behind the call, or in another function, or in a loop that the call is in, too.
    """
    call, text = call_of(site), text_of(site.file)
    if call is None:
        return False
    source = call.converted
    while isinstance(source, ast.Subscript):
        source = source.value
    if not isinstance(source, ast.Name | ast.Attribute):
        return False
    name = _last_name(source)
    return any(_can_follow(tree_of(text), call.node, write, name) for write in _writes(text, name))


def only_written_to(site: Site) -> bool:
    """Return True if the result is used for nothing but to write into the source, e.g. ``from_numpy(a).add_(1)``."""
    call, tree = call_of(site), tree_of(text_of(site.file))
    if call is None:
        return False
    targets = {id(part) for part in _targets(tree)}
    if id(call.node) in targets:
        return True
    scope = innermost(tree, call.node, (*FUNCTIONS, ast.Module)) or tree
    names = {
        target.id
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and node.value is call.node
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    uses = [node for node in ast.walk(scope) if isinstance(node, ast.Name) and node.id in names]
    return bool(names) and all(id(node) in targets for node in uses if not isinstance(node.ctx, ast.Store))


def _targets(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what statements write into and take no value from: ``t`` in ``t.add_(1)``, ``t[0] = 1``, ``t += 1``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            written: list[ast.expr] = [target for target in node.targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.AugAssign):
            written = [node.target]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_in_place(node.value):
            written = [node.value]
        else:
            continue
        for part in written:
            yield part
            while isinstance(part, ast.Attribute | ast.Subscript | ast.Call):
                part = part.func if isinstance(part, ast.Call) else part.value
                yield part


def _is_in_place(call: ast.Call) -> bool:
    """Return True for ``a.fill(0)`` and ``t.add_(1)``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in _MUTATORS or re.fullmatch(r"[a-z]\w*[^_]_", name) is not None


def _can_follow(tree: ast.AST, call: ast.Call, write: ast.expr, name: str) -> bool:
    """Return True if ``write``, into the array of ``name``, can run after ``call`` has."""
    if begin(write) > begin(call):
        return True
    for node in ast.walk(tree):
        if not isinstance(node, (*LOOPS, *FUNCTIONS)) or not is_in(write, node):
            continue
        if is_in(call, node) if isinstance(node, LOOPS) else not (is_in(call, node) and _makes(node, name)):
            return True
    return False


def _makes(function: ast.AST, name: str) -> bool:
    """Return True if a function binds ``name`` itself: each call of it has an array of its own."""
    stored = (node for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    outer = (node for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal))
    return any(node.id == name for node in stored) and not any(name in node.names for node in outer)


_PAST_TORCH = frozenset({"data", "data_ptr", "untyped_storage", "set_"})
_OTHERS_DATA = ("utils", "ctypes")


def _last_name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def writes_past_torch(text: str) -> bool:
    """Return True if a file may write to tensors' memory so that torch does not count it.

    That is through ``.data``, and through an array over a tensor's memory.
    """
    tree = tree_of(text)
    for node in ast.walk(tree):
        # torch.utils.data is a module, and what is in array.ctypes.data is an address
        if isinstance(node, ast.Attribute) and node.attr in _PAST_TORCH and _last_name(node.value) not in _OTHERS_DATA:
            return True
    arrays = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_over_tensor(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return any(
        any(_is_over_tensor(part) or _last_name(part) in arrays for part in _chain(written))
        for written in _written(text)
    )


_OVER_TENSOR = frozenset({"numpy", "asarray", "asanyarray", "ascontiguousarray", "from_dlpack", "frombuffer"})


def _is_over_tensor(value: ast.expr) -> bool:
    """Return True for an expression like ``t.numpy()`` or ``np.asarray(t)[0]``, and not for a copy of one."""
    found = [_last_name(part.func) for part in _chain(value) if isinstance(part, ast.Call)]
    return not _OVER_TENSOR.isdisjoint(found) and "copy" not in found


def _writes(text: str, name: str) -> list[ast.expr]:
    """Return the places of a file that write into the array of ``name``: a variable, or an attribute of anything."""
    found = [written for written in _written(text) if any(_last_name(part) == name for part in _chain(written))]
    return [*found, *_passed_to_be_written(text, name)]


def _passed_to_be_written(text: str, name: str) -> Iterator[ast.Call]:
    """Yield the calls of functions of the file that ``name`` is passed to, and that write into what they are passed."""
    functions = {node.name: node for node in ast.walk(tree_of(text)) if isinstance(node, FUNCTIONS)}
    for node in ast.walk(tree_of(text)):
        function = functions.get(_last_name(node.func)) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or function is None:
            continue
        parameters = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if isinstance(node.func, ast.Attribute) and parameters[:1] == ["self"]:
            del parameters[0]
        passed = [*zip(parameters, node.args, strict=False), *((one.arg, one.value) for one in node.keywords)]
        names = {parameter for parameter, value in passed if _last_name(value) == name}
        writes = (written for written in _written(text) if is_in(written, function))
        if any(_last_name(part) in names for written in writes for part in _chain(written)):
            yield node


_MUTATORS = frozenset(
    {"byteswap", "fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort", "clear", "extend"}
)
"""Methods of arrays, and of what holds buffers, that write in place; those of tensors end in an underscore."""
_INTO_FIRST = frozenset({"copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "at", "shuffle"})
_INTO_FIRST |= {"readinto", "readinto1", "recv_into", "recvfrom_into", "pack_into", "memmove", "memset"}
"""Functions that write into their first argument."""


@functools.lru_cache(maxsize=64)
def _written(text: str) -> tuple[ast.expr, ...]:
    """Return the expressions of a file that something is written into."""
    found: list[ast.expr] = []
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            found.append(node)
        elif isinstance(node, ast.AugAssign):
            found.append(node.target)
        elif isinstance(node, ast.Call):
            name = _last_name(node.func)
            if isinstance(node.func, ast.Attribute) and _is_in_place(node):
                found.append(node.func.value)
            if name in _INTO_FIRST:
                found.extend(node.args[:2])  # struct.pack_into has a format first
            for keyword in node.keywords:
                if keyword.arg == "out":
                    outs = keyword.value.elts if isinstance(keyword.value, ast.Tuple) else [keyword.value]
                    found.extend(outs)
    return tuple(found)


def _chain(node: ast.expr) -> Iterator[ast.expr]:
    """Yield ``a.b[0].T``, ``a.b[0]``, ``a.b`` and ``a``; of a call what it is made on, and what it is given."""
    part: ast.expr | None = node
    while part is not None:
        yield part
        if isinstance(part, ast.Call):
            yield from (inner for argument in part.args[:1] for inner in _chain(argument))
            part = part.func.value if isinstance(part.func, ast.Attribute) else None
        else:
            part = getattr(part, "value", None) if isinstance(part, ast.Attribute | ast.Subscript) else None
