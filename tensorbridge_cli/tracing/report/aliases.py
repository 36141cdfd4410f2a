"""Whether a program's text shows that an earlier result over the same memory is not missed: it is used no more.

An earlier result that nobody uses after its memory was written is no alias. What the text does not show is taken for a
use.
"""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TypeGuard

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.inside.records import Place
from tensorbridge_cli.tracing.report.bindings import (
    Binding,
    bindings_at,
    bindings_of,
    bound_apart,
    calls_at,
    declared,
    functions_in_tree,
    is_named_elsewhere,
    named_elsewhere,
    own_names,
    parameters_of,
    sole_binding,
    uses_of,
)
from tensorbridge_cli.tracing.report.flow import RUN_AT_ONCE, Flow, reached_by
from tensorbridge_cli.tracing.report.library_functions import DICT_METHODS, INTO_FIRST, KEEPING, is_in_place
from tensorbridge_cli.tracing.report.source import SourceCall, call_of, converted_by, place_of
from tensorbridge_cli.tracing.report.syntax import (
    ALL_NAMES,
    FUNCTIONS,
    SCOPES,
    begin,
    called_as,
    end,
    expressions_at,
    innermost,
    is_in,
    last_name,
    loops_around,
    names_of,
    nodes_of,
    path_of,
    text_of,
    tree_of,
)
from tensorbridge_cli.tracing.report.uses import (
    escapes,
    is_bound,
    is_given_back,
    is_new,
    is_only_read,
    may_write,
    name_in,
    tells_no_values,
)


def is_bound_again(site: Site, earlier: Place, texts: tuple[str, ...]) -> bool:
    """Return True if the result of an earlier line has one name, which ``site`` binds anew before anybody misses it.

    So ``t`` in ``t = from_numpy(a); print(t); a += 1; t = from_numpy(a)``: it lives until the last of these, but is not
    used after ``a`` may have been written, and nothing else holds it.
    """
    call, tree = call_of(site), tree_of(text_of(site.file))
    if earlier.file != site.file:
        return False
    if call is not None and _is_attribute_bound_again(call.node, earlier, tree, texts):
        return True
    bindings = [node for node in nodes_of(tree) if isinstance(node, Binding)]
    now = _binding_of(site, call, bindings)
    scope = innermost(tree, now, SCOPES) if now is not None else None
    if now is None or scope is None:
        return False
    anew = {path_of(target) for target, _ in bound_apart(now)} - {""}
    then, names = _binding_at(earlier, bindings, anew)
    if then is None or innermost(tree, then, SCOPES) is not scope or not names <= anew:
        return False
    if not _are_sole_names(then, earlier, scope, tree, texts):
        return False
    made, source = (call.node, call.converted) if call is not None else (now.value, now.value)
    loops = (one for one in nodes_of(now.value) if isinstance(one, ast.comprehension))
    read = [node for part in (source, *(loop.iter for loop in loops)) for node in ast.walk(part)]
    converted = {node.id for node in read if isinstance(node, ast.Name)} - anew
    flow = Flow(scope, then, names, _writes_to(converted, made, scope, tree), now)
    makes_it = may_write(source, tree)  # env.reset()
    if makes_it and not flow.has_writes:  # then it may be what was called since
        flow = Flow(scope, then, names, lambda node: isinstance(node, ast.Call) and may_write(node, tree), now)
    return (makes_it or flow.is_written) and not flow.is_used


def _binding_of(site: Site, call: SourceCall | None, bindings: Sequence[Binding]) -> Binding | None:
    """Return the innermost binding of what ``site`` gives, which may have no call: ``map(torch.from_numpy, [a])``."""
    if call is not None:
        return next((node for node in reversed(bindings) if is_in(call.node, node.value)), None)
    here = place_of(site)
    return next((node for node in bindings if _is_at(node, here) and _calls_of(here, node.value)), None)


def _writes_to(names: set[str], call: ast.expr, scope: ast.AST, tree: ast.AST) -> Callable[[ast.AST], bool]:
    """Return what tells whether a node outside of ``call`` may write to one of ``names``: ``b += 1``, ``b.step(t)``."""
    within = nodes_of(call)
    objects = {_object_of(node) for node in nodes_of(scope) if isinstance(node, ast.Call)}

    def writes(node: ast.AST) -> bool:
        one = _object_of(node) if isinstance(node, ast.Call) else node
        if not isinstance(one, ast.Name) or one.id not in names or one in within or node in objects:
            return False
        return not (isinstance(one.ctx, ast.Load) and is_only_read(one, tree))

    return writes


def _object_of(call: ast.Call) -> ast.expr:
    """Return ``a`` of ``a.fill(0)`` and ``a.b.fill(0)``."""
    node = call.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_used_no_more(earlier: Place, texts: tuple[str, ...]) -> bool:
    """Return True if the result of an earlier line has one name, and was used only before anything may be written.

    So ``w`` in ``w = p.numpy(); print(w.sum()); train(); v = p.numpy()``.
    """
    tree = tree_of(text_of(earlier.file))
    then, names = _binding_at(earlier, (node for node in nodes_of(tree) if isinstance(node, Binding)))
    scope = innermost(tree, then, SCOPES) if then is not None else None
    if then is None or scope is None or not _are_sole_names(then, earlier, scope, tree, texts):
        return False
    shared = declared(nodes_of(tree))
    if isinstance(scope, ast.Module):  # or a class in it
        shared.update(*map(named_elsewhere, texts))
    # who called the function may have the object
    if not names.isdisjoint(shared) or {name.partition(".")[0] for name in names if "." in name} & (
        parameters_of(scope) - {"self"}
    ):
        return False
    flow = Flow(scope, then, names, lambda node: _runs_code(node, tree) and not _loops_over(names, node))
    loaded = (node for node in nodes_of(scope) if isinstance(getattr(node, "ctx", None), ast.Load))
    is_used = isinstance(then, ast.NamedExpr) or any(path_of(node) in names for node in loaded)
    return is_used and not (flow.is_used or flow.is_passed)


def is_what_is_left(site: Site, earlier: Place, texts: tuple[str, ...]) -> bool:
    """Return True if ``site`` converts the result of an earlier line, and what that line converted is used no more.

    So in ``t = torch.ones(9); a = t.numpy(); draw(a); u = torch.from_numpy(a)``: ``t`` alone might be missed.
    """
    call, tree = call_of(site), tree_of(text_of(site.file))
    made = calls_at(earlier.line, earlier.conversion, tree)
    if call is None or earlier.file != site.file or len(made) != 1:
        return False
    converted, source = name_in(call.converted, tree), converted_by(made[0], earlier.conversion)
    if converted is None or not isinstance(source, ast.Name) or is_named_elsewhere(source.id, tree, texts):
        return False
    given, then = sole_binding(source.id, tree), sole_binding(converted.id, tree)
    if given is None or then is None or then.value is not made[0] or not is_new(given.value, tree):
        return False
    scope = innermost(tree, then, SCOPES)
    return not loops_around(tree, then) and all(
        innermost(tree, use, SCOPES) is scope
        and begin(use) < end(then)
        and (is_in(use, then) or is_only_read(use, tree))
        for use in uses_of({source.id}, tree)
    )


def _runs_code(node: ast.AST, tree: ast.AST) -> bool:
    """Return True for what may write to memory, or let other code run that does."""
    if isinstance(node, ast.With) and all(_only_sets_a_mode(item.context_expr, tree) for item in node.items):
        return False
    if isinstance(node, ast.Call) and not _only_sets_a_mode(node, tree):
        out = any(keyword.arg in ("out", None) for keyword in node.keywords)
        return out or _is_write(node) or may_write(node, tree)
    return _is_write(node) or isinstance(node, _RUNNING)


def _loops_over(names: frozenset[str], node: ast.AST) -> bool:
    """Return True for ``[x.sum() for x in name]`` and ``for x in name:``; what a pass runs is asked about by itself.

    The name may be that of a dictionary: ``for k, x in name.items():``.
    """
    generators: list[ast.comprehension] = getattr(node, "generators", [])
    iterables = [node.iter] if isinstance(node, ast.For) else [one.iter for one in generators]
    return bool(iterables) and all(_goes_through(names, one) for one in iterables)


def _goes_through(names: frozenset[str], node: ast.expr) -> bool:
    """Return True for one of ``names``, and for ``name.items()``."""
    if isinstance(node, ast.Call) and last_name(node.func) in DICT_METHODS:
        node = getattr(node.func, "value", node)
    return getattr(node, "id", "") in names


def _only_sets_a_mode(context: ast.expr, tree: ast.AST) -> bool:
    """Return True for ``torch.no_grad()``, which runs nothing of the program's."""
    modes = ("autocast", "errstate", "inference_mode", "no_grad", "nullcontext")
    return _is_named(getattr(context, "func", context), modes, tree)


def _is_named(function: ast.expr, known: Iterable[str], tree: ast.AST) -> bool:
    """Return True for a function of one of the names that are known, or of one that the file gives to it."""
    name = last_name(function)
    return any(name == one or name in names_of(one, tree) - functions_in_tree(tree) for one in known)


_RUNNING = (*RUN_AT_ONCE, ast.AugAssign, ast.Await, ast.Yield, ast.YieldFrom)


def may_be_kept(site: Site, earlier: Place) -> bool:
    """Return True if the text shows that the result of an earlier line, its source or a view of it, is kept for itself.

    Of weights, ``kept = [v.cpu() for v in net.state_dict().values()]``: that ``v`` lives may be for the dict alone.
    """
    tree = tree_of(text_of(site.file if earlier.until else earlier.file))
    calls = calls_at(site.line if earlier.until else earlier.line, earlier.conversion, tree)
    return bool(calls) and all(is_bound(call, tree) for call in calls)


def is_used_after(site: Site, earlier: Place) -> bool:
    """Return True if what an earlier line binds is used after a later line has converted the same memory again.

    So is ``old`` in ``old = get(); step(); new = get(); print(new - old)``: it was to show what was before the step.
    The later line is that of ``site``, or one that called the function which converts it.
    """
    tree = tree_of(text_of(earlier.file))
    of, by = earlier.through if earlier.until else (called_as(earlier.conversion), called_as(site.conversion))
    until = earlier.until or site.line
    calls = _calling(by, expressions_at(until, tree))
    scope = innermost(tree, calls[0], SCOPES) if calls and (earlier.until or earlier.file == site.file) else None
    if scope is None:
        return False
    shared = declared(nodes_of(tree))
    names = {
        ast.unparse(name)
        for one in bindings_of(of, earlier.line, tree)
        for name, _ in bound_apart(one)
        if isinstance(name, ast.Attribute)
        or ast.unparse(name) in shared
        or innermost(tree, one, SCOPES) in (scope, tree)
    }
    return _are_used_after(names, calls[0], until, scope, tree)


def _are_used_after(names: set[str], call: ast.expr, until: int, scope: ast.AST, tree: ast.AST) -> bool:
    """Return True if one of ``names`` is used after ``call``, which ends in the line ``until``, and not bound anew."""
    uses = [one for one in nodes_of(scope) if isinstance(one, ast.Name | ast.Attribute | ast.Subscript)]
    named = [(ast.unparse(one), one) for one in uses if ast.unparse(one) in names]
    bound = [(name, one) for name, one in named if not isinstance(one.ctx, ast.Load)]
    anew = {name for name, one in bound if one.lineno == until}
    return any(
        isinstance(use.ctx, ast.Load)
        and name not in anew
        and not tells_no_values(use, tree)
        and _comes_after(use, call, [one for other, one in bound if other == name], scope)
        for name, use in named
    )


def is_given_back_and_used_no_more(site: Site, earlier: Place, texts: tuple[str, ...]) -> bool:
    """Return True if a function got the result of an earlier line, and uses it no more after it called for the next.

    So ``t`` in ``t = env.reset(); act(t); t = env.step()``, whose two methods convert one buffer.
    """
    at = earlier if earlier.until else earlier.parting
    if at is None or "" in at.through:
        return False
    file, line = (site.file, site.line) if earlier.until else (earlier.file, earlier.line)
    tree, made = tree_of(text_of(at.file)), tree_of(text_of(file))
    calls = calls_at(line, earlier.conversion, made) or [
        one for one in expressions_at(line, made) if isinstance(one, ast.Call)
    ]
    if not all(is_given_back(call, made) for call in calls):
        return False
    bindings = (one for one in bindings_at(at.line, tree) if isinstance(one.value, ast.Call))
    then = next((one for one in bindings if _calling(at.through[0], [one.value])), None)
    later = _calling(at.through[1], expressions_at(at.until, tree))
    scope = innermost(tree, then, SCOPES) if then is not None else None
    if then is None or scope is None or not later or innermost(tree, later[0], SCOPES) is not scope:
        return False
    bound = [name for name, _ in bound_apart(then)]
    names, passed_on = _names_in_turn({ast.unparse(name) for name in bound}, scope)
    uses = [use for use in uses_of(names, tree) if use not in passed_on]
    if not all(isinstance(name, ast.Name) for name in bound) or any(_leads_on(use, scope, tree, texts) for use in uses):
        return False
    if not uses or _are_used_after(names, later[0], at.until, scope, tree):
        return False
    given = {one.id for call in (then.value, later[0]) for one in ast.walk(call) if isinstance(one, ast.Name)}
    return not any(
        innermost(tree, write, SCOPES) is scope and _comes_before(write, use, later[0], scope)
        for write in uses_of(given - names, tree)
        if not (is_in(write, then) or is_in(write, later[0]) or is_only_read(write, tree))
        for use in uses
        if not begin(write) < begin(then) <= begin(use)
    )


def _calling(name: str, expressions: Iterable[ast.expr]) -> list[ast.expr]:
    """Return the expressions that call a function or a method of that name, or are its name."""
    return [one for one in expressions if last_name(getattr(one, "func", one)) == name]


def _names_in_turn(names: set[str], scope: ast.AST) -> tuple[set[str], set[ast.expr]]:
    """Return ``names`` and those that they are bound to, as in ``state = next_state``; and the uses that do this."""
    all_names, passed_on, before = set(names), set[ast.expr](), 0
    while len(all_names) > before:
        before = len(all_names)
        for node in nodes_of(scope):
            if isinstance(node, ast.Assign) and _name(node) and getattr(node.value, "id", "") in all_names:
                all_names.add(_name(node))
                passed_on.add(node.value)
    return all_names, passed_on


def _comes_before(write: ast.expr, use: ast.expr, until: ast.expr, scope: ast.AST) -> bool:
    """Return True if ``write`` comes before ``use``, which comes before ``until``; in a loop either may come first."""
    in_order = begin(write) < begin(use) < begin(until)
    return in_order or any(not is_in(until, loop) for loop in loops_around(scope, write, use))


def _comes_after(use: ast.expr, call: ast.expr, bound: list[ast.expr], scope: ast.AST) -> bool:
    """Return True if a name is used after a call, or with what it gave, and not ``bound`` in between."""
    if begin(use) >= end(call) and not any(call.lineno < one.lineno < use.lineno for one in bound):
        return True
    together = (
        one for one in expressions_at(call.lineno, scope) if isinstance(one, ast.BinOp | ast.Compare | ast.Call)
    )
    if any(is_in(call, one) and use in ast.iter_child_nodes(one) for one in together):
        return True
    return any(not any(is_in(one, loop) for one in bound) for loop in loops_around(scope, call, use))


def _is_attribute_bound_again(call: ast.Call, earlier: Place, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    """Return True if two lines of a class bind the same attribute of its objects, and nothing keeps what it holds.

    The text does not tell in which order methods run, and so not that the earlier result is used after a write.
    """
    owner, scope = innermost(tree, call, (ast.ClassDef,)), innermost(tree, call, SCOPES)
    if owner is None or scope is None:
        return False
    bindings = [node for node in nodes_of(owner) if isinstance(node, ast.Assign)]
    anew = {path_of(target) for node in bindings for target, value in bound_apart(node) if is_in(call, value)} - {""}
    then, names = _binding_at(earlier, bindings, anew)
    attributes = {name for name in names if "." in name}
    if then is None or not attributes or not attributes <= anew:
        return False
    where = innermost(tree, then, SCOPES) or tree
    if any(_leads_on(use, where, tree, texts) for use in uses_of(names, where)):
        return False
    for node in nodes_of(tree):
        if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Store):
            continue
        name = next((one for one in attributes if one.rpartition(".")[2] == node.attr), "")
        is_anothers = path_of(node) == name and node not in nodes_of(owner)  # its own self
        if name and not is_anothers and escapes(node, tree, partial(_keeps, texts=texts)):
            return False
    if where is not scope:
        return True
    converted = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)} - {"self", "cls"}
    return not Flow(scope, then, attributes, _writes_to(converted, call, scope, tree)).is_used


def _binding_at(
    place: Place, bindings: Iterable[Binding], among: Collection[str] | None = None
) -> tuple[Binding | None, frozenset[str]]:
    """Return the first binding of a line that gives its result names, one of them ``among`` those, and the names."""
    found = ((node, _names(node, place)) for node in bindings if _is_at(node, place))
    named = ((node, names) for node, names in found if (names if among is None else names.intersection(among)))
    return next(named, (None, frozenset()))


def _is_at(binding: Binding, place: Place) -> bool:
    """Return True if a statement begins in a line, or makes the conversion of the line further down."""
    first, last = begin(binding)[0], end(binding)[0]
    if first == place.line and isinstance(binding, ast.Assign):
        return True
    return first <= place.line <= last and bool(_calls_of(place, binding.value))


def _name(statement: ast.Assign) -> str:
    """Return the name that a statement binds, if it is one."""
    (target, *more) = statement.targets
    return target.id if isinstance(target, ast.Name) and not more else ""


def _names(binding: Binding, place: Place) -> frozenset[str]:
    """Return the names that a binding gives to what the conversion of a line makes; none if not only names have it.

    Of ``t, n = torch.from_numpy(a), 0`` that is ``t``, and it may be ``s.t``.
    """
    parts = bound_apart(binding)
    made = [target for target, value in parts if _calls_of(place, value)] or [target for target, _ in parts]
    names = frozenset(map(path_of, made))
    return names if "" not in names else frozenset()


def _calls_of(place: Place, within: ast.AST) -> list[ast.Call]:
    """Return the calls of a line's conversion in a part of its file, and those that are passed it, as ``map``."""
    known = names_of(place.conversion, tree_of(text_of(place.file)))
    calls = (node for node in nodes_of(within) if isinstance(node, ast.Call))
    return [call for call in calls if not known.isdisjoint(map(last_name, (call.func, *call.args)))]


def _are_sole_names(binding: Binding, earlier: Place, scope: ast.AST, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    """Return True if nothing leads to what the conversion gives but the names that ``binding`` gives to it.

    The names are only read, or passed to functions that keep nothing, and so is what the conversion gives. In ``t, n =
    torch.from_numpy(a), step()`` the second value may write.
    """
    keeps = partial(_keeps, texts=texts)
    values = [value for _, value in bound_apart(binding) if _calls_of(earlier, value)] or [binding.value]
    for value in values:
        made = _calls_of(earlier, value)
        within = nodes_of(made[0]) if len(made) == 1 else ()
        calls = (node for node in nodes_of(value) if isinstance(node, ast.Call) and node not in within)
        calls = (node for node in calls if node.func not in within and last_name(node.func) not in _HOLDING)
        named = (node for node in nodes_of(value) if isinstance(node, ast.NamedExpr))
        if any(keeps(last_name(call.func)) for call in calls) or any(_calls_of(earlier, node.value) for node in named):
            return False
    after = (node for node in nodes_of(binding.value) if isinstance(node, ast.expr) and begin(node) >= end(values[0]))
    if any(_runs_code(node, tree) for node in after if not any(is_in(node, value) for value in values)):
        return False
    if isinstance(binding, ast.NamedExpr) and escapes(binding, tree, keeps):
        return False
    names = _names(binding, earlier)
    if any(_is_reached_otherwise(name, scope, tree, texts) for name in names if "." in name):
        return False
    reached = reached_by(binding, names, scope)
    uses = (use for use in uses_of(names, tree) if use in reached or innermost(tree, use, SCOPES) is not scope)
    return not any(_leads_on(use, scope, tree, texts) for use in uses)


def _is_reached_otherwise(path: str, scope: ast.AST, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    """Return True if ``s.t`` may be read where this is not written, or elsewhere than in ``scope``, or may be kept.

    So it may if ``s`` is passed on, and if anything of the program has an attribute of that name that is read.
    """
    attribute = path.rpartition(".")[2]
    if is_named_elsewhere(attribute, tree, texts):
        return True
    nodes = nodes_of(tree)
    read = [node for node in nodes if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)]
    objects = {node.value for node in nodes if isinstance(node, ast.Attribute)}
    return (
        any(isinstance(node, ast.Constant) and node.value == attribute for node in nodes)
        or any(path_of(node) and path.startswith(f"{path_of(node)}.") and node not in objects for node in read)
        or any(
            path_of(node) != path
            or innermost(tree, node, SCOPES) is not scope
            or escapes(node, tree, partial(_keeps, texts=texts))
            for node in read
            if isinstance(node, ast.Attribute) and node.attr in (attribute, "__dict__")
        )
    )


_HOLDING = frozenset({"iter", "list", "next", "tuple"})
"""Functions whose result holds what they are passed, and nothing else does."""


def _leads_on(use: ast.Name, scope: ast.AST, tree: ast.AST, texts: tuple[str, ...]) -> bool:
    """Return True if what a name of ``scope`` has may be kept where it is used, or if a function within it uses it."""
    inner = innermost(tree, use, SCOPES)
    if inner is scope:
        return escapes(use, tree, partial(_keeps, texts=texts))
    return use.id not in own_names(inner) and (isinstance(scope, ast.Module) or use in nodes_of(scope))


@functools.lru_cache(maxsize=512)
def _keeps(name: str, texts: tuple[str, ...], callers: frozenset[str] = frozenset()) -> bool:
    """Return True if a function may keep what it is passed, or give it back: classes do, and some of libraries.

    Of the program's own the text tells. One that calls itself, which are its ``callers``, may, and so may one that is
    called through many: each way there is followed.
    """
    if name in KEEPING or name in callers or len(callers) > _MOST_CALLERS or not name.islower():
        return True
    functions = _functions_named(name, texts)
    if not functions:
        return hasattr(builtins, name)
    return any(_lets_escape(function, tree, texts, callers | {name}) for function, tree in functions)


_MOST_CALLERS = 4


@functools.lru_cache(maxsize=512)
def _functions_named(name: str, texts: tuple[str, ...]) -> list[tuple[ast.AST, ast.AST]]:
    """Return the functions of that name that files define, each with its file's tree, and classes of the same name."""
    trees = [tree for tree in map(tree_of, texts) if name in functions_in_tree(tree)]
    kinds = (*FUNCTIONS, ast.ClassDef)
    nodes = ((node, tree) for tree in trees for node in nodes_of(tree) if isinstance(node, kinds))
    return [(node, tree) for node, tree in nodes if node.name == name]


def _lets_escape(function: ast.AST, tree: ast.AST, texts: tuple[str, ...], callers: frozenset[str]) -> bool:
    """Return True if a parameter may outlive a call of a function of the program's, or be read there after a write."""
    if not isinstance(function, ast.FunctionDef) or not all(
        _runs_at_once(one, tree) for one in function.decorator_list
    ):
        return True
    inside = set(ast.walk(function))
    uses = [node for node in uses_of(parameters_of(function) - {"self", "cls"}, tree) if node in inside]
    keeps = partial(_keeps, texts=texts, callers=callers)
    if any(map(_ends_later, inside)) or any(
        innermost(tree, node, SCOPES) is not function or escapes(node, tree, keeps) for node in uses
    ):
        return True
    calls = (node for node in inside if isinstance(node, ast.Call))
    writes = [*filter(_is_write, inside), *(node for node in calls if _writes(last_name(node.func), texts))]
    return any(begin(use) >= end(write) or loops_around(function, use, write) for write in writes for use in uses)


def _ends_later(node: ast.AST) -> bool:
    """Return True for a part of a function that lets it run on after it was called, or reach a name unseen."""
    return isinstance(node, ast.Yield | ast.YieldFrom) or (isinstance(node, ast.Name) and node.id in ALL_NAMES)


@functools.lru_cache(maxsize=512)
def _writes(name: str, texts: tuple[str, ...]) -> bool:
    """Return True if a function of the program's may write to memory, or calls one that may."""
    reached, pending = {name}, [name]
    while pending:
        for function, _ in _functions_named(pending.pop(), texts):
            nodes = list(ast.walk(function))
            if any(map(_is_write, nodes)):
                return True
            called = {last_name(node.func) for node in nodes if isinstance(node, ast.Call)} - reached
            reached |= called
            pending += called
    return False


def _is_write(node: ast.AST) -> TypeGuard[ast.expr | ast.stmt]:
    """Return True for a statement that may write to memory, and for such a call of a library."""
    if isinstance(node, ast.Call):
        return is_in_place(node) or last_name(node.func) in INTO_FIRST
    parts = (part for part in ast.walk(node) if isinstance(part, ast.Attribute | ast.Subscript))
    return isinstance(node, _BINDING) and any(not isinstance(part.ctx, ast.Load) for part in parts)


_BINDING = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.For, ast.With)


def _runs_at_once(decorator: ast.expr, tree: ast.AST) -> bool:
    """Return True for a decorator after which a call runs the function, and keeps none of its arguments."""
    known = ("classmethod", "inference_mode", "no_grad", "staticmethod")
    return _is_named(getattr(decorator, "func", decorator), known, tree)
