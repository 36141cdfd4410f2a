"""A line of a program with other code in place of its call, whose arguments are kept."""

from __future__ import annotations

import ast
import copy
import functools
from typing import TypeGuard

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.report.source import SourceCall, call_of, node_of
from tensorbridge_cli.tracing.report.syntax import (
    encoded_lines,
    expression_of,
    extent_of,
    function_of,
    innermost,
    lines_of,
    text_of,
    tree_of,
)


def rewritten(site: Site, code: str) -> str:
    """Return the line of ``site`` with ``code``, of the source ``x``, in place of its call.

    Every argument of the call is kept. If ``code`` makes the same call, ``f(x.copy())``, only what is converted is
    replaced. Otherwise the arguments are those of the new call, if it takes them, or calls on its result: ``dtype=`` is
    ``.to(dtype=...)``. If neither can be, or if there is no such line, ``code`` is returned as it is, with the names of
    the arguments that it lacks.
    """
    call, node = call_of(site), node_of(site)
    if call is None:
        starred = node is not None and any(isinstance(argument, ast.Starred) for argument in node.args)
        return f"{code}, with the other arguments of the call" if starred else code
    if not _has_names_for(code, text_of(site.file)):
        return code
    instead = _with_arguments(call, site, code)
    if instead is None:
        names = ", ".join(keyword.arg or "**" for keyword in call.node.keywords) or "those after the first"
        return f"{code}, with the other arguments of the call ({names})"
    return _in_its_line(site, call, instead)


_METHODS = {"dtype": ".to(dtype={})", "device": ".to(device={})", "requires_grad": ".requires_grad_({})"}
"""What does to a tensor that other code made what an argument of ``torch.tensor`` does to its own."""

_DEFAULTS = {"requires_grad": False, "pin_memory": False, "dtype": None, "device": None, "copy": False}

_ACCEPTED = {"asarray": ("dtype", "order", "device"), "asanyarray": ("dtype", "order", "device")}
"""The arguments of ``np.array`` that each function of numpy takes, too."""


def _with_arguments(call: SourceCall, site: Site, code: str) -> str | None:
    """Return ``code`` with the source of ``call`` for ``x`` and its other arguments; ``None`` if they do not fit."""
    tree = ast.parse(code, mode="eval")
    same = next((node for node in ast.walk(tree) if _is_same_call(node, site)), None)
    if same is not None:
        inner = same.func.value if isinstance(same.func, ast.Attribute) and not same.args else same.args[0]
        source = _substituted(ast.unparse(inner), call.source)
        changed = _replaced(call.text, call.node, call.converted, source)
        return f"{code[: same.col_offset]}{changed}{code[same.end_col_offset :]}"
    instead = _substituted(_by_known_names(code, text_of(site.file)), call.source)
    if call.alone:
        return instead
    positional = call.node.args[1:]
    named: list[ast.keyword] = []
    if site.conversion.startswith("np.") and len(positional) == 1 and not isinstance(positional[0], ast.Starred):
        named = [ast.keyword("dtype", positional[0])]
    if site.conversion.startswith("Tensor.") or len(positional) > len(named):
        return None
    keywords = [keyword for keyword in (*named, *call.node.keywords) if not _is_default(keyword)]
    if any(keyword.arg is None for keyword in keywords):  # **options
        return None
    values = [
        (str(keyword.arg), ast.unparse(keyword.value)) for keyword in keywords if keyword.value is not call.converted
    ]
    outer = tree.body.func if isinstance(tree.body, ast.Call) else None
    if isinstance(outer, ast.Attribute) and ast.unparse(outer.value) == "np":
        if not {name for name, _ in values} <= set(_ACCEPTED.get(outer.attr, ())):
            return None
        return f"{instead[:-1]}{''.join(f', {name}={value}' for name, value in values)})"
    if not {name for name, _ in values} <= _METHODS.keys():
        return None
    # the gradient is asked of what comes out at last
    values.sort(key=lambda value: value[0] == "requires_grad")
    return instead + "".join(_METHODS[name].format(value) for name, value in values)


def _is_same_call(node: ast.AST, site: Site) -> TypeGuard[ast.Call]:
    """Return True if ``node`` is the conversion of ``site``: ``torch.tensor(...)``, or the method ``(...).numpy()``."""
    if not isinstance(node, ast.Call):
        return False
    path = function_of(site.conversion)
    if path.startswith("Tensor."):
        return isinstance(node.func, ast.Attribute) and f"Tensor.{node.func.attr}" == path and not node.args
    return ast.unparse(node.func) == path and len(node.args) == 1


def _is_default(keyword: ast.keyword) -> bool:
    value = keyword.value
    name = keyword.arg or ""
    return name in _DEFAULTS and isinstance(value, ast.Constant) and value.value is _DEFAULTS[name]


def _replaced(text: str, within: ast.expr, part: ast.expr, code: str) -> str:
    """Return ``text``, that of ``within``, with ``code`` in place of ``part``, and its brackets if it has any."""
    lines = encoded_lines(text)

    def place(line: int, column: int) -> int:
        first = line - within.lineno
        return sum(map(len, lines[:first])) + column - (within.col_offset if first == 0 else 0)

    whole = b"".join(lines)
    begin, end = place(part.lineno, part.col_offset), place(part.end_lineno or 0, part.end_col_offset or 0)
    return (whole[:begin] + code.encode() + whole[end:]).decode()[:-1]


def _by_known_names(code: str, text: str) -> str:
    """Return ``code`` with the names that the file gives to numpy and torch."""
    modules = _modules(text)
    names = [node for node in ast.walk(ast.parse(code, mode="eval")) if isinstance(node, ast.Name)]
    for node in sorted(names, key=lambda node: -node.col_offset):
        name = modules.get(_MODULES.get(node.id, node.id), node.id)
        code = f"{code[: node.col_offset]}{name}{code[node.end_col_offset :]}"
    return code


def _has_names_for(code: str, text: str) -> bool:
    """Return False if a file imports names from a module that ``code`` uses, and not the module itself."""
    used = {node.id for node in ast.walk(ast.parse(code, mode="eval")) if isinstance(node, ast.Name)}
    return not any(
        name in used and module in _parted(text) - _modules(text).keys() for name, module in _MODULES.items()
    )


@functools.lru_cache(maxsize=64)
def _parted(text: str) -> frozenset[str]:
    """Return the top-level modules that a file imports names from."""
    froms = (node for node in ast.walk(tree_of(text)) if isinstance(node, ast.ImportFrom))
    return frozenset((node.module or "").partition(".")[0] for node in froms)


_MODULES = {"np": "numpy", "torch": "torch"}


@functools.lru_cache(maxsize=64)
def _modules(text: str) -> dict[str, str]:
    """Return what a file calls numpy and torch, if it imports them."""
    imported = [alias for node in ast.walk(tree_of(text)) if isinstance(node, ast.Import) for alias in node.names]
    return {alias.name: alias.asname or alias.name for alias in imported if alias.name in ("numpy", "torch")}


def _in_its_line(site: Site, call: SourceCall, instead: str) -> str:
    """Return the line of ``site`` with ``instead`` for its call; a call over several lines is put into one."""
    lines = lines_of(text_of(site.file))
    node = call.node
    instead = _in_other_quotes(instead, node, text_of(site.file))
    if node.lineno == node.end_lineno and "\n" not in instead:
        line = lines[site.line - 1].encode()
        return (line[: node.col_offset] + instead.encode() + line[node.end_col_offset :]).decode().strip()
    statement = innermost(tree_of(text_of(site.file)), node, (ast.stmt,))
    if statement is None:
        return ast.unparse(expression_of(instead))
    place = extent_of(node)

    class Instead(ast.NodeTransformer):
        def visit_Call(self, inner: ast.Call) -> ast.AST:
            if extent_of(inner) == place:
                return expression_of(instead)
            return self.generic_visit(inner)

    statement = getattr(statement, "annotated", statement)
    changed = ast.fix_missing_locations(Instead().visit(copy.deepcopy(statement)))
    return ast.unparse(changed).partition("\n")[0]  # of an if, a for or a with the first line


def _in_other_quotes(instead: str, node: ast.Call, text: str) -> str:
    """Return ``instead`` with quotes other than those of the f-string around ``node``, as Pythons before 3.12 need."""
    around = innermost(tree_of(text), node, (ast.JoinedStr,))
    if not isinstance(around, ast.JoinedStr):
        return instead
    first = encoded_lines(text)[around.lineno - 1][around.col_offset :].lstrip(b"fFrR")[:1].decode()
    other = _OTHER_QUOTES.get(first)  # what follows a colon, as in f"{a:{b}}", is a JoinedStr, too
    changed = instead.replace(first, other) if other is not None else instead
    return changed if _is_same(changed, instead) else instead


_OTHER_QUOTES = {"'": '"', '"': "'"}


def _is_same(code: str, other: str) -> bool:
    try:
        return ast.dump(expression_of(code)) == ast.dump(expression_of(other))
    except SyntaxError:  # 'a "word"', with other quotes
        return False


def _substituted(code: str, source: str) -> str:
    """Return ``code`` with ``source`` for each name ``x``."""
    tree = ast.parse(code, mode="eval")
    places = sorted(
        (node.col_offset for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "x"), reverse=True
    )
    plain = isinstance(expression_of(source), ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    for place in places:
        whole = source if plain or code[place + 1 : place + 2] not in (".", "[") else f"({source})"
        code = code[:place] + whole + code[place + 1 :]
    return code
