"""Counting in C and counting in Python: the same calls, counted alike, and what is called looks like the original."""

import gc
import inspect
import os
import pickle
import pkgutil
import pydoc
import sys
import threading
import traceback
import types
import typing
import warnings
import weakref
from collections import Counter
from contextlib import suppress
from copy import deepcopy

import numpy as np
import psutil
import pytest
import torch
from numpy.testing.overrides import get_overridable_numpy_array_functions
from torch.overrides import TorchFunctionMode

from tensorbridge_cli.tracing import launch
from tensorbridge_cli.tracing.inside import counting
from tensorbridge_cli.tracing.inside.classify import classifier, name_of
from tensorbridge_cli.tracing.inside.recorder import Recorder
from tensorbridge_cli.tracing.inside.records import Hook

needs_the_compiled_part = pytest.mark.skipif(not counting.is_compiled(), reason="the compiled part was not built")


@pytest.fixture(params=[pytest.param(True, marks=needs_the_compiled_part), False], ids=["compiled", "python"])
def recorder(request, monkeypatch):
    if not request.param:
        in_python(monkeypatch)
    found = Recorder(lambda file: file == __file__, 4)
    found.classify, found.closer = classifier(np, torch), []
    found.study = lambda *call: found.closer.append(call)
    counting.learn(found, np, torch)
    yield found
    found.leave()


def in_python(monkeypatch):
    for asked in ("counts", "wraps"):
        monkeypatch.setattr(counting, asked, lambda original: False)


HOOKS = {path: hook for hook in launch.hooks() for path in hook.paths}


def of(recorder, path):
    owner = {"torch": torch, "numpy": np}[path.partition(".")[0]]
    for name in path.split(".")[1:]:
        owner = getattr(owner, name)
    return recorder.stand_in(owner, HOOKS.get(path, Hook(path, (path,))))


def counted(recorder):
    return sorted(
        (site.conversion, cell.outcome, cell.calls, cell.bytes, str(name_of(cell.given)), str(name_of(cell.got)))
        for site in recorder.sites()
        for cell in site.cells.values()
    )


class Float(np.float64):
    """A scalar of a class of the program's own."""


A = np.arange(6.0)
T = torch.arange(6.0)
PAIRS = {
    "torch.from_numpy": [(A,), (A[::2],), (A[2:].astype("f4"),), (np.zeros(0),)],
    "torch.as_tensor": [(A,), (T,), ([1.0, 2.0],), (3,), (np.float32(2),), (T.to_sparse(),)],
    "torch.tensor": [
        (A,),
        ([1.0],),
        (True,),
        (np.broadcast_to(A, (9, 6)),),
        (np.float64(2),),
        (Float(2),),
        (np.True_,),
    ],
    "torch.from_dlpack": [(T,), (T[5],), (T.expand(9, 6),)],
    "numpy.asarray": [(A,), (A[::-1],), ([1, 2],), (T,), (T[1:],), (2.5,), (np.int8(2),), (memoryview(A),), ([],)],
    "numpy.array": [(A,), (A[::2],), ((1, 2),)],
    "torch.Tensor.numpy": [(T,), (T[::2],), (torch.ones(0),), (torch.nn.Parameter(T).detach(),)],
    "torch.Tensor.clone": [(T,), (torch.nn.Parameter(T),), (T.to_sparse(),), (T.to("meta"),)],
    "torch.Tensor.reshape": [(T, 2, 3), (T.reshape(2, 3).t(), 6)],
    "torch.Tensor.contiguous": [(T,), (T.reshape(2, 3).t(),)],
    "torch.Tensor.to": [(T, torch.float64), (T, torch.float32)],
}


@pytest.mark.parametrize("path", PAIRS)
def test_both_count_the_same_as_a_look_at_each_call_says(recorder, path):
    stand_in, inspected, classify = of(recorder, path), Recorder(lambda file: True, 4), classifier(np, torch)
    site = inspected.site(sys._getframe(), HOOKS[path].conversion)
    for arguments in PAIRS[path]:
        for _ in range(3):  # the first is looked at in Python, the others are as the one before
            result = stand_in(*arguments)
            classify(site, arguments[0], result).calls += 1
    assert counted(recorder) == counted(inspected)
    assert recorder.unrecorded == 0


def dtypes():
    for dtype in {one for one in vars(torch).values() if isinstance(one, torch.dtype)}:
        with suppress(RuntimeError, TypeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of quantized dtypes
            yield torch.as_tensor([1], dtype=dtype).dtype


DTYPES = [*dtypes()]


def test_dtypes_are_told_apart(recorder):
    path = "torch.as_tensor"
    stand_in, inspected, classify = of(recorder, path), Recorder(lambda file: True, 4), classifier(np, torch)
    site = inspected.site(sys._getframe(), HOOKS[path].conversion)
    for dtype in DTYPES * 3:
        classify(site, [1], stand_in([1], dtype=dtype)).calls += 1
    assert counted(recorder) == counted(inspected)
    assert {torch.int8, torch.uint8, torch.bool, torch.float16, torch.bfloat16} < {*DTYPES}


@pytest.mark.parametrize("path", ["torch.Tensor.clone", "torch.Tensor.to"])
def test_a_lazy_clone_stays_one(recorder, path):
    stand_in = of(recorder, path)
    for _ in range(3):
        clone = torch._lazy_clone(T)
        stand_in(clone, *([torch.float32] if path.endswith("to") else []))
        assert torch._C._is_cow_tensor(clone)


def test_each_instruction_and_each_variant_is_a_site_of_its_own(recorder):
    recorder.study = lambda *call: None
    asarray, from_numpy = of(recorder, "numpy.asarray"), of(recorder, "torch.from_numpy")
    for _ in range(5):
        from_numpy(A), from_numpy(A)
    for copy in (True, False, None, True):
        asarray(A, copy=copy)
    for function in (from_numpy, asarray):
        function(A)
    named = Counter(HOOKS["numpy.asarray"].named({"copy": copy}) for copy in (True, False, None, True))
    assert sorted((site.conversion, calls(site)) for site in recorder.sites()) == sorted(
        [("torch.from_numpy", 5)] * 2 + list(named.items()) + [("torch.from_numpy", 1), ("np.asarray", 1)]
    )
    assert len(named) > 1


def calls(site):
    return sum(cell.calls for cell in site.cells.values())


def test_a_call_that_raises_is_counted_and_raises_the_same(recorder):
    from_numpy = of(recorder, "torch.from_numpy")
    for _ in range(3):
        with pytest.raises(TypeError, match="expected np") as raised:
            from_numpy(3)
    assert counted(recorder) == [("torch.from_numpy", "refused", 3, 0, "None", "None")]
    assert [frame.name for frame in traceback.extract_tb(raised.tb)] == [sys._getframe().f_code.co_name]


def test_the_source_is_found_by_its_keyword(recorder):
    as_tensor = of(recorder, "torch.as_tensor")
    as_tensor(data=A)
    as_tensor(dtype=torch.float64, data=A)
    assert counted(recorder) == [("torch.as_tensor", "shared", 1, 48, "float64", "float64")] * 2


def test_a_failure_of_the_look_is_not_the_programs(recorder):
    from_numpy = of(recorder, "torch.from_numpy")

    def fails(*call):
        raise ZeroDivisionError

    recorder.study = fails
    for _ in range(100):
        assert from_numpy(A).shape == (6,)
    assert recorder.unrecorded > 16
    assert counted(recorder) == [("torch.from_numpy", "shared", 100, 4800, "float64", "float64")]


def test_a_stop_during_the_look_stops_the_program(recorder):
    from_numpy = of(recorder, "torch.from_numpy")

    def stops(*call):
        raise KeyboardInterrupt

    recorder.study = stops
    with pytest.raises(KeyboardInterrupt):
        from_numpy(A)
    assert recorder.busy() is None


def test_what_a_conversion_calls_is_a_part_of_it(recorder):
    asarray, numpy_ = of(recorder, "numpy.asarray"), of(recorder, "torch.Tensor.numpy")

    class Holds:
        def __array__(self, dtype=None, copy=None):
            return in_a_library(numpy_, T)

    asarray(Holds())
    in_a_library(numpy_, T)
    assert [conversion for conversion, *_ in counted(recorder)] == ["Tensor.numpy", "np.asarray"]
    assert [site.via.rpartition(":")[0] for site in recorder.sites()] == ["", "library.py"]


class Mode(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class Indirect(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return self.passed(function, args, kwargs or {})

    def passed(self, function, args, kwargs):
        return function(*args, **kwargs)


class Changed(TorchFunctionMode):
    """Gives the function another source, and makes a conversion of its own."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        np.copy(A)
        return function(args[0] + 1, *args[1:], **(kwargs or {}))


PASSED_ON = {"torch.tensor": A, "torch.as_tensor": A, "torch.Tensor.numpy": T, "torch.Tensor.__array__": T}


@pytest.mark.parametrize("mode", [Mode, Indirect, Changed, lambda: torch.device("cpu")])
@pytest.mark.parametrize("path", PASSED_ON)
def test_a_call_that_a_mode_passes_on_is_counted_once(recorder, path, mode, monkeypatch):
    function, _ = of(recorder, path), of(recorder, "numpy.copy")
    monkeypatch.setattr(path, function)  # where torch looks for what it gives to the mode
    with mode():
        for _ in range(3):
            function(PASSED_ON[path])
    function(PASSED_ON[path])
    converted = [site for site in recorder.sites() if site.cells and site.conversion != "np.copy"]
    assert [calls(site) for site in converted] == [3, 1]
    code = sys._getframe().f_code  # Python 3.10 has no qualified names
    assert {site.function for site in converted} == {getattr(code, "co_qualname", code.co_name)}


class Wraps(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return function([T] if function == torch.stack else T, *args[1:], **(kwargs or {}))

    def __array_function__(self, function, types, args, kwargs):
        return function(A, *args[1:], **kwargs)


@pytest.mark.parametrize("path", ["torch.Tensor.numpy", "torch.stack", "numpy.copy"])
def test_a_call_that_an_object_passes_on_is_counted_once(recorder, path, monkeypatch):
    function = of(recorder, path)
    monkeypatch.setattr(path, function)
    wraps = torch.zeros(6).as_subclass(Wraps)
    function([wraps] if path == "torch.stack" else wraps)
    assert recorder.calls() == 1


def test_a_call_that_a_library_makes_in_a_mode_is_counted_once(recorder):
    collate, as_tensor = of(recorder, "torch.utils.data.default_collate"), of(recorder, "torch.as_tensor")
    with Mode():
        in_a_library(collate, [A, A])
        in_a_library(as_tensor, A)
    assert [(site.conversion, calls(site)) for site in recorder.sites()] == [
        ("torch.utils.data.default_collate", 1),
        ("torch.as_tensor", 1),
    ]


LIBRARY = {}
exec(compile("def call(function, argument):\n    return function(argument)", "library.py", "exec"), LIBRARY)
in_a_library = LIBRARY["call"]


def test_what_the_look_converts_is_not_counted(recorder):
    from_numpy = of(recorder, "torch.from_numpy")
    recorder.study = lambda *call: from_numpy(A)
    from_numpy(A)
    assert recorder.calls() == 1


def test_nothing_is_counted_in_a_pause_and_after_the_end(recorder):
    from_numpy = of(recorder, "torch.from_numpy")
    recorder.paused = True
    from_numpy(A)
    recorder.paused = False
    from_numpy(A)
    recorder.end()
    from_numpy(A)
    assert recorder.calls() == 1


def test_of_many_calls_the_first_and_every_power_of_two_are_looked_at(recorder):
    from_numpy = of(recorder, "torch.from_numpy")
    for _ in range(1000):
        from_numpy(A)
    [cell] = next(recorder.sites()).cells.values()
    assert (cell.calls, cell.inspected) == (1000, 16 + 5)
    assert cell.seconds > 0
    assert len(recorder.closer) == cell.inspected


def test_who_else_holds_the_source_is_told(recorder):
    tensor, a, told = of(recorder, "torch.tensor"), np.ones(3), []
    recorder.study = lambda *call: told.append(call[-1])
    tensor(np.ones(3))
    tensor(a)
    b = a
    tensor(a)
    assert b is a
    assert told == [0, 1, 2]


def test_threads_count_each_for_itself(recorder):
    from_numpy, start = of(recorder, "torch.from_numpy"), threading.Barrier(4)

    def work():
        start.wait()
        for _ in range(500):
            from_numpy(A)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.calls() == 2000
    assert len(list(recorder.sites())) == 4


def test_a_generator_and_a_call_from_c(recorder):
    from_numpy = of(recorder, "torch.from_numpy")
    assert len([*map(from_numpy, [A, A]), *(from_numpy(a) for a in [A])]) == 3
    assert recorder.calls() == 3


def test_a_fork_begins_anew(recorder):
    from_numpy = of(recorder, "torch.from_numpy")
    from_numpy(A)
    child = os.fork()
    if child == 0:
        recorder.forget()
        from_numpy(A)
        from_numpy(A)
        os._exit(recorder.calls())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert recorder.calls() == 1


def test_more_instructions_than_are_held_at_once(recorder, monkeypatch):
    monkeypatch.setattr("tensorbridge_cli.tracing.inside.recorder.SITES", 50)
    from_numpy = of(recorder, "torch.from_numpy")
    for number in range(130):
        exec(compile("from_numpy(A)", f"<{number}>", "exec"), {"from_numpy": from_numpy, "A": A, "__file__": __file__})
    assert recorder.calls() == 130
    assert len(recorder.local.table.codes) <= 50


LOOKED_AT = [
    "torch.from_numpy",
    "torch.tensor",
    "numpy.asarray",
    "numpy.copy",
    "torch.Tensor.numpy",
    "torch.Tensor.tolist",
]


@pytest.mark.parametrize("path", LOOKED_AT)
def test_it_looks_like_the_original(path, monkeypatch):
    in_python(monkeypatch)
    stand_in = of(Recorder(lambda file: True, 4), path)
    original = pkgutil.resolve_name(path)
    monkeypatch.setattr(path, stand_in)
    assert stand_in == original
    assert original == stand_in
    assert (stand_in != original, stand_in == len, hash(stand_in)) == (False, False, hash(original))
    assert {original: 1}[stand_in] == 1
    assert isinstance(stand_in, type(original))
    assert type(stand_in).__name__ == type(original).__name__
    for name in ("__name__", "__qualname__", "__doc__", "__class__"):
        assert getattr(stand_in, name) == getattr(original, name)
    assert hasattr(stand_in, "__wrapped__") == hasattr(original, "__wrapped__")
    assert stand_in.__sizeof__() == original.__sizeof__()
    assert repr(stand_in) == repr(original)
    assert pydoc.render_doc(stand_in) == pydoc.render_doc(original)
    for tells in (inspect.isbuiltin, inspect.isroutine, inspect.ismethoddescriptor, inspect.getdoc):
        assert tells(stand_in) == tells(original)
    assert weakref.ref(stand_in)() is stand_in
    if path == "numpy.copy":
        stand_in.anything = 1
        assert original.anything == 1
        del stand_in.anything
        assert not hasattr(original, "anything")
    else:
        with pytest.raises(AttributeError, match="has no attribute 'anything'"):
            stand_in.anything = 1
    pickled = pickle.dumps(stand_in)
    monkeypatch.undo()
    assert pickled == pickle.dumps(original)


@needs_the_compiled_part
@pytest.mark.parametrize("path", LOOKED_AT)
def test_it_is_the_original(path):
    original, source = pkgutil.resolve_name(path), T if "Tensor" in path else A
    recorder, told = Recorder(lambda file: True, 4), facts(original)
    assert of(recorder, path) is original
    assert facts(original) == told
    original(source)
    assert recorder.calls() == 1
    recorder.leave()
    assert facts(original) == told
    original(source)
    assert recorder.calls() == 1


@needs_the_compiled_part
def test_a_function_in_a_set_is_found_while_it_is_counted_and_afterwards(recorder):
    tensor = torch.ones(2)
    paths = ["torch.from_numpy", "numpy.asarray", "torch.Tensor.clone"]
    functions = {pkgutil.resolve_name(path) for path in paths} | {tensor.clone}
    assert np.asarray in get_overridable_numpy_array_functions()
    for path in paths:
        of(recorder, path)
    assert {torch.from_numpy, np.asarray, torch.Tensor.clone, tensor.clone} == functions
    assert (tensor.clone == tensor.detach, tensor.clone == torch.ones(2).clone) == (False, False)
    assert np.asarray != np.asanyarray
    assert np.asarray in get_overridable_numpy_array_functions()
    functions = {torch.from_numpy, np.asarray, torch.Tensor.clone, tensor.clone}
    recorder.leave()
    assert {torch.from_numpy, np.asarray, torch.Tensor.clone, tensor.clone} == functions


@needs_the_compiled_part
@pytest.mark.parametrize("path", ["torch.utils.data.default_collate", "torch.Tensor.__array__", "torch.from_dlpack"])
def test_a_wrapper_is_like_its_function(path, monkeypatch):
    original = pkgutil.resolve_name(path)
    wrapper = Recorder(lambda file: True, 4).stand_in(original, HOOKS[path])
    told = facts(original)
    monkeypatch.setattr(original.__module__ + "." + original.__qualname__, wrapper)
    assert wrapper is not original
    assert facts(wrapper) == told
    for tells in (inspect.getfile, inspect.getsource, inspect.signature, inspect.getfullargspec, inspect.isfunction):
        assert tells(wrapper) == tells(original)
    for name in (
        "__code__",
        "__defaults__",
        "__kwdefaults__",
        "__globals__",
        "__dict__",
        "__annotations__",
        "__class__",
    ):
        assert getattr(wrapper, name) == getattr(original, name)
    assert not hasattr(wrapper, "__wrapped__")
    assert wrapper == original
    assert (hash(wrapper), {original: 1}[wrapper]) == (hash(original), 1)
    assert deepcopy(wrapper) is wrapper
    assert typing.get_type_hints(wrapper) == typing.get_type_hints(original)
    wrapper.anything = 3
    assert original.anything == 3
    del wrapper.anything
    assert not hasattr(original, "anything")


def facts(function):
    return (
        function.__class__,
        repr(function),
        function.__doc__,
        getattr(function, "__text_signature__", None),
        sorted(dir(function)),
        pickle.dumps(function),
        pydoc.render_doc(function),
        function.__sizeof__(),
    )


@needs_the_compiled_part
def test_a_bound_method_is_a_builtin_one():
    recorder = Recorder(lambda file: True, 4)
    original, bare = torch.Tensor.numpy, T.numpy
    stand_in = of(recorder, "torch.Tensor.numpy")
    bound = stand_in.__get__(T)
    assert type(bound) is type(bare) is types.BuiltinMethodType
    assert bound.__self__ is T
    assert repr(bound) == repr(bare)
    assert (bound.__name__, bound.__qualname__, bound.__doc__) == (bare.__name__, bare.__qualname__, bare.__doc__)
    assert bound.__reduce__() == bare.__reduce__()
    assert bound == stand_in.__get__(T)
    assert stand_in.__get__(None, torch.Tensor) is stand_in
    assert type(stand_in).__flags__ & 1 << 17  # Py_TPFLAGS_METHOD_DESCRIPTOR: a call makes no bound method
    for wrong in (original, stand_in):
        with pytest.raises(TypeError, match="doesn't apply to a 'int' object"):
            wrong.__get__(3)
    bound()
    bound(force=True)
    many = {f"unknown{number}": number for number in range(20)}
    with pytest.raises(TypeError):
        bound(**many)
    assert recorder.calls() == 3


@needs_the_compiled_part
def test_warnings_and_frames_are_those_of_the_caller():
    recorder = Recorder(lambda file: True, 4)
    asarray = of(recorder, "numpy.asarray")

    class Warns:
        def __array__(self, dtype=None, copy=None):
            warnings.warn("mine", stacklevel=2)
            frames.extend(frame.function for frame in inspect.stack(0)[:2])
            return np.ones(1)

    frames = []
    with pytest.warns(UserWarning, match="mine") as shown:
        asarray(Warns())
    assert shown[0].filename == __file__
    assert frames == ["__array__", sys._getframe().f_code.co_name]


@needs_the_compiled_part
@pytest.mark.parametrize("path", ["torch.from_numpy", "torch.Tensor.numpy"])
def test_it_is_collected_with_what_it_counts(path):
    recorder = Recorder(lambda file: True, 4)
    stand_in = of(recorder, path)
    bound = stand_in.__get__(T) if hasattr(stand_in, "__get__") else None
    stand_in(T if bound else A)
    end = weakref.ref(recorder)
    recorder.keeps = bound, recorder
    del recorder
    gc.collect()
    assert end() is None
    assert stand_in(T if bound else A).shape == (6,)
    assert bound is None or bound().shape == (6,)


@needs_the_compiled_part
def test_of_two_recorders_each_counts_until_it_leaves():
    first, second = Recorder(lambda file: True, 4), Recorder(lambda file: True, 4)
    from_numpy = of(first, "torch.from_numpy")
    assert of(second, "torch.from_numpy") is from_numpy
    from_numpy(A)
    first.leave()
    from_numpy(A)
    second.leave()
    from_numpy(A)
    assert (first.calls(), second.calls()) == (1, 2)


@needs_the_compiled_part
def test_who_leaves_during_a_call_may():
    recorder = Recorder(lambda file: True, 4)
    asarray = of(recorder, "numpy.asarray")

    class Leaves:
        def __array__(self, dtype=None, copy=None):
            recorder.leave()
            gc.collect()
            return A

    assert asarray(Leaves()) is A


@needs_the_compiled_part
def test_nobody_who_traces_is_told_of_it():
    recorder, told = Recorder(lambda file: True, 4), []
    from_numpy = of(recorder, "torch.from_numpy")
    sys.setprofile(lambda frame, event, argument: told.append((frame.f_code.co_name, event, argument)))
    from_numpy(A)
    sys.setprofile(None)
    here = sys._getframe().f_code.co_name
    assert told == [
        (here, "c_call", from_numpy),
        (here, "c_return", from_numpy),
        (here, "c_call", sys.setprofile),
    ]
    assert recorder.calls() == 1


def test_what_numpy_does_with_its_own_functions_is_not_counted(recorder):
    asarray = of(recorder, "numpy.asarray")
    np.mean([1.0, 2.0])
    np.average(A)
    np.ma.masked_array([1.0])
    asarray(A)
    assert recorder.calls() == 1


@needs_the_compiled_part
def test_many_calls_keep_nothing():
    recorder = Recorder(lambda file: True, 4)
    recorder.classify, recorder.study = classifier(np, torch), lambda *call: None
    counting.learn(recorder, np, torch)
    from_numpy, method = of(recorder, "torch.from_numpy"), of(recorder, "torch.Tensor.numpy")
    numpy_ = method.__get__(T)
    held = A, T, A.dtype, T.dtype, recorder, from_numpy, numpy_, recorder.local.table, recorder.classify

    def call(times):
        for _ in range(times):
            from_numpy(A)
            numpy_()
            with suppress(TypeError):
                from_numpy(dtype=3)

    call(1000)
    memory, references = psutil.Process().memory_info().rss, [sys.getrefcount(one) for one in held]
    call(100_000)
    assert [sys.getrefcount(one) for one in held] == references
    assert psutil.Process().memory_info().rss - memory < 4_000_000
    assert recorder.calls() == 303_000


def test_no_dtype_is_kept(recorder):
    """A dtype may hold objects of the program's, and numpy's own tests count the references to one."""
    plain = np.dtype("i4")

    def convert(asarray, from_numpy):
        class Held:
            dtype = np.dtype("i4")

            def __array__(self, dtype=None, copy=None):
                return np.ones(2)

        for _ in range(20):
            asarray(np.ones(2, np.dtype("i4", metadata={"held": Held})))
            asarray(Held())
            from_numpy(np.ones(2, "i4"))
        return weakref.ref(Held)

    def kept(asarray, from_numpy):
        before = sys.getrefcount(plain)
        gone = convert(asarray, from_numpy)
        gc.collect()
        return gone(), sys.getrefcount(plain) - before

    recorder.study = lambda *call: None
    kept(np.asarray, torch.from_numpy)  # what NumPy itself keeps from the first time on
    assert kept(of(recorder, "numpy.asarray"), of(recorder, "torch.from_numpy")) == (None, 0)
    names = {name_of(cell.given) for site in recorder.sites() for cell in site.cells.values()}
    assert names == {"int32"}


@needs_the_compiled_part
def test_what_it_is_made_of_is_checked():
    recorder = Recorder(lambda file: True, 4)
    with pytest.raises(TypeError, match="not written in Python"):
        counting.stand_in(recorder, print_nothing, HOOKS["torch.from_numpy"])
    with pytest.raises(TypeError, match="no known form"):
        counting.stand_in(recorder, len, Hook("", (), variants=((1, 2, 3),)))
    with pytest.raises(AttributeError):
        counting.stand_in(recorder, len, None)


def print_nothing():
    """Is written in Python."""
