"""Messages as JSON: dataclasses to bytes and back, with the standard library alone.

What runs in an inspected environment may need nothing that is not there; msgspec writes many messages where it is.
Pickle would run whatever a process sends; here only the classes that the type of a message names are made, and every
value must be of its field's type.

The types are read from the annotations. ``typing.get_type_hints`` evaluates ``int | None`` from Python 3.10 on only, so
the text is rewritten to ``Union[int, None]`` first.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tensorbridge_cli.compat import values

TAG = "is"
"""The key that says which class a ``Tagged`` is of."""


class WireError(ValueError):
    """What came is not a message of the type that was awaited."""


class Tagged:
    """A dataclass of which several may come in one place."""


def encode(message: object) -> bytes:
    """Return ``message``, a dataclass, as JSON.

    Raises:
        UnicodeEncodeError: if a text in it is not Unicode.
    """
    return json.dumps(message, default=_fields, ensure_ascii=False, separators=(",", ":")).encode()


def encoder_of_many() -> Callable[[object], bytes]:
    """Return what encodes a message that holds no ``Tagged``, as ``encode`` does: with msgspec where it is installed.

    That takes a sixth of the time; to import it takes as long as a hundred messages do.
    """
    try:
        import msgspec
    except ImportError:
        return encode
    encode_plain = msgspec.json.Encoder(enc_hook=_fields).encode
    return lambda message: encode_plain(_fields(message))


def _fields(value: object) -> Any:
    """Return what ``json`` can write of a value that it does not know."""
    if dataclasses.is_dataclass(value):
        return {TAG: type(value).__name__, **values(value)} if isinstance(value, Tagged) else values(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)  # a Path; a version that is a class of torch's


def decode(body: bytes, kind: Any) -> Any:
    """Return the message of type ``kind``, a dataclass or a union of such, that ``body`` is.

    Raises:
        WireError: if it is not one.
    """
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"{type(error).__name__}: {error}") from error
    return convert(plain, kind)


def convert(value: Any, kind: Any) -> Any:
    """Return plain ``value``, as ``json`` reads it, as a ``kind``.

    Raises:
        WireError: if it is not one.
    """
    try:
        return _reader(kind)(value)
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(f"{type(error).__name__}: {error}") from error


@functools.cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return the function that makes a ``kind`` of what JSON has for it."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _reader(args[0])
    if origin is Literal:
        return _one_of(args)
    if origin is Union or type(kind).__name__ == "UnionType":  # A | B, from Python 3.10 on
        return _union(args)
    if origin is tuple:
        return _tuple(args)
    if getattr(origin, "__name__", "") == "Sequence":
        return _tuple((args[0], ...))
    if origin is frozenset:
        items = _tuple((args[0], ...))
        return lambda value: frozenset(items(value))
    if kind is Path:
        text = _plain(str)
        return lambda value: Path(text(value))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if dataclasses.is_dataclass(kind):
        return _record(kind)
    return _plain(kind)


def _plain(kind: type) -> Callable[[Any], Any]:
    accepted = (int, float) if kind is float else (kind,)

    def read(value: Any) -> Any:
        if type(value) not in accepted:
            raise WireError(f"{value!r:.80} is not a {kind.__name__}")
        return value

    return read


def _one_of(values: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in values:
            raise WireError(f"{value!r:.80} is not one of {values}")
        return value

    return read


def _union(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Read ``None``, a text or number of one type, or a dataclass: of several, the one that its tag names."""
    others = [kind for kind in kinds if kind is not type(None)]
    is_optional = len(others) < len(kinds)
    readers = {kind.__name__: _reader(kind) for kind in others} if len(others) > 1 else {}
    single = _reader(others[0])

    def read(value: Any) -> Any:
        if value is None and is_optional:
            return None
        return readers[value[TAG]](value) if readers else single(value)

    return read


def _tuple(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(args) == 2 and args[1] is ...:
        item = _reader(args[0])

        def read_any(value: Any) -> Any:
            if type(value) is not list:
                raise WireError(f"{value!r:.80} is not a list")
            return tuple(map(item, value))

        return read_any
    items = tuple(map(_reader, args))

    def read(value: Any) -> Any:
        if type(value) is not list or len(value) != len(items):
            raise WireError(f"{value!r:.80} is not a list of {len(items)}")
        return tuple(read(one) for read, one in zip(items, value))

    return read


def _record(kind: Any) -> Callable[[Any], Any]:
    readers: dict[str, Callable[[Any], Any]] = {}  # made at the first use: an annotation may name a later class

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise WireError(f"{value!r:.80} is not a {kind.__name__}")
        if not readers:
            readers.update({name: _reader(hint) for name, hint in hints(kind).items()})
        fields = {}
        for name, reader in readers.items():
            if name in value:
                try:
                    fields[name] = reader(value[name])
                except WireError as error:
                    raise WireError(f"{name}: {error}") from error
        return kind(**fields)

    return read


def hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass."""
    annotated: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        names = {**vars(sys.modules[base.__module__]), "Union": Union}
        for name, text in getattr(base, "__annotations__", {}).items():
            if isinstance(text, str):
                tree = ast.fix_missing_locations(_Unions().visit(ast.parse(text, mode="eval")))
                annotated[name] = eval(compile(tree, "<annotation>", "eval"), names)  # noqa: S307 - our own annotations
            else:
                annotated[name] = text
    return {field.name: annotated[field.name] for field in dataclasses.fields(kind)}


class _Unions(ast.NodeTransformer):
    """Write ``A | B`` as ``Union[A, B]``."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        pair = ast.Tuple(elts=[node.left, node.right], ctx=ast.Load())
        return ast.Subscript(value=ast.Name(id="Union", ctx=ast.Load()), slice=pair, ctx=ast.Load())
