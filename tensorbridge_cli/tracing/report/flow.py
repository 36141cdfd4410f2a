"""Whether a name may be used after a write to the memory of what it has: the statements are followed as they run.

Each branch is followed, and each loop until nothing more comes of another pass.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable

from tensorbridge_cli.tracing.report.syntax import is_in, path_of

_TryStar: type[ast.Try] = getattr(ast, "TryStar", ast.Try)
"""``try`` with ``except*``, of Python 3.11 and newer, which has the same parts."""

_State = frozenset[tuple[str, bool | None]]
"""What names may have: the value, with whether its memory may have been written since, or ``None`` for another."""
_Nodes = ast.AST | Iterable[ast.AST | None]


class Flow:
    """What becomes of the names that ``then`` binds to a value, up to where they are bound anew, e.g. by ``now``.

    A name may be that of an attribute: ``s.t``.

    ``writes`` is asked whether a node may write to the value's memory when it has run; of a loop, when it begins.

    Attributes:
        is_used: Whether one of the names may be used after a write.
        is_passed: Whether it is passed in a call after another argument that may write: ``print(t, env.step())``.
        is_written: Whether there may be a write before ``now``.
        has_writes: Whether there may be one at all.
        uses: The nodes by which the value may be used: not those that come after the names are bound anew.
    """

    def __init__(
        self,
        scope: ast.AST,
        then: ast.expr | ast.stmt,
        names: Collection[str],
        writes: Callable[[ast.AST], bool],
        now: ast.AST | None = None,
    ) -> None:
        self._then, self._now, self._names, self._writes = then, now, names, writes
        self._breaks, self._continues = [_State()], [_State()]
        self.is_used = self.is_passed = self.is_written = self.has_writes = False
        self.uses: set[ast.AST] = set()
        self._conditions = 0
        self._after_all(getattr(scope, "body", ()), _State())

    def _after_all(self, nodes: _Nodes, state: _State) -> _State:
        """Return the state after one node has run, or several in turn."""
        for node in [nodes] if isinstance(nodes, ast.AST) else nodes:
            state = self._after(node, state) if node is not None else state
        return state

    def _after(self, node: ast.AST, state: _State) -> _State:
        """Return the state after a node has run."""
        has_value = any(written is not None for _, written in state)
        if not has_value and isinstance(node, ast.expr | ast.stmt) and not is_in(self._then, node):
            return state
        if isinstance(node, RUN_AT_ONCE):
            return self._after_parts(node, self._written(node, state))
        state = self._after_parts(node, state)
        return self._written(node, state) if node is not self._then else state

    def _written(self, node: ast.AST, state: _State) -> _State:
        if not state or not self._writes(node):
            return state
        self.has_writes = True
        return _State((name, None if written is None else True) for name, written in state)

    def _after_parts(self, node: ast.AST, state: _State) -> _State:
        match node:
            case ast.If() | ast.IfExp():
                return self._after_one_of(node, (node.body, node.orelse), self._after(node.test, state))
            case ast.BoolOp(values=[first, *more]):
                return self._after_one_of(node, (more, ()), self._after(first, state))
            case ast.Match():
                cases = [(one.guard, *one.body) for one in node.cases]
                others = [()] * (ast.unparse(node.cases[-1].pattern) != "_")
                return self._after_one_of(node, [*cases, *others], self._after(node.subject, state))
            case ast.Try() | _TryStar():
                done = self._after_all(node.body, state)
                handled = self._after_one_of(node, (one.body for one in node.handlers), state | done)
                return self._after_all(node.finalbody, self._after_all(node.orelse, done) | handled)
            case ast.For() | ast.AsyncFor():
                each = (node.target, *node.body, *_names_in(node.iter))
                return self._after_loop(each, node.orelse, self._after(node.iter, state))
            case ast.While():
                return self._after_loop((node.test, *node.body), (node.test, *node.orelse), state)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                generator, *inner = node.generators
                items = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
                within = [part for one in inner for part in (one.iter, *one.ifs)]
                each = (*generator.ifs, *within, *items, *_names_in(generator.iter))
                return self._after_loop(each, (), self._after(generator.iter, state))
            case ast.Lambda() | ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._after_one_of(node, (node.body, ()), state)
            case ast.Break() | ast.Continue():
                (self._breaks if isinstance(node, ast.Break) else self._continues)[-1] |= state
                return _State()
            case ast.AugAssign() if path_of(node.target) in self._names:  # t += 1, which writes into a tensor
                state = self._after(node.value, state)
                self._use(node.target, state)
                return state
            case ast.Assign() | ast.AugAssign() | ast.NamedExpr():
                state = self._after(node.value, state)
                if node is self._now:
                    self.is_written |= any(written for _, written in state)
                state = self._after_all(node.targets if isinstance(node, ast.Assign) else node.target, state)
                return state if node is not self._then else _State((name, False) for name in self._names)
            case ast.Name() | ast.Attribute() if path_of(node) in self._names and isinstance(node.ctx, ast.Load):
                self._use(node, state)
                return state
            case ast.Name() | ast.Attribute() if path_of(node) and not isinstance(node.ctx, ast.Load):
                bound = {one for one in self._names if one == path_of(node) or one.startswith(f"{path_of(node)}.")}
                return _State((name, None if name in bound else written) for name, written in state)
        state = self._after_all(ast.iter_child_nodes(node), state)
        if isinstance(node, ast.Call):
            self.is_passed |= any(self._is_written(path_of(one), state) for one in node.args)
        return _State() if isinstance(node, ast.Return | ast.Raise) else state

    def _use(self, node: ast.AST, state: _State) -> None:
        self.is_used |= self._is_written(path_of(node), state)
        if not state.isdisjoint({(path_of(node), False), (path_of(node), True)}):
            self.uses.add(node)

    def _after_one_of(self, node: ast.expr | ast.stmt, branches: Iterable[_Nodes], state: _State) -> _State:
        """Return the state after one of several branches has run."""
        is_apart = not is_in(self._then, node)
        self._conditions += is_apart
        after = _State().union(*(self._after_all(branch, state) for branch in branches))
        self._conditions -= is_apart
        return after

    def _is_written(self, name: str, state: _State) -> bool:
        """Return True if a name has a value that was written; not if it may be another where this runs at all."""
        return (name, True) in state and not (self._conditions and not state.isdisjoint({(name, False), (name, None)}))

    def _after_loop(self, each: Iterable[ast.AST], at_last: Iterable[ast.AST], state: _State) -> _State:
        each, before = tuple(each), None
        self._breaks.append(_State())
        while state != before:
            before = state
            self._continues.append(_State())
            state |= self._after_all(each, state)
            state |= self._continues.pop()
        breaks = self._breaks.pop()
        return self._after_all(at_last, state) | breaks


def reached_by(binding: ast.Assign | ast.NamedExpr, names: Collection[str], scope: ast.AST) -> set[ast.AST]:
    """Return the nodes by which what a binding gives to ``names`` may be used: until they are bound anew."""
    return Flow(scope, binding, names, lambda node: False).uses


RUN_AT_ONCE = (
    *(ast.For, ast.AsyncFor, ast.With, ast.AsyncWith),
    *(ast.DictComp, ast.GeneratorExp, ast.ListComp, ast.SetComp),
)
"""What runs code, of an iterator or of a context, before the statements in it."""


def _names_in(node: ast.AST) -> list[ast.Name]:
    """Return the names in what a loop goes through: each pass takes another item of it."""
    return [one for one in ast.walk(node) if isinstance(one, ast.Name)]
