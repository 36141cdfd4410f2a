"""Whether a program keeps a result so as to have what was before, and not so as to see what comes.

It compares it with what it converted the same memory to later, as in ``before[n] = p.detach().numpy(); train();
print(p.detach().numpy() - before[n])``, and in a loop with ``now = p.detach().numpy(); print(now - last); last = now``,
or with the first: ``if first is None: first = now``.
Or it keeps it with what it compares: ``if loss < least: least = loss; best = p.detach().numpy()``.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import partial
from itertools import chain

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.inside.records import Place
from tensorbridge_cli.tracing.report.bindings import (
    bindings_of,
    bound_apart,
    bound_in,
    calls_at,
    declared,
    is_named_elsewhere,
)
from tensorbridge_cli.tracing.report.flow import reached_by
from tensorbridge_cli.tracing.report.library_functions import VIEW_METHODS
from tensorbridge_cli.tracing.report.source import call_of, converted_by
from tensorbridge_cli.tracing.report.syntax import (
    FUNCTIONS,
    SCOPES,
    begin,
    called_as,
    innermost,
    is_in,
    last_name,
    nodes_of,
    parents_of,
    text_of,
    tree_of,
)
from tensorbridge_cli.tracing.report.uses import is_bound, is_given_back, tells_no_values


def binds_an_item(earlier: Place) -> bool:
    """Return True if an earlier line binds its result to an item of a container, and to nothing else.

    An array or a tensor would have copied it, and then it would not live.
    """
    bound = _bound_at(earlier, tree_of(text_of(earlier.file)))
    return bool(bound) and all(isinstance(target, ast.Subscript) for target in bound)


def is_compared(site: Site, earlier: Place) -> bool:
    """Return True if an expression has an item that an earlier line binds, and what ``site`` gives."""
    call, tree = call_of(site), tree_of(text_of(site.file))
    if call is None or earlier.file != site.file:
        return False
    scope = innermost(tree, call.node, SCOPES) or tree
    before = {use for target in _bound_at(earlier, tree) for use in readings(target, scope, tree)}
    if any(is_in(use, call.converted) for use in before):  # of a = t.numpy() and from_numpy(a) it is t that was before
        sources = (converted_by(one, earlier.conversion) for one in calls_at(earlier.line, earlier.conversion, tree))
        before.update(*(readings(source, scope, tree) for source in sources if source is not None))
    return _are_compared(before, readings_of(call.node, scope, tree), scope)


def is_compared_in_turn(site: Site, texts: tuple[str, ...]) -> bool:
    """Return True if an expression has what ``site`` gives, and what keeps one before: ``now - old; old = now``.

    So does ``if first is None: first = now``, before ``now - first``. A function may give what is compared:
    ``now = read()``, or a generator: ``for now in frames()``.
    """
    call, tree = call_of(site), tree_of(text_of(site.file))
    if call is None:
        return False
    if _is_compared_in_turn(call.node, tree):
        return True
    ends = [one for one in nodes_of(innermost(tree, call.node, SCOPES) or tree) if isinstance(one, _GIVING_BACK)]
    if any(isinstance(one.value, ast.Tuple) for one in ends):  # what is compared may be another item
        return False
    is_generator = any(isinstance(one, ast.Yield) for one in ends)
    calls = _where_it_is_given(call.node, tree, texts)
    return any(
        one is not call.node and _is_compared_in_turn(one, within, is_generator=is_generator) for one, within in calls
    )


_GIVING_BACK = (ast.Return, ast.Yield)


def _is_compared_in_turn(call: ast.expr, tree: ast.AST, *, is_generator: bool = False) -> bool:
    scope = innermost(tree, call, SCOPES)
    if scope is None:
        return False
    now = _readings_in_loops(call, scope, tree) if is_generator else readings_of(call, scope, tree)
    kept = (
        (one, target, _whole_of(value))
        for one in nodes_of(scope)
        if isinstance(one, ast.Assign)
        for target, value in bound_apart(one)
    )
    before = {
        use
        for one, target, value in kept
        if value in now and value is not call
        for use in _readings_of_what_is_kept(one, target, scope, tree)
        # each time round the call comes before the use, and the use before what is kept: if it is kept each time
        if _are_in_turn(call, use, value) or _is_kept_at_times(value, call, use, tree)
    }
    return _are_compared(before | _readings_of_the_one_before(call, scope, tree), now - before, scope)


def _where_it_is_given(call: ast.expr, tree: ast.AST, texts: tuple[str, ...]) -> Iterator[tuple[ast.expr, ast.AST]]:
    """Yield the calls of the function that gives back what ``call`` gives, or ``call``, each with its file's tree."""
    function = innermost(tree, call, FUNCTIONS)
    if not isinstance(function, FUNCTIONS) or not is_given_back(call, tree):
        yield call, tree
        return
    for within in dict.fromkeys((tree, *map(tree_of, texts))):
        calls = (one for one in nodes_of(within) if isinstance(one, ast.Call))
        yield from ((one, within) for one in calls if last_name(one.func) == function.name)


def _whole_of(value: ast.expr) -> ast.expr:
    """Return what a value is a view of: ``now`` of ``now[2:].T``. An item of an array is a copy."""
    while True:
        match value:
            case ast.Subscript(value=whole) if any(isinstance(one, ast.Slice) for one in ast.walk(value.slice)):
                value = whole
            case ast.Attribute(value=whole) | ast.Call(func=ast.Attribute(value=whole)) if (
                last_name(getattr(value, "func", value)) in VIEW_METHODS
            ):
                value = whole
            case _:
                return value


def _readings_of_what_is_kept(kept: ast.Assign, target: ast.expr, scope: ast.AST, tree: ast.AST) -> set[ast.expr]:
    """Return where a scope reads what ``kept`` binds to ``target``: of a variable, until it is bound anew."""
    found = readings(target, scope, tree)
    if not isinstance(target, ast.Name) or target.id in declared(nodes_of(scope)):
        return found
    reached = reached_by(kept, {target.id}, scope)
    return {use for use in found if use in reached or last_name(use) != target.id} if reached else set()


def _readings_of_the_one_before(call: ast.expr, function: ast.AST, tree: ast.AST) -> set[ast.expr]:
    """Return where a function reads what it gave back before, if it is passed that: ``last = step(last)``."""
    if not isinstance(function, FUNCTIONS) or not is_given_back(call, tree):
        return set()
    passed = {
        name
        for one in nodes_of(tree)
        if isinstance(one, ast.Assign)
        and isinstance(one.value, ast.Call)
        and last_name(one.value.func) == function.name
        for name, value in passed_to(one.value, function)
        if ast.unparse(value) in map(ast.unparse, one.targets)
    }
    unchanged = passed - bound_in(nodes_of(function))
    names = (one for one in nodes_of(function) if isinstance(one, ast.Name))
    return {use for use in names if use.id in unchanged and not tells_no_values(use, tree)}


def passed_to(call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[tuple[str | None, ast.expr]]:
    """Return the names of a function's parameters, each with what a call passes for it."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args) if one.arg not in ("self", "cls")]
    return [*zip(names, call.args, strict=False), *((one.arg, one.value) for one in call.keywords)]


def is_kept_at_best(site: Site, texts: tuple[str, ...]) -> bool:
    """Return True if a line keeps its result where something is less, or greater, than ever before.

    So it does in ``if loss < least: least = loss; best = p.detach().numpy()``, and ``best`` is used elsewhere: an
    attribute in any file, of which ``texts`` has the contents.
    """
    call, tree = call_of(site), tree_of(text_of(site.file))
    if call is None:
        return False
    return any(_is_kept_at_best(one, within, texts) for one, within in _where_it_is_given(call.node, tree, texts))


def _is_kept_at_best(call: ast.expr, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    record = innermost(tree, call, (ast.If,))
    if not isinstance(record, ast.If) or not is_bound(call, tree) or not _keeps_a_record(record):
        return _is_the_least_or_greatest(call, tree, texts)
    return any(
        is_in(call, value) and _is_read_elsewhere(target, record, tree, texts) for target, value in _bound_if(record)
    )


def _is_the_least_or_greatest(call: ast.expr, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    """Return True for ``best = min(best, (loss.item(), p.detach().numpy()), key=first)``."""
    kept = innermost(tree, call, (ast.Assign,))
    if not isinstance(kept, ast.Assign) or not isinstance(kept.value, ast.Call):
        return False
    if last_name(kept.value.func) not in ("max", "min") or not any(is_in(call, one) for one in kept.value.args):
        return False
    compared = {ast.unparse(one) for one in kept.value.args}
    targets = [one for one in kept.targets if ast.unparse(one) in compared]
    return any(_is_read_elsewhere(target, kept, tree, texts) for target in targets)


def _bound_if(condition: ast.If) -> list[tuple[ast.expr, ast.expr]]:
    """Return what is bound if the condition is true, each with its value: of a dictionary or a tuple each item."""
    bound: list[tuple[ast.expr, ast.expr]] = []
    for node in chain.from_iterable(map(nodes_of, condition.body)):
        match node:
            case ast.Assign():
                for target, value in bound_apart(node):
                    bound += _items(target, value) or [(target, value)]
            case ast.Call(func=ast.Attribute(value=target, attr="update")):
                bound += _items(target, node)
    return bound


def _items(container: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Return the items that a dictionary, a list or a tuple is written with, each with its value; none of others."""
    return [(ast.Subscript(container, key), one) for key, one in _entries(value)]


def _entries(value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Return the keys of these items, each with its value; also of what ``dict`` and ``update`` are passed."""
    match value:
        case ast.Dict():
            return [(key, one) for key, one in zip(value.keys, value.values, strict=True) if key is not None]
        case ast.List() | ast.Tuple():
            return [(ast.Constant(nth), one) for nth, one in enumerate(value.elts)]
        case ast.Call(func=ast.Name(id="dict") | ast.Attribute(attr="update")):
            named = [(ast.Constant(one.arg), one.value) for one in value.keywords if one.arg is not None]
            return [entry for one in value.args for entry in _entries(one)] + named
    return []


def _keeps_a_record(condition: ast.If) -> bool:
    """Return True for ``if a < b: b = a``, and for ``if b is None or a < b: b = a.item()``."""
    orders = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    compared = [
        {ast.unparse(side) for side in (one.left, *one.comparators)}
        for one in ast.walk(condition.test)
        if isinstance(one, ast.Compare) and all(isinstance(op, orders) for op in one.ops)
    ]
    kept = [(ast.unparse(name), _unwrapped(value)) for name, value in _bound_if(condition)]
    return any(name in sides and not values.isdisjoint(sides - {name}) for sides in compared for name, values in kept)


def _unwrapped(value: ast.expr) -> set[str]:
    """Return the texts of a value and of what it makes a number of: of ``float(loss)`` and ``loss.item()`` ``loss``."""
    texts = {ast.unparse(value)}
    while isinstance(value, ast.Call):
        value = value.func.value if isinstance(value.func, ast.Attribute) else (*value.args, value.func)[0]
        texts.add(ast.unparse(value))
    return texts


def _is_read_elsewhere(target: ast.expr, record: ast.stmt, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    """Return True if what ``record`` binds is read outside of it, where it has not been bound to something else."""
    whole = target.value if isinstance(target, ast.Subscript) else target
    name, is_attribute = last_name(whole), isinstance(whole, ast.Attribute)
    if is_attribute and is_named_elsewhere(name, tree, texts):
        return True
    within = tree if is_attribute else innermost(tree, record, SCOPES) or tree
    nodes = (one for one in nodes_of(within) if isinstance(one, type(whole)) and last_name(one) == name)
    uses = [one for one in nodes if not is_in(one, record) and not _is_of_another_item(one, target, tree)]
    loads = [one for one in uses if isinstance(getattr(one, "ctx", None), ast.Load)]
    bound = [one for one in uses if one not in loads]
    return any(not tells_no_values(use, tree) for use in loads) and (
        is_attribute or all(begin(one) < begin(record) for one in bound)
    )


def _is_of_another_item(container: ast.AST, target: ast.expr, tree: ast.AST) -> bool:
    """Return True for ``best`` of ``best["score"]``, if the target is ``best["weights"]``."""
    item = parents_of(tree)[container]
    if not (isinstance(item, ast.Subscript) and isinstance(target, ast.Subscript)):
        return False
    return item.value is container and not _may_be_one(item, target)


def _are_in_turn(*nodes: ast.expr) -> bool:
    """Return True if nodes come in this order in a loop, which may begin with any of them."""
    places = [*map(begin, nodes)]
    first = places.index(min(places))
    turned = places[first:] + places[:first]
    return turned == sorted(turned)


def _is_kept_at_times(value: ast.expr, call: ast.expr, use: ast.expr, tree: ast.AST) -> bool:
    """Return True if a value is kept in a branch that has neither the call that makes it nor the use of it."""
    condition = innermost(tree, value, (ast.If,))
    if not isinstance(condition, ast.If):
        return False
    branches = (condition.body, condition.orelse)
    branch = next((one for one in branches if any(is_in(value, statement) for statement in one)), [])
    return bool(branch) and not any(is_in(node, statement) for node in (call, use) for statement in branch)


def readings_of(call: ast.expr, scope: ast.AST, tree: ast.AST) -> set[ast.expr]:
    """Return where a scope reads what ``call`` gives: there, and where it reads what is bound to it."""
    found = {call}
    if is_bound(call, tree):
        bound = (one for one in nodes_of(scope) if isinstance(one, ast.Assign) and is_in(call, one.value))
        found.update(*(readings(target, scope, tree) for one in bound for target in one.targets))
    return found


def _readings_in_loops(call: ast.expr, scope: ast.AST, tree: ast.AST) -> set[ast.expr]:
    """Return where a scope reads what its loops, and ``next``, take from the generator that ``call`` gives."""
    generators = readings_of(call, scope, tree)
    loops = (
        one for _, target, value in _loops(scope) for one in _items_of(generators, target, value, may_be_dict=False)
    )
    taken = (one for one in nodes_of(scope) if isinstance(one, ast.Call) and last_name(one.func) == "next")
    items = (readings_of(one, scope, tree) for one in taken if not generators.isdisjoint(one.args))
    return set().union(*(readings(target, scope, tree) for target in loops), *items)


def _are_compared(before: set[ast.expr], later: set[ast.expr], scope: ast.AST) -> bool:
    """Return True if an expression has one of each, and does not only ask whether they are one object."""
    nodes = [one for one in nodes_of(scope) if isinstance(one, ast.expr | ast.Assert)]
    apart = list(filter(_compares_no_values, nodes))
    missed = [old for old in before if not any(is_in(old, one) for one in apart)]
    return any(
        is_in(new, one)
        for one in nodes
        if isinstance(one, ast.BinOp | ast.Compare | ast.Call)
        for old in missed
        if is_in(old, one)
        for new in later
        if not is_in(old, new)  # it is what is converted again
    )


def _bound_at(earlier: Place, tree: ast.AST) -> list[ast.expr]:
    """Return what an earlier line binds to the result of its conversion."""
    statements = bindings_of(called_as(earlier.conversion), earlier.line, tree)
    return [target for one in statements for target in one.targets]


def readings(target: ast.expr, scope: ast.AST, tree: ast.AST) -> set[ast.expr]:
    """Return where a scope reads what ``target`` binds: of an item, those of its container that may be the item."""
    whole = target.value if isinstance(target, ast.Subscript) else target
    name, text = last_name(whole), ast.unparse(whole)
    alike = (one for one in nodes_of(scope) if isinstance(one, type(whole)) and last_name(one) == name)
    found = {one for one in alike if ast.unparse(one) == text}
    names = [
        use
        for loop, bound, value in _loops(scope)
        for item in _items_of(found, bound, value, may_be_dict=whole is not target)
        for use in nodes_of(loop)
        if isinstance(use, ast.Name) and isinstance(item, ast.Name) and use.id == item.id
    ]
    if isinstance(target, ast.Subscript):
        items = (one for one in nodes_of(scope) if isinstance(one, ast.Subscript) and one.value in found)
        found = {one for one in items if _may_be_one(one, target)}
    uses = (use for use in (*found, *names) if isinstance(getattr(use, "ctx", None), ast.Load))
    return {use for use in uses if not tells_no_values(use, tree)}


def _loops(scope: ast.AST) -> Iterator[tuple[ast.AST, ast.expr, ast.expr]]:
    """Yield each loop of a scope, with what it binds and what it goes over."""
    for node in nodes_of(scope):
        if isinstance(node, ast.For):
            yield node, node.target, node.iter
        generators: list[ast.comprehension] = getattr(node, "generators", [])
        yield from ((node, one.target, one.iter) for one in generators)


def _may_be_one(item: ast.Subscript, other: ast.Subscript) -> bool:
    """Return True unless two items have keys that differ in the text: ``history["old"]`` and ``history["new"]``."""
    keys = item.slice, other.slice
    return not all(isinstance(key, ast.Constant) for key in keys) or ast.unparse(item) == ast.unparse(other)


def _items_of(
    containers: Collection[ast.expr], target: ast.expr, value: ast.expr, *, may_be_dict: bool
) -> Iterator[ast.expr]:
    """Yield what a loop binds to the items of a container: ``v`` in ``for k, v in container.items()``."""
    within = partial(_items_of, containers, may_be_dict=may_be_dict)
    match value, target:
        case ast.Call(func=ast.Name(id="zip"), args=values), ast.Tuple(elts=targets):
            for one, held in zip(targets, values, strict=False):
                yield from within(one, held)
        case ast.Call(func=ast.Name(id="list" | "reversed" | "sorted" | "tuple"), args=[held, *_]), _:
            yield from within(target, held)
        case ast.Call(func=ast.Name(id="enumerate"), args=[held, *_]), ast.Tuple(elts=[_, one]):
            yield from within(one, held)
        case ast.Call(func=ast.Attribute(value=held, attr="items")), ast.Tuple(elts=[_, one]) if held in containers:
            yield one
        case ast.Call(func=ast.Attribute(value=held, attr="values")), _ if held in containers:
            yield target
        case _ if value in containers and not may_be_dict:
            yield target


def _compares_no_values(node: ast.expr | ast.Assert) -> bool:
    """Return True for what asks of two objects whether they are one, or have one memory; and for what pairs objects.

    And for what the program asserts of them: it ran, so it is as its author wants it.
    """
    if isinstance(node, ast.Compare):
        return all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops)
    name = last_name(node.func) if isinstance(node, ast.Call) else ""
    return name in _OF_OBJECTS or name.startswith("assert") or isinstance(node, ast.Assert)


_OF_OBJECTS = ("is_set_to", "may_share_memory", "shares_memory", "zip")
