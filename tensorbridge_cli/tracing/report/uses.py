"""Whether a program's text shows that an array is only read after it was converted.

No list of what writes is complete: ``np.negative(a, a)``, ``operator.imul(a, 2)``, ``pool.submit(refill, a)``. So each
use of the array's name must be one of those that are known to read, and give nothing that shares its memory.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator

from tensorbridge_cli.records.trace import Site
from tensorbridge_cli.tracing.report.source import call_of
from tensorbridge_cli.tracing.report.syntax import (
    ALL_NAMES,
    FUNCTIONS,
    SCOPES,
    begin,
    expressions_at,
    innermost,
    is_in,
    loops_around,
    names_of,
    nodes_of,
    text_of,
    tree_of,
)

INTO_FIRST = frozenset({"copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "at", "shuffle"})
INTO_FIRST |= {"readinto", "readinto1", "recv_into", "recvfrom_into", "pack_into", "memmove", "memset", "nan_to_num"}
"""Functions that write into their first argument."""
_COPYING = frozenset(
    """
    all any argmax argmin argsort astype choice clone copy cumsum integers item max mean min nonzero normal
    permutation prod random standard_normal std sum tobytes tolist uniform var
    """.split()  # noqa: SIM905
)
"""Methods that only read, and whose result has memory of its own."""
_VIEWS = frozenset(
    ["T", "detach", "imag", "numpy", "ravel", "real", "reshape", "squeeze", "swapaxes", "transpose", "view"]
)
"""Methods and attributes that only read, and whose result shares the memory."""
_FACTS = frozenset(["device", "dtype", "itemsize", "nbytes", "ndim", "requires_grad", "shape", "size", "strides"])
_VIEWING = frozenset(
    """
    adjoint alpha_dropout array array_split as_strided as_tensor asanyarray asarray asarray_chkfinite
    ascontiguousarray asfortranarray asmatrix atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_tensors
    broadcast_to cartesian_prod chunk conj conj_physical dequantize detach diag diagonal diff dropout dsplit
    einsum expand_dims feature_alpha_dropout feature_dropout fftn flatten flip fliplr flipud from_dlpack
    from_numpy frombuffer hsplit ifftn imag matrix matrix_power matrix_transpose memmap meshgrid moveaxis movedim
    narrow ndarray nditer permute permute_dims polyder polyint positive random_split ravel real real_if_close
    recarray require reshape resolve_conj resolve_neg rollaxis rot90 select slice_inverse sliding_window_view
    split split_with_sizes squeeze swapaxes swapdims t tensor_split tile transpose trim_zeros unbind unflatten
    unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unstack view_as_complex view_as_real vsplit
    """.split()  # noqa: SIM905
)
"""Functions of numpy and torch that only read, and whose result may share memory with an argument."""
_TYPES = re.compile(
    "bool|half|c?single|c?(long)?double|u?(byte|short|intc|intp|long|longlong)|(u?int|float|complex)[0-9]+"
)
"""NumPy's types, which do the same: ``np.float32(a)``."""
_TWO_READ = frozenset(
    """
    add allclose array_equal cross divide dot einsum equal isclose kron matmul maximum minimum multiply outer
    save savetxt searchsorted shares_memory subtract tensordot vdot where
    """.split()  # noqa: SIM905
)
"""Functions that read their second argument, too; of any other that is where it may write."""
_READERS = frozenset(
    "abs bool bytes float format hash id int isinstance len print range repr round str type".split()  # noqa: SIM905
)
"""Python's own functions that only read what they are given, and do not return it."""
_READING = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.FormattedValue, ast.Subscript)
_STATEMENTS = (ast.Assert, ast.Delete, ast.Expr, ast.If, ast.While)


_MODULES = ("numpy", "torch")


def may_be_written(site: Site, texts: Iterable[str] = ()) -> bool:
    """Return True if the program may write into what the call converts, or gives, after it was converted.

    ``texts`` are those of the program's other files, which may reach what a module defines. That torch writes to what
    it is passed, inspections show; what the program's own functions do may come between two of them.
    """
    call, text = call_of(site), text_of(site.file)
    if call is None:
        return True
    tree, texts = tree_of(text), (text, *texts)
    if _is_result_written(call.node, tree, texts):
        return True
    if _is_new(call.converted, tree):
        return False
    converted = _name_in(call.converted, tree)
    if converted is None or is_named_elsewhere(converted.id, tree, texts):
        return True
    return not all(node is converted or _is_safe(node, converted.id, call.node, tree) for node in nodes_of(tree))


def tells_no_values(node: ast.AST, tree: ast.AST) -> bool:
    """Return True if what ``node`` gives is asked for its shape or dtype alone: ``old.shape``, ``len(old)``."""
    parent = _parents(tree)[node]
    if isinstance(parent, ast.Call):
        return last_name(parent.func) == "len"
    return isinstance(parent, ast.Attribute) and parent.attr in _FACTS | {"dim", "numel"}


def is_only_read(node: ast.AST, tree: ast.AST) -> bool:
    """Return True if what ``node`` gives is only read where it stands, and bound to no name."""
    parents = _parents(tree)
    while True:
        part, node = node, parents[node]
        if isinstance(node, ast.keyword):
            node = parents[node]
        if isinstance(node, ast.Attribute):
            called = _called(node, parents)
            if node.attr in (_COPYING if called else _FACTS):
                return not _may_not_copy(parents[node])
            if node.attr not in _VIEWS:
                return False
            node = parents[node] if called else node
        elif isinstance(node, ast.Subscript) and node.value is part:
            if not isinstance(node.ctx, ast.Load):
                return False
        elif isinstance(node, ast.Call):
            if not _reads(node, part, tree) or _may_not_copy(node):
                return False
            if not _is_view(last_name(node.func)):
                return True
        elif isinstance(node, ast.AugAssign):
            return node.value is part and not isinstance(part, ast.List | ast.Tuple)  # kept += [a]
        elif isinstance(node, (*_READING, *_STATEMENTS)):
            return not _keeps(node, part, tree)
        elif not isinstance(node, ast.List | ast.Tuple | ast.Slice):
            return False


def _is_result_written(call: ast.Call, tree: ast.AST, texts: Iterable[str]) -> bool:
    """Return True if what is bound to the result of ``call`` is neither only read nor passed to a library."""
    parents, names = _parents(tree), set()
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


def functions_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the functions that files define."""
    return frozenset().union(*(functions_in_tree(tree_of(text)) for text in texts))


def uses_of(names: Collection[str], tree: ast.AST) -> Iterator[ast.Name]:
    """Yield where variables are used, and not bound: also ``a`` in ``a += 1``."""
    named = (node for node in nodes_of(tree) if isinstance(node, ast.Name) and node.id in names)
    for node in named:
        if isinstance(node.ctx, ast.Load) or isinstance(_parents(tree)[node], ast.AugAssign):
            yield node


def declared(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that ``nodes`` declare as those of an outer scope: ``global x`` and ``nonlocal x``."""
    return {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}


def bound_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that ``nodes`` bind or delete."""
    return {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}


def _is_passed_on(node: ast.AST, tree: ast.AST, own: frozenset[str]) -> bool:
    """Return True if ``node`` is passed to a function that is none of ``own``, and not as where to write."""
    call = _parents(tree)[node]
    if isinstance(call, ast.keyword) and call.arg != "out":
        call = _parents(tree)[call]
    if not isinstance(call, ast.Call) or call.func is node:
        return False
    name = last_name(call.func)
    return bool(name) and name not in own | INTO_FIRST | _UNCOUNTED and not is_in_place_name(name)


def escapes(node: ast.AST, tree: ast.AST, keeps: Callable[[str], bool]) -> bool:
    """Return True if what ``node`` gives may outlive its statement: it is bound, returned, or passed to what keeps it.

    ``keeps`` is asked about the name of each function that it is passed to.
    """
    parents = _parents(tree)
    while not is_only_read(node, tree):
        part, node = node, parents[node]
        if isinstance(node, ast.Attribute) and node.attr in _VIEWS | _CONVERTING:
            node = parents[node] if _called(node, parents) else node
        elif isinstance(node, ast.Subscript) and node.value is part:
            if not isinstance(node.ctx, ast.Load):
                return False  # it is written, and not kept
        elif isinstance(node, ast.AugAssign):
            return node.value is part  # in x *= 2 it is written, too
        elif isinstance(node, ast.comprehension) and isinstance(node.target, ast.Name) and node.iter is part:
            whole = parents[node]
            items = uses_of({node.target.id}, whole)
            return not _is_run_through(whole, parents) or any(escapes(item, tree, keeps) for item in items)
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name) and node.iter is part:
            items = uses_of({node.target.id}, innermost(tree, node, SCOPES) or tree)  # it is bound after the loop, too
            return any(not is_in(item, node) or escapes(item, tree, keeps) for item in items)
        elif isinstance(node, ast.Call | ast.keyword):
            is_result = isinstance(node, ast.keyword) and node.arg == "out"
            call = parents[node] if isinstance(node, ast.keyword) else node
            name = last_name(call.func) if isinstance(call, ast.Call) and call.func is not part else ""
            if not name or keeps(name):
                return True
            if not (is_result or _is_view(name) or name in _UNCOUNTED):
                return False
            node = call
        else:
            return True
    return False


def _is_run_through(comprehension: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return True if a comprehension holds nothing that it loops over once it has run: a generator might."""
    call = parents[comprehension]
    return not isinstance(comprehension, ast.GeneratorExp) or (
        isinstance(call, ast.Call)
        and last_name(call.func) in _CONTAINERS | {"all", "any", "max", "min", "sorted", "sum"}
    )


def is_bound(node: ast.AST, tree: ast.AST) -> bool:
    """Return True if what ``node`` gives is bound as it is, or put into a container that is kept.

    So is ``v.cpu()`` in ``kept = [v.cpu() for v in x]`` and ``kept[k] = v.cpu()``, and not in ``torch.cat([v.cpu()])``.
    """
    parents, collected = _parents(tree), False
    while True:
        part, node = node, parents[node]
        if isinstance(node, ast.Attribute) and node.attr in _VIEWS | _CONVERTING and _called(node, parents):
            node = parents[node]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp) and part is node.elt:
            collected |= not isinstance(node, ast.GeneratorExp)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            collected = True
        elif isinstance(node, ast.DictComp):
            collected |= part is node.value
        elif isinstance(node, ast.Call) and node.func is not part:
            name = last_name(node.func)
            if name not in _CONTAINERS:
                return name in KEEPING and isinstance(parents[node], ast.Expr)  # no sum: torch.add(a, v)
            collected = True
        elif isinstance(node, ast.keyword | ast.Starred):
            continue
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            return True
        else:
            return collected and isinstance(node, ast.AugAssign | ast.NamedExpr | ast.Return)


def is_given_back(node: ast.AST, tree: ast.AST, names: frozenset[str] = frozenset()) -> bool:
    """Return True if what ``node`` gives is returned, alone or with more, and nothing else keeps it but ``names``."""
    parents = _parents(tree)
    while True:
        part, node = node, parents[node]
        if isinstance(node, ast.Attribute) and node.attr in _VIEWS | _CONVERTING and _called(node, parents):
            node = parents[node]
        elif isinstance(node, ast.ListComp | ast.DictComp) and part is not getattr(node, "key", None):
            continue
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            uses = [*uses_of({name}, innermost(tree, node, SCOPES) or tree)]
            known = names | {name}
            return name in names or all(is_only_read(use, tree) or is_given_back(use, tree, known) for use in uses)
        elif not isinstance(node, ast.List | ast.Tuple | ast.Dict):
            return isinstance(node, ast.Return)


_CONTAINERS = frozenset({"dict", "deque", "list", "set", "tuple", "OrderedDict"})
"""Functions whose result holds what they are passed."""

KEEPING = frozenset(
    "add append appendleft extend insert partial push put put_nowait setdefault submit update".split()  # noqa: SIM905
)
"""Functions and methods of libraries that keep what they are passed, beside the builtins."""

_CONVERTING = frozenset(
    """
    bfloat16 bool byte char contiguous cpu cuda double expand flatten float half int long permute short t to type
    type_as unsqueeze
    """.split()  # noqa: SIM905
)
"""Methods of tensors whose result is the tensor itself where it need not be another, or a view of it."""
_UNCOUNTED = frozenset({"copy", "to_dlpack", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"})
"""Functions whose result shares a tensor's memory, and through which torch does not count a write to it."""


def may_write(value: ast.AST, tree: ast.AST) -> bool:
    """Return True if an expression calls what is not known to read only: ``env.step(action)``."""
    calls = (node for node in nodes_of(value) if isinstance(node, ast.Call))
    return any(
        last_name(call.func) not in _COPYING | _VIEWS | _READERS and not _is_of_module(call.func, tree)
        for call in calls
    )


def is_in_place(call: ast.Call) -> bool:
    """Return True for ``a.fill(0)`` and ``t.add_(1)``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in _MUTATORS or is_in_place_name(name)


_MUTATORS = frozenset(
    {"byteswap", "fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort", "clear", "extend"}
)
"""Methods of arrays, and of what holds buffers, that write in place; those of tensors end in an underscore."""


def is_in_place_name(name: str) -> bool:
    """Return True for the name of a function of torch that writes in place: ``add_``."""
    return re.fullmatch(r"[a-z]\w*[^_]_", name) is not None


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
    parent = _parents(tree)[node]
    if isinstance(node.ctx, ast.Store):
        return (
            isinstance(parent, ast.Assign)
            and len(parent.targets) == 1
            and parent.targets[0] is node
            and not isinstance(parent.value, ast.List | ast.Tuple)
            and _is_new(parent.value, tree)
        )
    return is_only_read(node, tree) or _is_written_before(node, call, tree)


def _is_written_before(node: ast.Name, call: ast.Call, tree: ast.AST) -> bool:
    """Return True if ``node`` is filled, as in ``a[:] = 3``, and ``call`` comes later, in no loop with it."""
    parent = _parents(tree)[node]
    if not isinstance(parent, ast.Subscript) or parent.value is not node or not isinstance(parent.ctx, ast.Store):
        return False
    return (
        begin(node) < begin(call)
        and innermost(tree, node, SCOPES) is innermost(tree, call, SCOPES)
        and not loops_around(tree, node, call)
    )


def _is_new(value: ast.AST, tree: ast.AST) -> bool:
    """Return True if ``value`` shares memory with nothing that has a name."""
    if isinstance(value, ast.Constant | ast.BinOp | ast.UnaryOp | ast.Compare):
        return True
    if isinstance(value, ast.List | ast.Tuple):
        return all(_is_new(one, tree) for one in value.elts)
    if not isinstance(value, ast.Call):
        return False
    function, passed = value.func, [*value.args, *(one.value for one in value.keywords)]
    if _is_of_module(function, tree):
        name = last_name(function)
        copies = name.islower() and not _is_view(name) and not _may_not_copy(value)
        return copies or all(_is_new(one, tree) for one in passed)
    if not isinstance(function, ast.Attribute) or _may_not_copy(value):
        return False
    return function.attr in _COPYING or (function.attr in _VIEWS and _is_new(function.value, tree))


def _name_in(value: ast.expr, tree: ast.AST) -> ast.Name | None:
    """Return the name of what ``value`` is a view of: ``a`` in ``a[1:].T`` and ``np.asarray(a)``."""
    if isinstance(value, ast.Name):
        return value
    if isinstance(value, ast.Subscript) or (isinstance(value, ast.Attribute) and value.attr in _VIEWS):
        return _name_in(value.value, tree)
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr in _VIEWS:
        return _name_in(value.func, tree)
    passed = [one for one in (*value.args, *(k.value for k in value.keywords)) if not isinstance(one, ast.Constant)]
    return _name_in(passed[0], tree) if _is_of_module(value.func, tree) and len(passed) == 1 else None


def _reads(call: ast.Call, part: ast.AST, tree: ast.AST) -> bool:
    """Return True if a function only reads ``part``, which it is passed."""
    name = last_name(call.func)
    if isinstance(call.func, ast.Name):
        return name in _READERS and name in _builtin_names(tree)
    if call.func is part or not _is_of_module(call.func, tree) or name in INTO_FIRST or not name.islower():
        return False
    more = {one.arg for one in call.keywords}
    if (
        is_in_place_name(name)
        or not more.isdisjoint({"out", None})
        or any(isinstance(one, ast.Starred) for one in call.args)
    ):
        return False
    return part in call.args[: 1 + (name in _TWO_READ)]


def _is_view(name: str) -> bool:
    """Return True if the result of a function of numpy or torch may share memory with an argument."""
    return name in _VIEWING or _TYPES.fullmatch(name) is not None


def _keeps(node: ast.AST, part: ast.AST, tree: ast.AST) -> bool:
    """Return True if an operator may give ``part`` itself: ``[a] * 2``, ``+t``, or that of a class of the program's."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.UAdd)
    if isinstance(node, ast.BinOp) and isinstance(part, ast.List | ast.Tuple):
        return True
    if isinstance(node, ast.Subscript):
        return not functions_in_tree(tree).isdisjoint({"__getitem__", "__class_getitem__"})
    return isinstance(node, ast.BinOp | ast.Compare) and any(map(_OPERATORS.fullmatch, functions_in_tree(tree)))


_OPERATORS = re.compile(
    "__r?(add|sub|mul|matmul|truediv|floordiv|mod|pow|and|x?or|[lr]shift)__|__(eq|ne|lt|le|gt|ge|contains)__"
)
"""Methods of a class that an operator calls, which may write to the other operand."""


def _may_not_copy(call: ast.AST) -> bool:
    return isinstance(call, ast.Call) and any(one.arg in ("copy", "out", None) for one in call.keywords)


def _called(node: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> bool:
    call = parents[node]
    return isinstance(call, ast.Call) and call.func is node


def _is_of_module(function: ast.AST, tree: ast.AST) -> bool:
    """Return True for a function of numpy or torch, as ``np.linalg.norm``; those of other modules may do more."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Attribute):
        return function.value.attr in ("linalg", "fft", "random") and _is_of_module(function.value, tree)
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", "") in _modules(tree)


def calls_at(line: int, conversion: str, tree: ast.AST) -> list[ast.Call]:
    """Return the calls on a line that name a conversion."""
    calls = [node for node in expressions_at(line, tree) if isinstance(node, ast.Call)]
    return [call for call in calls if last_name(call.func) in names_of(conversion, tree)]


Binding = ast.Assign | ast.NamedExpr
"""What gives names to values: ``t = x``, and ``(t := x)``."""


def bindings_at(line: int, tree: ast.AST) -> list[ast.Assign]:
    """Return the statements that bind what an expression on a line gives."""
    here = expressions_at(line, tree)
    return [node for node in nodes_of(tree) if isinstance(node, ast.Assign) and node.value in here]


def bindings_of(name: str, line: int, tree: ast.AST) -> list[ast.Assign]:
    """Return those in whose value a function or a method of that name is called, or named."""
    return [one for one in bindings_at(line, tree) if name in map(last_name, ast.walk(one.value))]


def bound_apart(binding: Binding) -> list[tuple[ast.expr, ast.expr]]:
    """Return what a binding binds, each with its value: ``t`` and ``f(a)``, ``n`` and 0 of ``t, n = f(a), 0``.

    Of ``t, u = map(f, x)`` it is the whole value for each.
    """
    parts: list[tuple[ast.expr, ast.expr]] = []
    for target in binding.targets if isinstance(binding, ast.Assign) else [binding.target]:
        several, values = (getattr(one, "elts", []) for one in (target, binding.value))
        if len(several) == len(values) > 0 and not any(isinstance(one, ast.Starred) for one in (*several, *values)):
            parts += zip(several, values, strict=True)
        else:
            names = (one.value if isinstance(one, ast.Starred) else one for one in several or [target])
            parts += ((name, binding.value) for name in names)
    return parts


def last_name(node: ast.AST) -> str:
    """Return ``fill`` of ``a.fill``, and ``fill`` of ``fill``."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


@functools.lru_cache(maxsize=64)
def _modules(tree: ast.AST) -> frozenset[str]:
    """Return the names that a file gives to numpy and torch, and to nothing else."""
    imports = [one for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    names = {one.asname or one.name for one in imports if one.name in _MODULES}
    return frozenset(names - _bound(tree))


@functools.lru_cache(maxsize=64)
def _builtin_names(tree: ast.AST) -> frozenset[str]:
    return frozenset(dir(builtins)) - _bound(tree)


@functools.lru_cache(maxsize=64)
def _bound(tree: ast.AST) -> frozenset[str]:
    """Return the names that a file binds, other than by ``import numpy``."""
    bound = bound_in(ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            others = (one for one in node.names if isinstance(node, ast.ImportFrom) or one.name not in _MODULES)
            bound |= {one.asname or one.name for one in others}
    return frozenset(bound)


@functools.lru_cache(maxsize=64)
def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


@functools.lru_cache(maxsize=512)
def functions_in_tree(tree: ast.AST) -> frozenset[str]:
    """Return the names of the functions that a file defines."""
    return frozenset(node.name for node in nodes_of(tree) if isinstance(node, FUNCTIONS))


def is_named_elsewhere(name: str, tree: ast.AST, texts: Iterable[str]) -> bool:
    """Return True if a file other than that of ``tree`` names an attribute, or imports a name of a module, so."""
    return any(name in named_elsewhere(text) for text in texts if tree_of(text) is not tree)


@functools.lru_cache(maxsize=512)
def named_elsewhere(text: str) -> frozenset[str]:
    """Return the attributes that a file names, and what it imports from modules."""
    nodes = list(ast.walk(tree_of(text)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return frozenset(names | {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names})
