"""Whether a program's text shows that an array is only read after it was converted.

No list of what writes is complete: ``np.negative(a, a)``, ``operator.imul(a, 2)``, ``pool.submit(refill, a)``. So each
use of the array's name must be one of those that are known to read, and give nothing that shares its memory.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.report.bindings import (
    bound_apart,
    builtin_names,
    functions_in,
    functions_in_tree,
    is_named_elsewhere,
    modules,
    uses_of,
)
from tensorbridge_cli.tracing.report.library_functions import (
    CONTAINERS,
    CONVERT_METHODS,
    CONVERTING,
    COPY_METHODS,
    DICT_METHODS,
    FACTS,
    INTO_FIRST,
    KEEPING,
    OPERATOR_METHODS,
    READ_TWO,
    READING_BUILTINS,
    UNCOUNTED_VIEWS,
    VIEW_METHODS,
    is_in_place_name,
    may_view,
)
from tensorbridge_cli.tracing.report.source import call_of
from tensorbridge_cli.tracing.report.syntax import (
    ALL_NAMES,
    SCOPES,
    begin,
    end,
    innermost,
    is_in,
    is_python,
    last_name,
    loops_around,
    nodes_of,
    parents_of,
    text_of,
    tree_of,
)

_READING = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.FormattedValue, ast.Subscript)

_STATEMENTS = (ast.Assert, ast.Delete, ast.Expr, ast.If, ast.While)


def may_be_written(site: Site, texts: Iterable[str] = ()) -> bool:
    """Return True if the program may write into what the call converts, or gives, after it was converted.

    ``texts`` are those of the program's other files, which may reach what a module defines. That torch writes to what
    it is passed, inspections show; what the program's own functions do may come between two of them.
    """
    call, text = call_of(site), text_of(site.file)
    texts = (text, *texts)
    if call is None or not all(map(is_python, texts)):
        return True
    tree = tree_of(text)
    if _is_result_written(call.node, tree, texts):
        return True
    if is_new(call.converted, tree):
        return False
    converted = name_in(call.converted, tree)
    if converted is None or is_named_elsewhere(converted.id, tree, texts):
        return True
    return not all(node is converted or _is_safe(node, converted.id, call.node, tree) for node in nodes_of(tree))


def is_used_in_between(site: Site) -> bool:
    """Return True if the text shows that other code used what a call converts, since it was converted to that.

    In ``torch.from_numpy(smooth(t.numpy()))`` the array is what ``smooth`` takes and gives, and in ``a = t.numpy();
    rng.shuffle(a); torch.from_numpy(a)`` it is shuffled.
    """
    call, tree = call_of(site), tree_of(text_of(site.file))
    if call is None:
        return False
    converted = _viewed(call.converted, tree)
    if not isinstance(converted, ast.Name):
        return _is_of_other_code(converted)
    scope = innermost(tree, call.node, SCOPES) or tree
    bindings = (node for node in nodes_of(scope) if isinstance(node, ast.Assign))
    for binding in bindings:
        values = [value for target, value in bound_apart(binding) if getattr(target, "id", "") == converted.id]
        uses = (use for use in uses_of({converted.id}, scope) if end(binding) <= begin(use) < begin(call.node))
        if any(_is_of_other_code(_viewed(value, tree)) for value in values) or (
            values and not all(tells_no_values(use, tree) for use in uses)
        ):
            return True
    return False


def _viewed(value: ast.expr, tree: ast.AST) -> ast.expr:
    """Return what ``value`` is a view of: a conversion, what other code gave, or what has a name."""
    while True:
        function = value.func if isinstance(value, ast.Call) else value
        if isinstance(value, ast.Call) and last_name(function) in CONVERTING:
            return value
        if isinstance(value, ast.Subscript):
            value = value.value
        elif isinstance(function, ast.Attribute) and function.attr in VIEW_METHODS | CONVERT_METHODS:
            value = function.value
        elif isinstance(value, ast.Call) and value.args and _is_of_module(function, tree):
            value = value.args[0]
        else:
            return value


def _is_of_other_code(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and last_name(value.func) not in CONVERTING


def tells_no_values(node: ast.AST, tree: ast.AST) -> bool:
    """Return True if what ``node`` gives is asked for its shape or dtype alone: ``old.shape``, ``len(old)``."""
    parent = parents_of(tree)[node]
    if isinstance(parent, ast.Call):
        return last_name(parent.func) == "len"
    return isinstance(parent, ast.Attribute) and parent.attr in FACTS | {"dim", "numel"}


def is_only_read(node: ast.AST, tree: ast.AST) -> bool:
    """Return True if what ``node`` gives is only read where it stands, and bound to no name."""
    parents = parents_of(tree)
    while True:
        part, node = node, parents[node]
        if isinstance(node, ast.keyword):
            node = parents[node]
        if isinstance(node, ast.Attribute):
            called = _called(node, parents)
            if node.attr in (COPY_METHODS if called else FACTS):
                return not _may_not_copy(parents[node])
            if node.attr not in VIEW_METHODS:
                return False
            node = parents[node] if called else node
        elif isinstance(node, ast.Subscript) and node.value is part:
            if not isinstance(node.ctx, ast.Load):
                return False
        elif isinstance(node, ast.Call):
            if not _reads(node, part, tree) or _may_not_copy(node):
                return False
            if not may_view(last_name(node.func)):
                return True
        elif isinstance(node, ast.AugAssign):
            return node.value is part and not isinstance(part, ast.List | ast.Tuple)  # kept += [a]
        elif isinstance(node, (*_READING, *_STATEMENTS)):
            return not _keeps(node, part, tree)
        elif not isinstance(node, ast.List | ast.Tuple | ast.Slice):
            return False


def _is_result_written(call: ast.Call, tree: ast.AST, texts: Iterable[str]) -> bool:
    """Return True if what is bound to the result of ``call`` is neither only read nor passed to a library."""
    parents, names = parents_of(tree), set()
    node: ast.AST = call
    while not isinstance(node, ast.stmt):
        part, node = node, parents[node]
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.NamedExpr | ast.AnnAssign) or getattr(node, "iter", None) is part:
            targets = [node.target]  # type: ignore[attr-defined]
        names |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    own = functions_in(texts)
    return not all(is_only_read(one, tree) or _is_passed_on(one, tree, own) for one in uses_of(names, tree))


def _is_passed_on(node: ast.AST, tree: ast.AST, own: frozenset[str]) -> bool:
    """Return True if ``node`` is passed to a function that is none of ``own``, and not as where to write."""
    call = parents_of(tree)[node]
    if isinstance(call, ast.keyword) and call.arg != "out":
        call = parents_of(tree)[call]
    if not isinstance(call, ast.Call) or call.func is node:
        return False
    name = last_name(call.func)
    return bool(name) and name not in own | INTO_FIRST | UNCOUNTED_VIEWS and not is_in_place_name(name)


def escapes(node: ast.AST, tree: ast.AST, keeps: Callable[[str], bool]) -> bool:
    """Return True if what ``node`` gives may outlive its statement: it is bound, returned, or passed to what keeps it.

    ``keeps`` is asked about the name of each function that it is passed to.
    """
    parents = parents_of(tree)
    while not is_only_read(node, tree):
        part, node = node, parents[node]
        if (view := _view_of(node, parents)) is not None:
            node = view
        elif isinstance(node, ast.Attribute) and node.attr in DICT_METHODS and _called(node, parents):
            node = parents[node]
        elif isinstance(node, ast.Subscript) and node.value is part:
            if not isinstance(node.ctx, ast.Load):
                return False  # it is written, and not kept
        elif isinstance(node, ast.AugAssign):
            return node.value is part  # in x *= 2 it is written, too
        elif isinstance(node, ast.comprehension) and node.iter is part and (names := _names_bound(node.target, part)):
            whole = parents[node]
            items = uses_of(names, whole)
            return not _is_run_through(whole, parents) or any(escapes(item, tree, keeps) for item in items)
        elif isinstance(node, ast.For) and node.iter is part and (names := _names_bound(node.target, part)):
            items = uses_of(names, innermost(tree, node, SCOPES) or tree)  # it is bound after the loop, too
            return any(not is_in(item, node) or escapes(item, tree, keeps) for item in items)
        elif isinstance(node, ast.Call | ast.keyword):
            is_result = isinstance(node, ast.keyword) and node.arg == "out"
            call = parents[node] if isinstance(node, ast.keyword) else node
            name = last_name(call.func) if isinstance(call, ast.Call) and call.func is not part else ""
            if not name or keeps(name):
                return True
            if not (is_result or may_view(name) or name in UNCOUNTED_VIEWS):
                return False
            node = call
        else:
            return True
    return False


def _names_bound(target: ast.expr, of: ast.expr) -> set[str]:
    """Return the names by which a loop binds what ``of`` holds; none if it binds more than names.

    So ``v`` of ``for k, v in x.items()``: a key is no array.
    """
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    if isinstance(of, ast.Call) and last_name(of.func) == "items":
        parts = parts[1:] or parts
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names if len(names) == len(parts) else set()


def _is_run_through(comprehension: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return True if a comprehension holds nothing that it loops over once it has run: a generator might."""
    call = parents[comprehension]
    return not isinstance(comprehension, ast.GeneratorExp) or (
        isinstance(call, ast.Call)
        and last_name(call.func) in CONTAINERS | {"all", "any", "max", "min", "sorted", "sum"}
    )


def is_bound(node: ast.AST, tree: ast.AST) -> bool:
    """Return True if what ``node`` gives is bound as it is, or put into a container that is kept.

    So is ``v.cpu()`` in ``kept = [v.cpu() for v in x]`` and ``kept[k] = v.cpu()``, and not in ``torch.cat([v.cpu()])``.
    """
    parents, collected = parents_of(tree), False
    while True:
        part, node = node, parents[node]
        if (view := _view_of(node, parents)) is not None:
            node = view
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp) and part is node.elt:
            collected |= not isinstance(node, ast.GeneratorExp)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            collected = True
        elif isinstance(node, ast.DictComp):
            collected |= part is node.value
        elif isinstance(node, ast.Call) and node.func is not part:
            name = last_name(node.func)
            if name not in CONTAINERS:
                return name in KEEPING and isinstance(parents[node], ast.Expr)  # no sum: torch.add(a, v)
            collected = True
        elif isinstance(node, ast.keyword | ast.Starred):
            continue
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            return True
        else:
            return collected and isinstance(node, ast.AugAssign | ast.NamedExpr | ast.Return)


def is_given_back(node: ast.AST, tree: ast.AST, names: frozenset[str] = frozenset()) -> bool:
    """Return True if a function gives back what ``node`` gives, maybe with more, and nothing keeps it but ``names``."""
    parents = parents_of(tree)
    while True:
        part, node = node, parents[node]
        if (view := _view_of(node, parents)) is not None:
            node = view
        elif isinstance(node, ast.ListComp | ast.DictComp) and part is not getattr(node, "key", None):
            continue
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            uses = [*uses_of({name}, innermost(tree, node, SCOPES) or tree)]
            known = names | {name}
            return name in names or all(is_only_read(use, tree) or is_given_back(use, tree, known) for use in uses)
        elif not isinstance(node, ast.List | ast.Tuple | ast.Dict):
            return isinstance(node, ast.Return | ast.Yield)


def may_write(value: ast.AST, tree: ast.AST) -> bool:
    """Return True if an expression calls what is not known to read only: ``env.step(action)``."""
    functions = (node.func for node in nodes_of(value) if isinstance(node, ast.Call))
    reading = COPY_METHODS | VIEW_METHODS | READING_BUILTINS | DICT_METHODS
    return any(last_name(one) not in reading and not _is_of_module(one, tree) for one in functions)


def _is_safe(node: ast.AST, name: str, call: ast.Call, tree: ast.AST) -> bool:
    """Return True if ``node`` is no use of ``name``, or one that writes nothing after ``call``."""
    if isinstance(node, ast.Global | ast.Nonlocal):
        return name not in node.names
    # a parameter, a pattern, what is imported; an attribute of a class or a module; its name as a text, as for getattr
    if not isinstance(node, ast.Name):
        named = (getattr(node, field, None) for field in ("arg", "attr", "name", "asname", "rest", "value"))
        return isinstance(node, ast.keyword) or name not in named
    if node.id != name:
        return node.id not in ALL_NAMES
    parent = parents_of(tree)[node]
    if isinstance(node.ctx, ast.Store):
        return (
            isinstance(parent, ast.Assign)
            and len(parent.targets) == 1
            and parent.targets[0] is node
            and not isinstance(parent.value, ast.List | ast.Tuple)
            and is_new(parent.value, tree)
        )
    return is_only_read(node, tree) or _is_written_before(node, call, tree)


def _is_written_before(node: ast.Name, call: ast.Call, tree: ast.AST) -> bool:
    """Return True if ``node`` is filled, as in ``a[:] = 3``, and ``call`` comes later, in no loop with it."""
    parent = parents_of(tree)[node]
    if not isinstance(parent, ast.Subscript) or parent.value is not node or not isinstance(parent.ctx, ast.Store):
        return False
    return (
        begin(node) < begin(call)
        and innermost(tree, node, SCOPES) is innermost(tree, call, SCOPES)
        and not loops_around(tree, node, call)
    )


def is_new(value: ast.AST, tree: ast.AST) -> bool:
    """Return True if ``value`` shares memory with nothing that has a name."""
    if isinstance(value, ast.Constant | ast.BinOp | ast.UnaryOp | ast.Compare):
        return True
    if isinstance(value, ast.List | ast.Tuple):
        return all(is_new(one, tree) for one in value.elts)
    if not isinstance(value, ast.Call):
        return False
    function, passed = value.func, [*value.args, *(one.value for one in value.keywords)]
    if _is_of_module(function, tree):
        name = last_name(function)
        copies = name.islower() and not may_view(name) and not _may_not_copy(value)
        return copies or all(is_new(one, tree) for one in passed)
    if not isinstance(function, ast.Attribute) or _may_not_copy(value):
        return False
    return function.attr in COPY_METHODS or (function.attr in VIEW_METHODS and is_new(function.value, tree))


def name_in(value: ast.expr, tree: ast.AST) -> ast.Name | None:
    """Return the name of what ``value`` is a view of: ``a`` in ``a[1:].T`` and ``np.asarray(a)``."""
    if isinstance(value, ast.Name):
        return value
    if isinstance(value, ast.Subscript) or (isinstance(value, ast.Attribute) and value.attr in VIEW_METHODS):
        return name_in(value.value, tree)
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr in VIEW_METHODS:
        return name_in(value.func, tree)
    passed = [one for one in (*value.args, *(k.value for k in value.keywords)) if not isinstance(one, ast.Constant)]
    return name_in(passed[0], tree) if _is_of_module(value.func, tree) and len(passed) == 1 else None


def _reads(call: ast.Call, part: ast.AST, tree: ast.AST) -> bool:
    """Return True if a function only reads ``part``, which it is passed."""
    name = last_name(call.func)
    if isinstance(call.func, ast.Name):
        return name in READING_BUILTINS and name in builtin_names(tree)
    if call.func is part or not _is_of_module(call.func, tree) or name in INTO_FIRST or not name.islower():
        return False
    more = {one.arg for one in call.keywords}
    if (
        is_in_place_name(name)
        or not more.isdisjoint({"out", None})
        or any(isinstance(one, ast.Starred) for one in call.args)
    ):
        return False
    return part in call.args[: 1 + (name in READ_TWO)]


def _keeps(node: ast.AST, part: ast.AST, tree: ast.AST) -> bool:
    """Return True if an operator may give ``part`` itself: ``[a] * 2``, ``+t``, or that of a class of the program's."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.UAdd)
    if isinstance(node, ast.BinOp) and isinstance(part, ast.List | ast.Tuple):
        return True
    if isinstance(node, ast.Subscript):
        return not functions_in_tree(tree).isdisjoint({"__getitem__", "__class_getitem__"})
    return isinstance(node, ast.BinOp | ast.Compare) and any(map(OPERATOR_METHODS.fullmatch, functions_in_tree(tree)))


def _may_not_copy(call: ast.AST) -> bool:
    return isinstance(call, ast.Call) and any(one.arg in ("copy", "out", None) for one in call.keywords)


def _view_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.AST | None:
    """Return what an attribute gives that may be its object, or a view of it: ``x.T``, ``x.cpu()``; else None."""
    if not isinstance(node, ast.Attribute) or node.attr not in VIEW_METHODS | CONVERT_METHODS:
        return None
    return parents[node] if _called(node, parents) else node


def _called(node: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> bool:
    call = parents[node]
    return isinstance(call, ast.Call) and call.func is node


def _is_of_module(function: ast.AST, tree: ast.AST) -> bool:
    """Return True for a function of numpy or torch, as ``np.linalg.norm``; those of other modules may do more."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Attribute):
        return function.value.attr in ("linalg", "fft", "random") and _is_of_module(function.value, tree)
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", "") in modules(tree)
