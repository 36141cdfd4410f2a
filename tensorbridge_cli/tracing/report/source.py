"""The call of a site in its source code, and its line with other code in place of the call."""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import linecache
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeGuard

from tensorbridge_cli.catalog.registry import find
from tensorbridge_cli.records.trace import Site, Trace
from tensorbridge_cli.tracing import is_installed

_MOST_FILES = 500
"""Files of a program that are read, and whose trees are kept."""


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


def call_of(site: Site) -> SourceCall | None:
    """Return the call of ``site``; ``None`` if the file is not what ran, or if it does not name the conversion."""
    node, text = node_of(site), text_of(site.file)
    if node is None or not _makes_it(node, site, text):
        return None
    converted = _converted(node, site.conversion)
    if converted is None:
        return None
    source, written = _written(converted, text), _written(node, text)
    passed = len(node.args) + len(node.keywords) + _is_method_of_its_source(site.conversion)
    return SourceCall(node, written, converted, source, passed == 1, any(map(_asks_for_copy, node.keywords)))


def written_here(site: Site) -> bool | None:
    """Return True if the user's own line names the conversion; ``None`` if its text is not available.

    What a library does that is written in C has no line of its own: ``rng.permutation(pool)`` copies with ``np.array``.
    """
    text = text_of(site.file)
    if site.via or not text:
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
    lines = _lines(text_of(site.file))
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
    while files and len(texts) < _MOST_FILES:
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


_Place = tuple[int, int | None, int | None, int | None]
"""Where a node begins and ends: its first line and column, its last line and column."""


def _place(node: ast.expr) -> _Place:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


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


def called_as(conversion: str) -> str:
    """Return the name by which a call names a conversion: ``asarray`` for ``torch.asarray(copy=True)``."""
    return conversion.partition("(")[0].rpartition(".")[2]


def expressions_at(line: int, within: ast.AST) -> list[ast.expr]:
    """Return the expressions that stand on a line, wholly or in part, from the outside in."""
    nodes = (node for node in nodes_of(within) if isinstance(node, ast.expr))
    return [node for node in nodes if begin(node)[0] <= line <= end(node)[0]]


def names_of(conversion: str, tree: ast.AST) -> set[str]:
    """Return the names by which the calls of a file name a conversion: also ``f`` after ``f = torch.asarray``."""
    name = called_as(conversion)
    return {name, *_aliases(tree).get(name, ())}


def _names(node: ast.expr, site: Site, text: str) -> bool:
    known = names_of(site.conversion, tree_of(text))
    names = (getattr(within, "id", None) or getattr(within, "attr", None) for within in ast.walk(node))
    return not known.isdisjoint(names)


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


@functools.lru_cache(maxsize=_MOST_FILES)
def _lines(text: str) -> list[str]:
    """Return the lines of a text as Python counts them: a form feed, which parts some files, ends none."""
    return text.split("\n")


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
    path = site.conversion.partition("(")[0]
    if path.startswith("Tensor."):
        return isinstance(node.func, ast.Attribute) and f"Tensor.{node.func.attr}" == path and not node.args
    return ast.unparse(node.func) == path and len(node.args) == 1


def _is_default(keyword: ast.keyword) -> bool:
    value = keyword.value
    name = keyword.arg or ""
    return name in _DEFAULTS and isinstance(value, ast.Constant) and value.value is _DEFAULTS[name]


def _replaced(text: str, within: ast.expr, part: ast.expr, code: str) -> str:
    """Return ``text``, that of ``within``, with ``code`` in place of ``part``, and its brackets if it has any."""
    lines = _encoded_lines(text)

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
    lines = _lines(text_of(site.file))
    node = call.node
    if node.lineno == node.end_lineno and "\n" not in instead:
        line = lines[site.line - 1].encode()
        return (line[: node.col_offset] + instead.encode() + line[node.end_col_offset :]).decode().strip()
    statement = innermost(tree_of(text_of(site.file)), node, (ast.stmt,))
    if statement is None:
        return ast.unparse(_expression(instead))
    place = _place(node)

    class Instead(ast.NodeTransformer):
        def visit_Call(self, inner: ast.Call) -> ast.AST:
            if _place(inner) == place:
                return _expression(instead)
            return self.generic_visit(inner)

    statement = getattr(statement, "annotated", statement)
    changed = ast.fix_missing_locations(Instead().visit(copy.deepcopy(statement)))
    return ast.unparse(changed).partition("\n")[0]  # of an if, a for or a with the first line


def makes_its_source(site: Site) -> bool:
    """Return True if the call converts what an expression makes anew each time: ``torch.tensor(np.zeros(3))``."""
    call = call_of(site)
    if call is None:
        return False
    return not isinstance(_expression(call.source), ast.Name | ast.Attribute | ast.Subscript)


def unpacks_its_source(site: Site) -> bool:
    """Return True if a call may take its source out of a tuple, as ``torch.tensor(*row)`` does, or has no text.

    No reference is added to the source, which looks as if nothing but the call held it. What is called ``<string>`` may
    be the program of ``-c`` or what it executes: a call that is not in the one text has none.
    """
    node = node_of(site)
    if node is None:
        return not text_of(site.file) or site.file.startswith("<") or site.column is None
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
    source = _converted(node, site.conversion)
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
    loop = next((one for one in nodes_of(scope) if isinstance(one, LOOPS) and is_in(node, one)), None)
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


LOOPS = (ast.For, ast.AsyncFor, ast.While)
ALL_NAMES = frozenset({"eval", "exec", "globals", "locals", "vars"})
"""Functions that reach a variable without naming it."""


def _binds(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in statement.targets
    )


def _is_added_to(tree: ast.AST, name: ast.Name) -> bool:
    """Return True if ``name`` is what a statement like ``x += 1`` in ``tree`` writes to."""
    return any(isinstance(node, ast.AugAssign) and node.target is name for node in ast.walk(tree))


def begin(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the line and the column at which a node begins."""
    return node.lineno, node.col_offset


def end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the line and the column at which a node ends."""
    return node.end_lineno or 0, node.end_col_offset or 0


def is_in(node: ast.expr | ast.stmt, within: ast.expr | ast.stmt) -> bool:
    """Return True if a node stands within another."""
    return begin(within) <= begin(node) and end(node) <= end(within)


def path_of(node: ast.AST) -> str:
    """Return what stands for a variable, or for an attribute of one: ``t`` and ``s.t``; nothing for what is neither."""
    if isinstance(node, ast.Attribute):
        path = path_of(node.value)
        return path and f"{path}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.Lambda, ast.Module)
"""What has names of its own."""
_LATER = (*FUNCTIONS, ast.Lambda, ast.GeneratorExp)
"""What runs at another time than it stands in the text."""


def _uses(within: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(within))


def innermost(tree: ast.AST, node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> ast.AST | None:
    """Return the innermost node of ``kinds`` that ``node`` is in."""
    line = getattr(node, "lineno", 0)
    around = (one for one in nodes_of(tree) if isinstance(one, kinds) and _has_line(one, line))
    nodes = [one for one in around if node in nodes_of(one)]  # which is slow, unlike the comparison of lines
    return nodes[-1] if nodes else None  # they go from the outside in


def _has_line(node: ast.AST, line: int) -> bool:
    """Return True if a line is one of a node's; all lines are a module's."""
    return isinstance(node, ast.Module) or getattr(node, "lineno", 0) <= line <= (getattr(node, "end_lineno", 0) or 0)


@functools.lru_cache(maxsize=_MOST_FILES)  # each site of a file asks its tree, and its function, several times
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return a node of a syntax tree and all below it, from the outside in."""
    return tuple(ast.walk(tree))


@functools.lru_cache(maxsize=_MOST_FILES)  # each site of a file is looked for in them
def _calls(text: str) -> dict[_Place, ast.Call]:
    return {_place(node): node for node in nodes_of(tree_of(text)) if isinstance(node, ast.Call)}


@functools.lru_cache(maxsize=_MOST_FILES)
def _reads(text: str) -> dict[_Place, ast.Attribute | ast.Subscript]:
    nodes = nodes_of(tree_of(text))
    return {_place(node): node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript)}


def _written(node: ast.expr, text: str) -> str:
    """Return the text of a node, as ``ast.get_source_segment`` does, which splits the whole file for each."""
    lines = _encoded_lines(text)[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"".join(lines).decode()


@functools.lru_cache(maxsize=_MOST_FILES)
def _encoded_lines(text: str) -> list[bytes]:
    """Return the lines of a text with their ends, in UTF-8, whose bytes the columns of a node count."""
    return [f"{line}\n".encode() for line in _lines(text)]


@functools.lru_cache(maxsize=_MOST_FILES)  # all files of the program are read again for each of its sites
def tree_of(text: str) -> ast.AST:
    """Return the syntax tree of a text; that of nothing if it is not Python's.

    It is the same object each time, and has to be: a node is found in a tree, or among the parents of ``uses``, by its
    identity. ``test_a_line_keeps_its_arguments`` fails with a tree that is parsed anew.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])
    for node in ast.walk(tree):
        for block in (getattr(node, field, None) for field in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and not isinstance(node, ast.ClassDef):  # whose annotations are fields
                block[:] = map(_plain, block)
    return tree


def _plain(statement: ast.stmt) -> ast.stmt:
    """Return ``x = 1`` for ``x: int = 1``, which binds the same."""
    if not isinstance(statement, ast.AnnAssign) or statement.value is None:
        return statement
    plain = ast.copy_location(ast.Assign([statement.target], statement.value), statement)
    plain.annotated = statement  # type: ignore[attr-defined]  # for its line, where that is printed
    return plain


def _asks_for_copy(keyword: ast.keyword) -> bool:
    return keyword.arg == "copy" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True


_SOURCES = ("data", "obj", "object", "a", "x", "ndarray", "tensor", "tensors", "arrays", "buffer", "input", "batch")
"""What the functions of numpy and torch call the argument that they convert."""


def _converted(node: ast.Call, conversion: str) -> ast.expr | None:
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
