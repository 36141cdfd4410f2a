"""What became of the memory, told from addresses alone: nothing is written, nothing is kept, nothing is printed.

Arrays and tensors of the libraries' own types are told in well under a microsecond; everything else goes to the
laboratory's code. Looking never makes a lazy clone copy, and never calls the user's ``__torch_function__``.

The laboratory's code is imported at the first object that needs it, which few programs have.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from types import GetSetDescriptorType
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorbridge_cli.memory.storages import is_resizable, storage_address
from tensorbridge_cli.tracing import is_installed
from tensorbridge_cli.tracing.inside.imports import loaded

if TYPE_CHECKING:
    from tensorbridge_cli.memory.spans import Span

SHARED, COPIED, REFUSED, UNDECIDABLE = "shared", "copied", "refused", "undecidable"

Classify = Callable[..., Any]
"""Of a site, a source and what came back: files the call by outcome and dtypes, adds its bytes, returns its cell.

After these three it may be told whether nobody but the call holds what came back; else it finds out itself.
"""

NOWHERE = 1 << 62
"""An address beyond all that there are: of what has no memory that could be shared."""

POINTER = 16
"""Bytes into a PyArrayObject at which its data pointer is."""


def memory_words(numpy: Any) -> Any:
    """Return this process's memory from ``POINTER`` on as 8-byte words, ``None`` if that tells no array's address.

    So ``words[id(array) >> 3]`` is the address of its first element. The field is at the same place in every numpy; it
    is tried on arrays of several kinds before it is relied on.
    """
    if sys.implementation.name != "cpython" or sys.byteorder != "little" or sys.maxsize < 1 << 60:
        return None
    words = memoryview((ctypes.c_uint64 * (1 << 58)).from_address(POINTER)).cast("B").cast("Q")
    return words if all(words[id(sample) >> 3] == address_of(sample) for sample in samples(numpy)) else None


def samples(numpy: Any) -> list[Any]:
    """Return arrays of several kinds, to try on them where the fields of an array are."""
    return [numpy.zeros(3), numpy.zeros((4, 4))[::-1, 1:], numpy.frombuffer(b"abcd", numpy.uint8)]


def address_of(array: Any) -> int:
    """Return the address of an array's first element, in 0.8 µs."""
    return int(array.__array_interface__["data"][0])


class Foreign(NamedTuple):
    """The dtype of an object of another library: of a Series, which code for arrays may not take, calls count apart."""

    kind: str
    dtype: Any


if TYPE_CHECKING:
    Known = int | str | None | Foreign

_LASTING: dict[int, str | None] = {}
"""The names of the dtypes that are never freed, by their ``id``."""


def known(dtype: Any) -> Known:
    """Return what may be kept of a dtype: not itself, which refers to the metadata that a program gave it.

    That is its ``id`` if it is never freed, so that no other can have it, and else its name.
    """
    if isinstance(dtype, Foreign):
        return Foreign(dtype.kind, _name(dtype.dtype))
    number = id(dtype)
    return number if number in _LASTING else _name(dtype)


def name_of(known: Known) -> str | None:
    """Return the plain name of a dtype that ``known`` told; ``None`` for what is not a dtype."""
    if isinstance(known, Foreign):
        return name_of(known.dtype)
    return _LASTING[known] if isinstance(known, int) else known


def _name(dtype: Any) -> str | None:
    module = package_of(type(dtype))
    if module not in ("numpy", "torch"):
        return None
    return str(dtype).removeprefix("torch.") if module == "torch" else str(getattr(dtype, "name", dtype))


def _learn_lasting(numpy: Any, torch: Any) -> None:
    dtypes = [numpy.dtype(code) for code in numpy.typecodes["All"]]
    if torch is not None:
        dtypes += [value for value in vars(torch).values() if isinstance(value, torch.dtype)]
    _LASTING.update((id(dtype), _name(dtype)) for dtype in (None, *dtypes))


_VALUES = (float, int, list, tuple, complex, str, range)
"""What is converted and has no memory of its own; beside NumPy's scalars."""


def classifier(numpy: Any, torch: Any) -> Classify:
    """Return what classifies a call by its source and its result; ``torch`` is ``None`` until it is imported."""
    _learn_lasting(numpy, torch)
    return _classifier_of_arrays(numpy) if torch is None else _classifier_of_both(numpy, torch)


def _classifier_of_arrays(numpy: Any) -> Classify:
    array, references, of_the_call = numpy.ndarray, sys.getrefcount, 0

    def classify(site: Any, source: Any, result: Any, alone: bool | None = None) -> Any:
        if source is _PROBE:
            return references(result)
        is_array = issubclass(type(source), array)
        if is_array and type(source) is not array and answers_itself(source):
            return site.add(UNDECIDABLE, 0, None, None)
        fresh = is_array or (references(result) <= of_the_call if alone is None else alone)
        given = source.dtype if is_array or issubclass(type(source), numpy.generic) else _foreign_dtype(source)
        if type(result) is not array:
            outcome, size = _object(source, result)
            return site.add(outcome, size, given, _foreign_dtype(result))
        size, got = result.nbytes, result.dtype
        return site.add(_arrays(numpy, source, result, fresh) if size else UNDECIDABLE, size, given, got)

    of_the_call = _references(classify, numpy)
    return classify


def _classifier_of_both(numpy: Any, torch: Any) -> Classify:
    words, array, memmap = memory_words(numpy), numpy.ndarray, numpy.memmap
    references, of_the_call = sys.getrefcount, 0
    values, own = (numpy.generic, *_VALUES), (array, numpy.generic)
    tensor, parameter = torch.Tensor, torch.nn.Parameter
    start, modes = storage_address(torch), torch._C._len_torch_function_stack
    known = {kind for kind in numpy.sctypeDict.values() if issubclass(kind, values)}.union(values)

    def classify(
        site: Any, source: Any, result: Any, alone: bool | None = None, modes: Callable[[], int] = modes
    ) -> Any:
        kind, given = type(result), type(source)
        if kind is array and given is not tensor and (given is array or given in known or issubclass(given, values)):
            size = result.nbytes
            outcome = _arrays(numpy, source, result, True) if size else UNDECIDABLE
            return site.add(outcome, size, source.dtype if issubclass(given, own) else None, result.dtype)
        if modes():  # the user's, who is not to see that somebody looks
            with torch._C.DisableTorchFunction():
                return classify(site, source, result, alone, int)
        within: Callable[[Any, int], bool] = _is_in_block
        try:
            if kind is tensor or kind is parameter:
                size, got = result.nbytes, result.dtype
                if given is array or given is memmap:
                    # what is made of an array is not a lazy clone: asking for its address changes nothing
                    low, taken = result.data_ptr(), source.dtype
                    at = address_of(source) if words is None else words[id(source) >> 3]
                elif source is result:
                    low, at, taken = size, size, got
                elif given is tensor or given is parameter:
                    low, at, taken = start(result), start(source), source.dtype
                    within = _is_first_element
                elif given in known or issubclass(given, values):
                    low, at, taken = size, NOWHERE, None
                else:
                    return related(site, source, result, alone)
            elif kind is array and (given is tensor or given is parameter):
                size, got, taken = result.nbytes, result.dtype, source.dtype
                low = address_of(result) if words is None else words[id(result) >> 3]
                # an array over a lazy clone has made it copy already; with a base it has not its own memory
                at = source.data_ptr() if result.base is not None else NOWHERE
            else:
                return related(site, source, result, alone)
            if not (size and low and at):
                outcome = UNDECIDABLE
            elif low == at or low < at < low + size or (at < low and within(source, low - at)):
                outcome = SHARED
            else:
                outcome = COPIED
        except (RuntimeError, TypeError, ValueError, NotImplementedError):  # no strides, no storage, no address
            return related(site, source, result, alone)
        cell = site.cell
        if id(taken) == cell.given and id(got) == cell.got and outcome is cell.outcome:  # as the call before
            cell.bytes += size
            return cell
        return site.add(outcome, size, taken, got)

    def related(site: Any, source: Any, result: Any, alone: bool | None) -> Any:
        if source is _PROBE:
            return references(result)
        fresh = references(result) <= of_the_call if alone is None else alone
        if answers_itself(source) or answers_itself(result):
            return site.add(UNDECIDABLE, 0, None, None)
        with torch._C.DisableTorchFunction():
            outcome, size = _related(torch, source, result, fresh)
            own = tensor, array, numpy.generic
            taken, got = (
                getattr(one, "dtype", None) if isinstance(one, own) else _foreign_dtype(one) for one in (source, result)
            )
            return site.add(outcome, size, taken, got)

    of_the_call = _references(classify, numpy)
    return classify


def answers_itself(obj: Any) -> bool:
    """Return True if an array or a tensor is of a class of the program's own that says what is asked of its memory.

    So may what an array is a view of. Its code would run once more than without the tool, so nothing is asked of it,
    and what became of its memory is not known.
    """
    numpy, torch = sys.modules["numpy"], loaded("torch")
    base_of = numpy.ndarray.base.__get__  # ``obj.base`` may be that code
    while issubclass(type(obj), numpy.ndarray):
        if _says(type(obj)):
            return True
        obj = base_of(obj)
    return torch is not None and issubclass(type(obj), torch.Tensor) and _says(type(obj))


def package_of(kind: type) -> str:
    """Return the package that a class is from; none for a class that ``np.ctypeslib`` makes: it has no module."""
    return str(kind.__module__ or "").partition(".")[0]


def _says(kind: type) -> bool:
    """Return True if a subclass of an array or a tensor, or one between them, has an attribute that is asked for."""
    for one in kind.__mro__:
        if package_of(one) in ("numpy", "torch"):
            break
        file = getattr(loaded(one.__module__), "__file__", None) or ""
        if not ASKED.isdisjoint(vars(one)) and not is_installed(file):
            return True
    return False


ASKED = frozenset(
    """
    __array_interface__ __class__ __getattribute__ _is_zerotensor _version base ctypes device dim dtype flags
    is_complex is_conj is_inference is_leaf is_meta is_mkldnn is_neg is_nested is_quantized itemsize layout nbytes
    ndim requires_grad shape storage_offset stride strides untyped_storage
    """.split()  # noqa: SIM905
)
"""Attributes of arrays and tensors that are asked for; ``test_a_subclass_is_asked_for_nothing`` has them all."""


def _is_in_block(source: Any, offset: int) -> bool:
    """Return True if the byte that lies ``offset`` behind the first of an array or tensor is surely one of its own.

    ``frombuffer`` begins anywhere in a contiguous source. Of any other, ``nbytes`` says nothing: that of a broadcast
    array reaches beyond its memory, to where a copy may lie.
    """
    contiguous = source.flags.forc if hasattr(source, "flags") else source.is_contiguous()
    return offset < source.nbytes and bool(contiguous)


def _is_first_element(tensor: Any, offset: int) -> bool:
    """Return True if a tensor's first element lies ``offset`` bytes behind the beginning of its storage.

    What DLPack makes of a tensor has a storage of its own, which begins there.
    """
    return bool(offset == tensor.storage_offset() * tensor.itemsize)


_PROBE = object()


def _references(classify: Classify, numpy: Any) -> int:
    """Return how many references to a call's result are those of the call, when ``classify`` is asked about it.

    If there are more, the result is not new: an object's ``__array__`` has given an array that something holds, as that
    of xarray does. How many there are depends on the version of Python, so they are counted.
    """
    result = numpy.empty(1)
    count: int = classify(None, _PROBE, result)
    return count


def _arrays(numpy: Any, source: Any, result: Any, fresh: bool) -> str:
    if source is result:
        return SHARED
    if result.base is not None and result.base is source:
        return SHARED
    if not issubclass(type(source), numpy.ndarray):
        plain = isinstance(source, (list, tuple, int, float, bool, complex, str, range, numpy.generic))
        return COPIED if plain else _foreign(source, result, fresh and has_own_memory(result))
    if result.base is None:
        return COPIED
    return SHARED if numpy.may_share_memory(source, result) else COPIED


def has_own_memory(array: Any) -> bool:
    """Return True if nobody holds the memory of an array but the array, or the views that it is a view of."""
    owner = _viewed(array)
    while owner is not None:
        if sys.getrefcount(owner) > _FROM_VIEW:
            return False
        array, owner = owner, _viewed(owner)
    return bool(array.flags.owndata)


def is_held_writable(array: Any) -> bool:
    """Return True if ``array`` is a view of one that may be written, and that something else holds, too."""
    owner = _viewed(array)
    while owner is not None:
        if owner.flags.writeable and sys.getrefcount(owner) > _FROM_VIEW:
            return True
        owner = _viewed(owner)
    return False


def owner_of(array: Any) -> Any:
    """Return the array that ``array`` is a view of, at last.

    ``memory.arrays.outermost`` stops at what ``as_strided`` puts in between, and imports NumPy, which a program may not
    have imported.
    """
    while (base := _viewed(array)) is not None:
        array = base
    return array


def _viewed(array: Any) -> Any:
    """Return the array that ``array`` is a view of, or None; ``as_strided`` puts an object of NumPy's in between."""
    base = array.base
    if type(base).__name__ == "DummyArray" and type(base).__module__.startswith("numpy.lib."):
        base = base.base
    return base if issubclass(type(base), sys.modules["numpy"].ndarray) else None


def exporter(array: Any) -> Any:
    """Return the object of another kind that an array has its memory of, e.g. a map; None if it is numpy's own."""
    return unwrapped(owner_of(array).base)


def unwrapped(obj: Any) -> Any:
    """Return what a memoryview shows; any other object as it is."""
    while isinstance(obj, memoryview):
        obj = obj.obj
    return obj


_FROM_VIEW = 3
"""References to the owner of a view that is passed: the view's, the local name's, and the one that counts them."""


def _foreign(source: Any, result: Any, own: bool) -> str:
    """Tell of an object of another library, which may say where its memory is; the result's ``own`` cannot be that.

    What an array of objects refers to is another's, and to ask for the objects again may make them again.
    """
    if getattr(result.dtype, "hasobject", False):
        return UNDECIDABLE
    if own:
        return COPIED
    from tensorbridge_cli.tracing.inside.sides import hands_out_copies, reached

    if hands_out_copies(source):
        return COPIED
    try:
        ours, theirs = reached(source), reached(result)
    except Exception:  # an object of the user's that cannot be asked is not a failure of the program
        return UNDECIDABLE
    return _compared(ours, theirs)


def _compared(ours: list[Span] | None, theirs: list[Span] | None) -> str:
    """Compare the bytes that two objects reach; undecidable if one of them reaches none, or does not tell."""
    bounds, others = ([span.bounds() for span in spans or () if span.nbytes] for spans in (ours, theirs))
    if not (bounds and others):
        return UNDECIDABLE
    return SHARED if any(a[0] < b[1] and b[0] < a[1] for a in bounds for b in others) else COPIED


def _object(source: Any, result: Any) -> tuple[str, int]:
    """Tell of a result that is an object of another library of the catalogue, with its bytes."""
    from tensorbridge_cli.tracing.inside.sides import carrier, reached

    if carrier(result) is None:
        return UNDECIDABLE, 0
    try:
        # no property, which is a library's Python: that of a pandas.Categorical may warn
        tells = isinstance(getattr(type(result), "nbytes", None), GetSetDescriptorType)
        size = int(result.nbytes) if tells else 0
        if isinstance(source, _VALUES):
            size = size or sum(span.nbytes for span in reached(result) or ())
            return (COPIED if size else UNDECIDABLE), size
        if getattr(getattr(source, "dtype", None), "kind", None) in tuple("OUST"):  # texts and objects are made anew
            return UNDECIDABLE, size
        theirs = reached(result)
        outcome = _compared(reached(source), theirs) if theirs else UNDECIDABLE
    except Exception:  # an object that cannot be looked at is not a failure of the program
        return UNDECIDABLE, 0
    return outcome, size or sum(span.nbytes for span in theirs or ())


def _foreign_dtype(obj: Any) -> Foreign | None:
    """Return the dtype of an object of another library; None if it has none."""
    if obj is None or isinstance(obj, _VALUES):
        return None
    from tensorbridge_cli.tracing.inside.sides import dtype_of

    dtype = dtype_of(obj)
    return None if dtype is None else Foreign(f"{type(obj).__module__}.{type(obj).__qualname__}", dtype)


def _related(torch: Any, source: Any, result: Any, fresh: bool) -> tuple[str, int]:
    """Tell of subclasses, sparse and nested tensors, containers and whatever else, with the laboratory's code.

    ``fresh``: nobody but the call holds the result.
    """
    size = sum(int(getattr(part, "nbytes", 0)) for part in leaves(torch, result))
    try:
        if isinstance(result, (list, tuple, dict)):
            return (COPIED if size else UNDECIDABLE), size
        array = sys.modules["numpy"].ndarray
        if not issubclass(type(result), (torch.Tensor, array)):
            return _object(source, result)
        if size and not issubclass(type(source), (torch.Tensor, array)):
            if type(result) is array:
                return _foreign(source, result, fresh and has_own_memory(result)), size
            if type(result) is torch.Tensor and result.layout is torch.strided and result.device.type == "cpu":
                # memory that torch allocated can be resized; what it was given by another library cannot
                return _foreign(source, result, bool(is_resizable(result.untyped_storage()))), size
        from tensorbridge_cli.memory.relation import relation  # a twentieth of a second, which few programs need

        compared = relation(source, result)
    except Exception:  # an object of the user's that cannot be looked at is not a failure of the program
        return UNDECIDABLE, size
    if compared.overlaps is None or not size:
        return UNDECIDABLE, size
    return (SHARED if compared.overlaps or compared.same_storage else COPIED), size


def leaves(torch: Any, obj: Any) -> Iterable[Any]:
    """Yield the arrays and tensors in nested containers that may be asked; in a sparse or nested tensor, its parts."""
    if isinstance(obj, dict):
        for value in obj.values():
            yield from leaves(torch, value)
    elif isinstance(obj, (list, tuple)):
        for value in obj:
            yield from leaves(torch, value)
    elif type(obj) is torch.Tensor and obj.layout is torch.strided and not obj.is_nested:
        yield obj
    elif answers_itself(obj):
        return
    elif issubclass(type(obj), torch.Tensor):
        from tensorbridge_cli.memory.parts import parts

        yield from (part for _, part in parts(obj))
    elif hasattr(obj, "__array_interface__"):
        yield obj
