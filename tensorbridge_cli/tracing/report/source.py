"""The call of a site in its source code: what it names, what it converts, and what is said of it in the text."""

from __future__ import annotations

import ast
import builtins
import functools
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tensorbridge_cli.catalog.registry import find
from tensorbridge_cli.records.trace import Site, Trace
from tensorbridge_cli.tracing import is_installed
from tensorbridge_cli.tracing.inside.records import Place
from tensorbridge_cli.tracing.report.syntax import (
    ALL_NAMES,
    FUNCTIONS,
    MOST_FILES,
    Extent,
    begin,
    encoded_lines,
    end,
    expression_of,
    expressions_at,
    extent_of,
    innermost,
    is_in,
    is_python,
    lines_of,
    loops_around,
    names_of,
    nodes_of,
    text_of,
    tree_of,
)


@dataclass(frozen=True)
class SourceCall:
    """A call as it stands in a file: its text, the text of what it converts, and what it passes besides."""

    node: ast.Call
    text: str
    converted: ast.expr
    source: str
    alone: bool
    """Whether it passes nothing but what it converts."""
    copies: bool
    """Whether it says ``copy=True``."""


def place_of(site: Site) -> Place:
    """Return the line of a site as one that an earlier result may be of."""
    return Place(file=site.file, line=site.line, conversion=site.conversion)


def call_of(site: Site) -> SourceCall | None:
    """Return the call of ``site``; ``None`` if the file is not what ran, or if it does not name the conversion."""
    node, text = node_of(site), text_of(site.file)
    if node is None or not _makes_it(node, site, text):
        return None
    converted = converted_by(node, site.conversion)
    if converted is None:
        return None
    source, written = _written(converted, text), _written(node, text)
    passed = len(node.args) + len(node.keywords) + _is_method_of_its_source(site.conversion)
    return SourceCall(node, written, converted, source, passed == 1, any(map(_asks_for_copy, node.keywords)))


def written_here(site: Site) -> bool | None:
    """Return True if the user's own line names the conversion; ``None`` if its text is not available, or not parsed.

    What a library does that is written in C has no line of its own: ``rng.permutation(pool)`` copies with ``np.array``.
    """
    text = text_of(site.file)
    if site.via or not text or not is_python(text):
        return False if site.via else None
    node = node_of(site) or _read_at(site)
    if isinstance(node, ast.Subscript):
        return site.conversion.endswith("]")
    # of several texts that are called <string> one is known, and without columns a call by another name is not found
    if node is None and (site.file.startswith("<") or site.column is None):
        return None
    return node is not None and _names(node, site, text)


def line_of(site: Site) -> str | None:
    """Return the line of ``site``, if there is one that can be what ran."""
    if site.file.startswith("<") and site.column is not None and not (node_of(site) or _read_at(site)):
        return None
    lines = lines_of(text_of(site.file))
    return (lines[site.line - 1] or None) if 0 < site.line <= len(lines) else None


def is_own(site: Site) -> bool:
    """Return True if the line of ``site`` makes the conversion, and not a library that the line calls.

    Code in C has no line of its own, so ``rng.permutation(pool)`` looks like a call of ``np.array``; a function that a
    variable holds is taken for the conversion itself, and so is each of torch, which code in C has no use for:
    ``self.convert(frame)``. A loader collates because the program has it do so. In a thread that a library has started
    each line is the library's.
    """
    if site.conversion == COLLATE:
        return True
    if site.via:
        return False
    node = node_of(site)
    local = node is not None and isinstance(node.func, ast.Name) and node.func.id not in _imported(text_of(site.file))
    of_torch = site.conversion.startswith(("torch.", "Tensor.")) and "__" not in site.conversion
    held = of_torch and not is_installed(site.file)
    return local or held or written_here(site) is not False


COLLATE = "torch.utils.data.default_collate"


@functools.lru_cache(maxsize=64)
def _imported(text: str) -> frozenset[str]:
    """Return the names that a file imports from modules."""
    froms = [node for node in ast.walk(tree_of(text)) if isinstance(node, ast.ImportFrom)]
    return frozenset(alias.asname or alias.name for node in froms for alias in node.names) | _BUILTINS


_BUILTINS = frozenset(dir(builtins))


@functools.lru_cache(maxsize=64)
def names_in(text: str) -> frozenset[str]:
    """Return the names of what a file calls or decorates with, and ``jit`` for what is in a module of that name."""
    decorators = [one for node in ast.walk(tree_of(text)) for one in getattr(node, "decorator_list", ())]
    names = set()
    for function in (*decorators, *(node.func for node in _calls(text).values())):
        if isinstance(function, ast.Name | ast.Attribute):
            names.add(function.id if isinstance(function, ast.Name) else function.attr)
            names |= {"jit"} & set(ast.unparse(function).split("."))
    return frozenset(names)


@functools.lru_cache(maxsize=64)
def modules_in(text: str) -> frozenset[str]:
    """Return the top-level modules that a file imports."""
    modules = set()
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return frozenset(modules)


def program_texts(trace: Trace) -> tuple[str, ...]:
    """Return the texts of the program's own files: those that convert, and the modules beside them that they import."""
    files = [site.file for site in trace.sites if site.own] + [name for name in trace.command if name.endswith(".py")]
    folders = {os.path.dirname(os.path.abspath(file)) for file in files}
    texts: dict[str, str] = {}
    while files and len(texts) < MOST_FILES:
        file = files.pop()
        if file in texts or is_installed(file):
            continue
        texts[file] = text_of(file)
        files += _imported_files(texts[file], file, folders)
    return tuple(dict.fromkeys(texts.values()))


def _imported_files(text: str, file: str, folders: Collection[str]) -> Iterator[str]:
    """Yield the files of the modules that a file imports, if they are in ``folders`` or in its package."""
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.Import):
            names, within = [alias.name for alias in node.names], folders
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}".lstrip(".") for alias in node.names)]
            above = os.path.dirname(os.path.abspath(file))
            for _ in range(node.level - 1):
                above = os.path.dirname(above)
            within = [above] if node.level else folders
        else:
            continue
        for path in (os.path.join(folder, *name.split(".")) for folder in within for name in names):
            yield from filter(os.path.isfile, (f"{path}.py", os.path.join(path, "__init__.py")))


def node_of(site: Site) -> ast.Call | None:
    """Return the call at ``site``, whatever it names: also ``self.convert(frame)``.

    Python 3.10 does not tell in which columns a call stands, nor do newer ones with ``-X no_debug_ranges``: there it is
    the one call in the line that names the conversion.
    """
    text = text_of(site.file)
    if site.column is not None:
        return _calls(text).get((site.line, site.column, site.end_line, site.end_column))
    if site.file.startswith("<"):  # of several texts that are called <string> one is known
        return None
    here = expressions_at(site.line, tree_of(text))
    calls = [node for node in here if isinstance(node, ast.Call) and _makes_it(node, site, text)]
    return calls[0] if len(calls) == 1 else None


def _read_at(site: Site) -> ast.Attribute | ast.Subscript | None:
    """Return the attribute, or the elements, that are read at ``site``, as in ``series.values`` and ``dataset[0]``."""
    return _reads(text_of(site.file)).get((site.line, site.column, site.end_line, site.end_column))


def _makes_it(node: ast.Call, site: Site, text: str) -> bool:
    """Return True if ``node`` calls the conversion itself, and not ``map(torch.tensor, x)`` or ``Tensor.numpy(x)``."""
    function = node.func
    if (
        isinstance(function, ast.Attribute)
        and getattr(function.value, "attr", getattr(function.value, "id", "")) == "Tensor"
    ):
        return False
    return getattr(function, "id", getattr(function, "attr", None)) in names_of(site.conversion, tree_of(text))


def _names(node: ast.expr, site: Site, text: str) -> bool:
    known = names_of(site.conversion, tree_of(text))
    names = (getattr(within, "id", None) or getattr(within, "attr", None) for within in ast.walk(node))
    return not known.isdisjoint(names)


def makes_its_source(site: Site) -> bool:
    """Return True if the call converts what an expression makes anew each time: ``torch.tensor(np.zeros(3))``."""
    call = call_of(site)
    if call is None:
        return False
    return not isinstance(expression_of(call.source), ast.Name | ast.Attribute | ast.Subscript)


def unpacks_its_source(site: Site) -> bool:
    """Return True if a call may take its source out of a tuple, as ``torch.tensor(*row)`` does, or has no text.

    No reference is added to the source, which looks as if nothing but the call held it. What is called ``<string>`` may
    be the program of ``-c`` or what it executes: a call that is not in the one text has none.
    """
    node, text = node_of(site), text_of(site.file)
    if node is None:
        return not text or not is_python(text) or site.file.startswith("<") or site.column is None
    return any(isinstance(argument, ast.Starred) for argument in node.args)


def used_once(site: Site) -> bool:
    """Return True if the call converts a name that is bound anew before it each time, and is not used after it.

    So ``x`` in ``for k in range(9): x = np.full(3, k); t = torch.tensor(x)``. If nothing but the name holds the array,
    nothing can reach it after the call.
    """
    call, text = call_of(site), text_of(site.file)
    node = node_of(site)
    if call is None or node is None:
        return False
    source = converted_by(node, site.conversion)
    scope = innermost(tree_of(text), node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module))
    block = innermost(tree_of(text), node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.For, ast.While))
    if not isinstance(source, ast.Name) or scope is None or not isinstance(block, (*FUNCTIONS, ast.For)):
        return False
    name = source.id
    bound = [statement for statement in block.body if _binds(statement, name) and end(statement) <= begin(node)]
    if not bound:
        return False
    # between these two the name is the array that is converted; in a loop what stands before them runs after them, too
    first, last = end(bound[-1]), end(node)
    loop = next(iter(loops_around(scope, node)), None)
    for within in nodes_of(scope):
        if isinstance(within, ast.Global | ast.Nonlocal) and name in within.names:
            return False
        if isinstance(within, _LATER) and within is not scope and _uses(within, name):
            return False
        if isinstance(within, ast.Name) and within.id in ALL_NAMES:
            return False
        if not isinstance(within, ast.Name) or within.id != name or first <= begin(within) < last:
            continue
        if begin(within) >= last or (isinstance(within.ctx, ast.Load) and loop is not None and is_in(within, loop)):
            return False
        if isinstance(within.ctx, ast.Store) and loop is not None and _is_added_to(loop, within):
            return False
    return True


def _binds(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in statement.targets
    )


def _is_added_to(tree: ast.AST, name: ast.Name) -> bool:
    """Return True if ``name`` is what a statement like ``x += 1`` in ``tree`` writes to."""
    return any(isinstance(node, ast.AugAssign) and node.target is name for node in ast.walk(tree))


_LATER = (*FUNCTIONS, ast.Lambda, ast.GeneratorExp)
"""What runs at another time than it stands in the text."""


def _uses(within: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(within))


@functools.lru_cache(maxsize=MOST_FILES)  # each site of a file is looked for in them
def _calls(text: str) -> dict[Extent, ast.Call]:
    return {extent_of(node): node for node in nodes_of(tree_of(text)) if isinstance(node, ast.Call)}


@functools.lru_cache(maxsize=MOST_FILES)
def _reads(text: str) -> dict[Extent, ast.Attribute | ast.Subscript]:
    nodes = nodes_of(tree_of(text))
    return {extent_of(node): node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript)}


def _written(node: ast.expr, text: str) -> str:
    """Return the text of a node, as ``ast.get_source_segment`` does, which splits the whole file for each."""
    lines = encoded_lines(text)[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"".join(lines).decode()


def _asks_for_copy(keyword: ast.keyword) -> bool:
    return keyword.arg == "copy" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True


_SOURCES = ("data", "obj", "object", "a", "x", "ndarray", "tensor", "tensors", "arrays", "buffer", "input", "batch")
"""What the functions of numpy and torch call the argument that they convert."""


def converted_by(node: ast.Call, conversion: str) -> ast.expr | None:
    """Return the expression that is converted: of a method its object, else the first argument."""
    if _is_method_of_its_source(conversion):
        return node.func.value if isinstance(node.func, ast.Attribute) else None
    if node.args:
        return None if isinstance(node.args[0], ast.Starred) else node.args[0]
    if len(node.keywords) == 1:
        return node.keywords[0].value
    return next((keyword.value for keyword in node.keywords if keyword.arg in _SOURCES), None)


def _is_method_of_its_source(conversion: str) -> bool:
    """Return True for ``x.numpy()``, and not for ``t.new_tensor(x)``, which converts what it is given."""
    if conversion in ("Tensor.new_tensor", "Tensor.copy_"):
        return False
    entry = find(conversion)
    return conversion.startswith("Tensor.") or (entry is not None and entry.code.startswith("x."))
