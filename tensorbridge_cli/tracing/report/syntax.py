"""The syntax trees of a program's files, and where their nodes stand."""

from __future__ import annotations

import ast
import functools
import linecache
import os

MOST_FILES = 500
"""Files of a program that are read, and whose trees are kept."""

Loop = ast.For | ast.AsyncFor | ast.While

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

SCOPES = (*FUNCTIONS, ast.Lambda, ast.Module)
"""What has names of its own."""

ALL_NAMES = frozenset({"eval", "exec", "globals", "locals", "vars"})
"""Functions that reach a variable without naming it."""


def text_of(file: str) -> str:
    """Return the text of a file, or of what was run as one; empty if it cannot be had.

    What is no regular file is not opened: a program that came through a pipe, ``<(command)``, would be waited for.
    """
    if file not in linecache.cache and not os.path.isfile(file):
        return ""
    lines = linecache.getlines(file)
    known = _texts.get(file)
    if known is None or known[0] is not lines:
        known = _texts[file] = lines, "".join(lines)
    return known[1]


_texts: dict[str, tuple[list[str], str]] = {}
"""The lines of each file as ``linecache`` has them, and their text: joined once, not at each of the file's sites."""


@functools.lru_cache(maxsize=MOST_FILES)
def lines_of(text: str) -> list[str]:
    """Return the lines of a text as Python counts them: a form feed, which parts some files, ends none."""
    return text.split("\n")


@functools.lru_cache(maxsize=MOST_FILES)
def encoded_lines(text: str) -> list[bytes]:
    """Return the lines of a text with their ends, in UTF-8, whose bytes the columns of a node count."""
    return [f"{line}\n".encode() for line in lines_of(text)]


@functools.lru_cache(maxsize=MOST_FILES)  # all files of the program are read again for each of its sites
def tree_of(text: str) -> ast.AST:
    """Return the syntax tree of a text; that of nothing if it is not Python's.

    It is the same object each time, and has to be: a node is found in a tree, or among the parents of nodes, by its
    identity. ``test_a_line_keeps_its_arguments`` fails with a tree that is parsed anew.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return _NOT_PYTHON
    for node in ast.walk(tree):
        for block in (getattr(node, field, None) for field in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and not isinstance(node, ast.ClassDef):  # whose annotations are fields
                block[:] = map(_plain, block)
    return tree


_NOT_PYTHON = ast.Module([], [])


def is_python(text: str) -> bool:
    """Return True if this Python can parse a text: the traced program may run on a newer one, and use its syntax."""
    return tree_of(text) is not _NOT_PYTHON


def _plain(statement: ast.stmt) -> ast.stmt:
    """Return ``x = 1`` for ``x: int = 1``, which binds the same."""
    if not isinstance(statement, ast.AnnAssign) or statement.value is None:
        return statement
    plain = ast.copy_location(ast.Assign([statement.target], statement.value), statement)
    plain.annotated = statement  # type: ignore[attr-defined]  # for its line, where that is printed
    return plain


def expression_of(source: str) -> ast.expr:
    """Return what ``source`` is; it may span lines, as it did within its call."""
    return ast.parse(f"({source})", mode="eval").body


@functools.lru_cache(maxsize=MOST_FILES)  # each site of a file asks its tree, and its function, several times
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return a node of a syntax tree and all below it, from the outside in."""
    return tuple(ast.walk(tree))


@functools.lru_cache(maxsize=64)
def parents_of(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return the node that each node of a tree is a part of."""
    return {child: node for node in nodes_of(tree) for child in ast.iter_child_nodes(node)}


def innermost(tree: ast.AST, node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> ast.AST | None:
    """Return the innermost node of ``kinds`` that ``node`` is in."""
    line = getattr(node, "lineno", 0)
    around = (one for one in nodes_of(tree) if isinstance(one, kinds) and _has_line(one, line))
    nodes = [one for one in around if node in nodes_of(one)]  # which is slow, unlike the comparison of lines
    return nodes[-1] if nodes else None  # they go from the outside in


def _has_line(node: ast.AST, line: int) -> bool:
    """Return True if a line is one of a node's; all lines are a module's."""
    return isinstance(node, ast.Module) or getattr(node, "lineno", 0) <= line <= (getattr(node, "end_lineno", 0) or 0)


def loops_around(within: ast.AST, *nodes: ast.expr | ast.stmt) -> list[Loop]:
    """Return the loops in a part of a tree that hold all of ``nodes``, from the outside in."""
    return [loop for loop in _loops_in(within) if all(is_in(node, loop) for node in nodes)]


@functools.lru_cache(maxsize=MOST_FILES)  # each write in a function is compared with each use
def _loops_in(within: ast.AST) -> tuple[Loop, ...]:
    return tuple(node for node in nodes_of(within) if isinstance(node, Loop))


def expressions_at(line: int, within: ast.AST) -> list[ast.expr]:
    """Return the expressions that stand on a line, wholly or in part, from the outside in."""
    nodes = (node for node in nodes_of(within) if isinstance(node, ast.expr))
    return [node for node in nodes if begin(node)[0] <= line <= end(node)[0]]


Extent = tuple[int, int | None, int | None, int | None]
"""Where a node begins and ends: its first line and column, its last line and column."""


def extent_of(node: ast.expr) -> Extent:
    """Return where a node begins and ends."""
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def begin(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the line and the column at which a node begins."""
    return node.lineno, node.col_offset


def end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the line and the column at which a node ends."""
    return node.end_lineno or 0, node.end_col_offset or 0


def is_in(node: ast.expr | ast.stmt, within: ast.expr | ast.stmt) -> bool:
    """Return True if a node stands within another."""
    return begin(within) <= begin(node) and end(node) <= end(within)


def last_name(node: ast.AST) -> str:
    """Return ``fill`` of ``a.fill``, and ``fill`` of ``fill``."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def path_of(node: ast.AST) -> str:
    """Return what stands for a variable, or for an attribute of one: ``t`` and ``s.t``; nothing for what is neither."""
    if isinstance(node, ast.Attribute):
        path = path_of(node.value)
        return path and f"{path}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def function_of(conversion: str) -> str:
    """Return the function that a conversion calls: ``torch.asarray`` for ``torch.asarray(copy=True)``."""
    return conversion.partition("(")[0]


def called_as(conversion: str) -> str:
    """Return the name by which a call names a conversion: ``asarray`` for ``torch.asarray(copy=True)``."""
    return function_of(conversion).rpartition(".")[2]


def names_of(conversion: str, tree: ast.AST) -> set[str]:
    """Return the names by which the calls of a file name a conversion: also ``f`` after ``f = torch.asarray``."""
    name = called_as(conversion)
    return {name, *_aliases(tree).get(name, ())}


@functools.lru_cache(maxsize=64)
def _aliases(tree: ast.AST) -> dict[str, set[str]]:
    """Return the names that a file gives to what it imports or binds, as in ``from torch import tensor as t``."""
    aliases: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                aliases.setdefault(alias.name, set()).add(alias.asname or alias.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            aliases.setdefault(node.value.attr, set()).update(t.id for t in node.targets if isinstance(t, ast.Name))
    return aliases
