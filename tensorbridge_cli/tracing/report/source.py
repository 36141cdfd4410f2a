"""The call of a site in its source, and the line with other code in its place."""

from __future__ import annotations

import ast
import functools
import linecache
from dataclasses import dataclass

from tensorbridge_cli.records.trace import Site


@dataclass(frozen=True)
class Call:
    """A call as it stands in a file: its text, the text of what it converts, and what surrounds it in its line."""

    text: str
    source: str
    line: str
    alone: bool
    """Whether it passes nothing but what it converts."""
    copies: bool
    """Whether it says ``copy=True``."""


def call_of(site: Site) -> Call | None:
    """Return the call of ``site``; ``None`` where the file is not what ran, or spreads it over lines."""
    node, text = _node(site), _text(site.file)
    if node is None or site.line != site.end_line or not _names(node, site, text):
        return None
    converted = _converted(node, site.conversion)
    source = ast.get_source_segment(text, converted) if converted is not None else None
    written = ast.get_source_segment(text, node)
    if source is None or written is None:
        return None
    passed = len(node.args) + len(node.keywords) + site.conversion.startswith("Tensor.")
    line = text.splitlines()[site.line - 1]
    return Call(written, source, line.strip(), passed == 1, any(map(_asks_for_copy, node.keywords)))


def written_here(site: Site) -> bool | None:
    """Tell whether the user's own line names the conversion; ``None`` where its text is not to be had.

    What a library does that is written in C has no line of its own: ``rng.permutation(pool)`` copies with ``np.array``.
    """
    text = _text(site.file)
    if site.via or not text or site.column is None:
        return False if site.via else None
    node = _node(site)
    return node is not None and _names(node, site, text)


def _node(site: Site) -> ast.Call | None:
    place = (site.line, site.column, site.end_line, site.end_column)
    calls = _calls(_text(site.file))
    return next((n for n in calls if (n.lineno, n.col_offset, n.end_lineno, n.end_col_offset) == place), None)


def _names(node: ast.Call, site: Site, text: str) -> bool:
    name = site.conversion.partition("(")[0].rpartition(".")[2]
    known = {name, *_aliases(text).get(name, ())}
    found = (getattr(within, "id", None) or getattr(within, "attr", None) for within in ast.walk(node))
    return not known.isdisjoint(found)


@functools.lru_cache(maxsize=64)
def _aliases(text: str) -> dict[str, set[str]]:
    """Return the names that a file gives to what it imports or binds, as in ``from torch import tensor as t``."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.name, set()).add(alias.asname or alias.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            found.setdefault(node.value.attr, set()).update(t.id for t in node.targets if isinstance(t, ast.Name))
    return found


def _text(file: str) -> str:
    return "".join(linecache.getlines(file))


def rewritten(site: Site, code: str) -> str:
    """Return the line of ``site`` with ``code``, of the source ``x``, in place of its call; else ``code`` as it is."""
    found = call_of(site)
    if found is None or not found.alone or found.line.count(found.text) != 1:
        return code
    return found.line.replace(found.text, _substituted(code, found.source))


def makes_its_source(site: Site) -> bool:
    """Tell whether the call converts what an expression makes anew each time: ``torch.tensor(np.zeros(3))``."""
    found = call_of(site)
    if found is None:
        return False
    return not isinstance(_expression(found.source), ast.Name | ast.Attribute | ast.Subscript)


def comments(file: str) -> dict[int, str]:
    """Return the comments of a file by line, without their sign."""
    import io
    import tokenize

    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(_text(file)).readline))
    except (tokenize.TokenError, SyntaxError):
        return {}
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


@functools.lru_cache(maxsize=64)
def _calls(text: str) -> tuple[ast.Call, ...]:
    return tuple(node for node in ast.walk(_tree(text)) if isinstance(node, ast.Call))


@functools.lru_cache(maxsize=64)
def _tree(text: str) -> ast.AST:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def _asks_for_copy(keyword: ast.keyword) -> bool:
    return keyword.arg == "copy" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True


def _converted(node: ast.Call, conversion: str) -> ast.expr | None:
    """Return the expression that is converted: of a method its object, else the first argument."""
    if conversion.startswith("Tensor."):
        return node.func.value if isinstance(node.func, ast.Attribute) else None
    if node.args:
        return None if isinstance(node.args[0], ast.Starred) else node.args[0]
    return node.keywords[0].value if len(node.keywords) == 1 else None


def _substituted(code: str, source: str) -> str:
    """Return ``code`` with ``source`` for each name ``x``."""
    tree = ast.parse(code, mode="eval")
    places = sorted(
        (node.col_offset for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "x"), reverse=True
    )
    plain = isinstance(_expression(source), ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    for place in places:
        whole = source if plain or code[place + 1 : place + 2] not in (".", "[") else f"({source})"
        code = code[:place] + whole + code[place + 1 :]
    return code


def _expression(source: str) -> ast.expr:
    """Return what ``source`` is; it may span lines, as it did within its call."""
    return ast.parse(f"({source})", mode="eval").body
