"""Whether an earlier result is to show what comes: a view that stays bound, and that nobody took for a snapshot.

So is ``view`` in ``buffer = np.zeros(n); view = torch.from_numpy(buffer)``, and one that a loop prints in each pass:
``for k in range(9): step(); print(view.mean())``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.inside.records import Place
from tensorbridge_cli.tracing.report.aliases import is_used_after
from tensorbridge_cli.tracing.report.bindings import (
    bindings_at,
    bindings_of,
    bound_apart,
    calls_at,
    own_names,
    sole_binding,
)
from tensorbridge_cli.tracing.report.comparisons import passed_to, readings, readings_of
from tensorbridge_cli.tracing.report.library_functions import (
    CONVERT_METHODS,
    INTO_FIRST,
    VIEW_METHODS,
    is_in_place,
    may_view,
)
from tensorbridge_cli.tracing.report.source import call_of, converted_by
from tensorbridge_cli.tracing.report.syntax import (
    FUNCTIONS,
    SCOPES,
    Loop,
    begin,
    called_as,
    end,
    innermost,
    last_name,
    loops_around,
    nodes_of,
    parents_of,
    path_of,
    text_of,
    tree_of,
)
from tensorbridge_cli.tracing.report.uses import tells_no_values


def is_view_of_blank_memory(site: Site, earlier: Place) -> bool:
    """Return True if an earlier line names a view of memory that has nothing in it yet: it is to show what comes.

    So does ``view`` in ``buffer = np.zeros(n); view = torch.from_numpy(buffer)``, if each is bound only there. Not so
    in ``w = torch.ones(3); before = w.numpy(); w.mul_(2); after = w.numpy(); print(before); print(after)``: what is
    used beside what comes was to stay.
    """
    tree = tree_of(text_of(earlier.file))
    views = [
        view
        for call in calls_at(earlier.line, earlier.conversion, tree)
        for view in bindings_at(earlier.line, tree)
        if view.value is call and _is_made_after(converted_by(call, earlier.conversion), view, tree)
    ]
    return bool(views) and not (_both_run_once(site, earlier, views[0], tree) and is_used_after(site, earlier))


def _both_run_once(site: Site, earlier: Place, view: ast.Assign, tree: ast.AST) -> bool:
    """Return True if the line of ``site`` is in the scope of ``view``, and neither is in a loop."""
    calls = calls_at(site.line, site.conversion, tree) if site.file == earlier.file else []
    return bool(calls) and all(
        innermost(tree, call, SCOPES) is innermost(tree, view, SCOPES)
        and not loops_around(tree, call)
        and not loops_around(tree, view)
        for call in calls
    )


def _is_made_after(source: ast.expr | None, view: ast.Assign, tree: ast.AST) -> bool:
    """Return True if a view is named after the memory of its source was made, and nothing is done with it before."""
    path = path_of(source) if source is not None else ""
    made = sole_binding(path, tree)
    if made is None or sole_binding(path_of(view.targets[0]), tree) is not view:
        return False
    is_blank = last_name(getattr(made.value, "func", made.value)) in _BLANK
    if not is_blank or innermost(tree, made, SCOPES) is not innermost(tree, view, SCOPES):
        return False
    named = (one for one in nodes_of(tree) if isinstance(one, ast.expr) and path_of(one) == path)
    return begin(made) < begin(view) and not any(end(made) <= begin(one) < begin(view) for one in named)


_BLANK = frozenset({"empty", "empty_like", "ones", "ones_like", "zeros", "zeros_like"})
"""Functions whose result nobody keeps for what is in it."""


def is_shown_in_each_pass(site: Site, earlier: Place) -> bool:
    """Return True if a loop prints or logs a number of an earlier result in each pass: it is to show what comes.

    So does ``for k in range(9): step(); print(view.mean())``, if ``site`` converts the memory there: of what was before
    the loop the number would be the same each time. Where the loop shows what ``site`` gives, too, the two may be
    compared by eye: ``print("first", first.mean()); print("now", p.numpy().mean())``.
    """
    call, tree = call_of(site), tree_of(text_of(site.file))
    if call is None or earlier.file != site.file:
        return False
    later = _loops_that_run(call.node, tree)
    for binding in bindings_of(called_as(earlier.conversion), earlier.line, tree):
        named = {use for target, _ in bound_apart(binding) for use in _readings_anywhere(target, binding, tree)}
        attributes = (one for use in named for one in _attributes_given(use, tree))
        uses = named.union(*(_readings_anywhere(target, kept, tree) for target, kept in attributes))
        before = _loops_that_run(binding, tree)
        shown = [use for use in uses if _is_shown(use, tree) and later & (_loops_that_run(use, tree) - before)]
        if shown:
            return not any(_is_shown_beside(call.node, use, tree) for use in shown)
    return False


def _is_shown_beside(later: ast.expr, use: ast.expr, tree: ast.AST) -> bool:
    """Return True if what ``later`` gives is shown in the scope of ``use``."""
    scope = innermost(tree, use, SCOPES) or tree
    if (innermost(tree, later, SCOPES) or tree) is not scope:
        return False
    return any(_is_shown(one, tree) and not tells_no_values(one, tree) for one in readings_of(later, scope, tree))


def _readings_anywhere(target: ast.expr, binding: ast.Assign, tree: ast.AST) -> set[ast.expr]:
    """Return where the variable or attribute that is bound once is read, also by other functions; nothing of others."""
    if sole_binding(path_of(target), tree) is not binding:
        return set()
    is_variable = isinstance(target, ast.Name)
    scope = innermost(tree, binding, SCOPES if is_variable else (ast.ClassDef,)) or tree
    inner = {use: innermost(tree, use, SCOPES) for use in readings(target, scope, tree)}
    name = last_name(target)
    return {use for use, of in inner.items() if of is scope or not is_variable or name not in own_names(of)}


def _attributes_given(value: ast.expr, tree: ast.AST) -> Iterator[tuple[ast.expr, ast.Assign]]:
    """Yield the attributes that ``Monitor(value)`` binds to it, each with the statement that does so."""
    call = parents_of(tree)[value]
    if not isinstance(call, ast.Call):
        return
    owners = (one for one in nodes_of(tree) if isinstance(one, ast.ClassDef) and one.name == last_name(call.func))
    functions = (one for owner in owners for one in owner.body if isinstance(one, ast.FunctionDef))
    for maker in (one for one in functions if one.name == "__init__"):
        names = {name for name, one in passed_to(call, maker) if one is value}
        kept = (one for one in nodes_of(maker) if isinstance(one, ast.Assign))
        yield from ((one.targets[0], one) for one in kept if getattr(one.value, "id", None) in names)


def _loops_that_run(node: ast.expr | ast.stmt, tree: ast.AST, within: tuple[str, ...] = ()) -> set[Loop]:
    """Return the loops around a node, and around the calls of the function that it is in, as far as names tell."""
    function = innermost(tree, node, FUNCTIONS)
    if not isinstance(function, FUNCTIONS):
        return {*loops_around(tree, node)}
    owner = innermost(tree, function, (ast.ClassDef,)) if function.name == "__init__" else None
    name = getattr(owner, "name", function.name)
    calls = (one for one in nodes_of(tree) if isinstance(one, ast.Call) and last_name(one.func) == name)
    around = () if name in within else (_loops_that_run(one, tree, (*within, name)) for one in calls)
    return {*loops_around(function, node)}.union(*around)


def _is_shown(value: ast.AST, tree: ast.AST, within: tuple[str, ...] = ()) -> bool:
    """Return True if ``value`` is printed, or passed to a call that is a statement as a number: ``log(value.mean())``.

    What is made of it with anything but constants may be a comparison. It may be what functions, ``within`` each other,
    give back.
    """
    parents, is_number = parents_of(tree), bool(within)
    while True:
        part, value = value, parents[value]
        if isinstance(value, ast.keyword):
            value = parents[value]
        if isinstance(value, ast.Attribute):
            is_number |= value.attr not in VIEW_METHODS | CONVERT_METHODS
            part, value = value, parents[value]
        if isinstance(value, ast.Call):
            is_last = isinstance(parents[value], ast.Expr)
            writes = is_in_place(value) or last_name(value.func) in INTO_FIRST
            if is_last and not writes and (is_number or last_name(value.func) == "print"):
                return True
            more = (one for one in (*value.args, *(keyword.value for keyword in value.keywords)) if one is not part)
            if writes or not all(isinstance(one, ast.Constant) for one in more):
                return False
            is_number |= value.func is not part and not may_view(last_name(value.func))
        elif not isinstance(value, _HOLDING):
            name = getattr(innermost(tree, part, FUNCTIONS), "name", "")
            if not isinstance(value, ast.Return) or not is_number or name in within:
                return False
            calls = (one for one in nodes_of(tree) if isinstance(one, ast.Call) and last_name(one.func) == name)
            return any(_is_shown(one, tree, (*within, name)) for one in calls)


_HOLDING = (
    *(ast.DictComp, ast.GeneratorExp, ast.ListComp, ast.SetComp),
    *(ast.Dict, ast.FormattedValue, ast.JoinedStr, ast.List, ast.Tuple),
)
"""What shows the values that it is made of."""
