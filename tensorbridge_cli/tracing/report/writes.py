"""What a program's text says of writes that no inspection proves: to a buffer that is refilled, a tensor's ``.data``.

It is asked only whether a write is possible. If it is, no code is printed that would rely on there being none.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Iterator

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.report.source import FUNCTIONS, LOOPS, begin, call_of, innermost, is_in, text_of, tree_of


def written_in_place(site: Site, texts: tuple[str, ...] = ()) -> bool:
    """Return True if the program writes into what the call converts, or into what it gives, where that can follow.

    It can if it stands behind the call, or in another function, or in a loop that the call is in, too. ``texts`` are
    those of the program's other files: a function of theirs may write into what it is passed, and an attribute of an
    object is written wherever the object is.
    """
    call, text = call_of(site), text_of(site.file)
    if call is None:
        return False
    tree = tree_of(text)
    sources = [part for part in _chain(call.converted) if isinstance(part, ast.Name | ast.Attribute)]
    attributes = {part.attr for part in sources if isinstance(part, ast.Attribute)}
    if attributes and any(_written_names(other) & attributes for other in texts if other != text):
        return True
    own = {_last_name(part) for part in sources}
    names = _aliases(tree, own, call.node)
    functions = _functions(texts if text in texts else (text, *texts))
    writes = [written for written in _written(text) if _names(written) & names]
    writes += [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _writes_into_passed(node, names, functions, frozenset())
    ]
    return any(_can_follow(tree, call.node, write, own) for write in writes)


def _aliases(tree: ast.AST, names: set[str], call: ast.Call | None = None) -> frozenset[str]:
    """Return ``names`` with those that are bound to something of theirs, or to what ``call`` gives: maybe a view."""
    bindings = _bindings(tree)
    known = set(names)
    while True:
        more = {
            name
            for bound, value in bindings
            for name in bound - known
            if any(part is call or _last_name(part) in known for part in _uncopied(value))
        }
        if not more:
            return frozenset(known)
        known |= more


_COPYING = frozenset({"copy", "clone", "deepcopy", "astype", "item", "tolist", "tobytes", "sum", "mean"})


def _uncopied(value: ast.expr) -> Iterator[ast.expr]:
    """Yield what ``value`` may be a part of: the chain of it, up to a call that copies."""
    for part in _chain(value):
        if isinstance(part, ast.Call) and _last_name(part.func) in _COPYING:
            return
        yield part


@functools.lru_cache(maxsize=1024)
def _bindings(tree: ast.AST) -> tuple[tuple[set[str], ast.expr], ...]:
    """Return the names that statements bind, with what they are bound to, or to parts of."""
    found: list[tuple[set[str], ast.expr]] = []
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            pairs = [(node.target, node.iter)]
        elif isinstance(node, ast.NamedExpr | ast.AnnAssign):
            pairs = [] if node.value is None else [(node.target, node.value)]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            pairs = [(node.optional_vars, node.context_expr)]
        for target, value in pairs:
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                found += ((_bound(one), other) for one, other in zip(target.elts, value.elts, strict=True))
            else:
                found.append((_bound(target), value))
    return tuple(found)


def _bound(target: ast.expr) -> set[str]:
    """Return the variables, and the attributes, that a target binds; not the list that it puts something into."""
    if isinstance(target, ast.Name | ast.Attribute):
        return {_last_name(target)}
    if isinstance(target, ast.Starred):
        return _bound(target.value)
    return set().union(*map(_bound, target.elts)) if isinstance(target, ast.Tuple | ast.List) else set()


def _names(written: ast.expr) -> set[str]:
    return {_last_name(part) for part in _chain(written)} - {""}


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


def _can_follow(tree: ast.AST, call: ast.Call, write: ast.expr, names: Collection[str]) -> bool:
    """Return True if ``write``, into the array of one of ``names``, can run after ``call`` has."""
    if begin(write) > begin(call):
        return True
    for node in ast.walk(tree):
        if not isinstance(node, (*LOOPS, *FUNCTIONS)) or not is_in(write, node):
            continue
        if is_in(call, node) if isinstance(node, LOOPS) else not (is_in(call, node) and _makes(node, names)):
            return True
    return False


def _makes(function: ast.AST, names: Collection[str]) -> bool:
    """Return True if a function binds one of ``names`` itself: each call of it has an array of its own."""
    stored = (node for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    outer = (node for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal))
    declared = {name for node in outer for name in node.names}
    return any(node.id in names for node in stored) and declared.isdisjoint(names)


@functools.lru_cache(maxsize=4)
def thaws(texts: tuple[str, ...]) -> bool:
    """Return True if a file may let a read-only array be written again, with ``a.flags.writeable = True``."""
    return any(_thaws(node) for text in texts for node in ast.walk(tree_of(text)))


def _thaws(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        names = {_last_name(one) or _constant(one) for one in node.targets}
        return not names.isdisjoint({"writeable", "WRITEABLE", "W"}) and not _is_false(node.value)
    if isinstance(node, ast.Call) and _last_name(node.func) == "setflags":
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


_Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.lru_cache(maxsize=4)
def _functions(texts: tuple[str, ...]) -> dict[str, list[_Function]]:
    """Return the functions of some files by their names; several may have one."""
    found: dict[str, list[_Function]] = {}
    for text in dict.fromkeys(texts):
        for node in ast.walk(tree_of(text)):
            if isinstance(node, FUNCTIONS):
                found.setdefault(node.name, []).append(node)
    return found


def _writes_into_passed(
    call: ast.Call, names: Collection[str], functions: dict[str, list[_Function]], seen: frozenset[_Function]
) -> bool:
    """Return True if ``call`` passes one of ``names`` to a function of the program that writes into it."""
    for function in functions.get(_last_name(call.func), ()):
        if function in seen:
            continue
        parameters = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if isinstance(call.func, ast.Attribute) and parameters[:1] == ["self"]:
            del parameters[0]
        passed = [*zip(parameters, call.args, strict=False), *((one.arg, one.value) for one in call.keywords)]
        inside = {parameter for parameter, value in passed if parameter is not None and _names(value) & set(names)}
        if inside and _writes_its(function, _aliases(function, inside), functions, seen | {function}):
            return True
    return False


def _writes_its(
    function: _Function, names: Collection[str], functions: dict[str, list[_Function]], seen: frozenset[_Function]
) -> bool:
    """Return True if a function writes into what has one of ``names`` in it."""
    if any(_names(written) & set(names) for written in _written_in(function)):
        return True
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(_writes_into_passed(call, names, functions, seen) for call in calls)


_MUTATORS = frozenset(
    {"byteswap", "fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort", "clear", "extend"}
)
"""Methods of arrays, and of what holds buffers, that write in place; those of tensors end in an underscore."""
_INTO_FIRST = frozenset({"copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "at", "shuffle"})
_INTO_FIRST |= {"readinto", "readinto1", "recv_into", "recvfrom_into", "pack_into", "memmove", "memset"}
"""Functions that write into their first argument."""


def _written(text: str) -> tuple[ast.expr, ...]:
    """Return the expressions of a file that something is written into."""
    return _written_in(tree_of(text))


@functools.lru_cache(maxsize=512)
def _written_names(text: str) -> frozenset[str]:
    """Return the names in the expressions of a file that something is written into."""
    return frozenset().union(*map(_names, _written(text)))


@functools.lru_cache(maxsize=1024)
def _written_in(tree: ast.AST) -> tuple[ast.expr, ...]:
    """Return the expressions in ``tree`` that something is written into."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
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
