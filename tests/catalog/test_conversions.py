"""The registry: what is in it, under which names it is found, and that everything in it can be run."""

import ast
import pkgutil
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tensorbridge_cli.catalog import registry as catalogue
from tensorbridge_cli.catalog.documentation import address
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.catalog.hooks import (
    ALSO,
    FROM_A_PLUGIN,
    ComposedOf,
    InterceptedAt,
    MonitoredMethod,
    NoHook,
)
from tensorbridge_cli.catalog.registry import (
    CONVERSIONS,
    absent,
    classic,
    find,
    group,
    groups,
    named,
    register,
    variants,
)
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Direction, Library, Values
from tensorbridge_cli.records.report import NotApplicable
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import proved
from tests.tools import experiment, found, started, subject

NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON
WAYS = [Direction.NUMPY_TO_TORCH, Direction.TORCH_TO_NUMPY, Direction.TORCH_TO_TORCH, Direction.NUMPY_TO_NUMPY]


def ids(entry):
    return entry.name


def test_names_are_unique_however_they_are_typed():
    spelled = [entry.name.replace(" ", "") for entry in CONVERSIONS]
    assert len(set(spelled)) == len(spelled)


@pytest.mark.parametrize("entry", CONVERSIONS, ids=ids)
def test_an_entry_is_complete(entry):
    assert address(entry.page).startswith("https://")
    assert entry.sources
    code = ast.parse(entry.code, mode="eval")
    assert "x" in {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    ast.parse(entry.setup)
    if entry.code_with_dtype is not None:
        with_dtype = ast.parse(entry.code_with_dtype, mode="eval")
        assert {"x", "dtype"} <= {node.id for node in ast.walk(with_dtype) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("entry", CONVERSIONS, ids=ids)
def test_the_copy_keyword_of_the_call_is_the_one_in_the_name(entry):
    if entry.name == "ndarray.astype(copy=False)":
        assert entry.copy is None  # there it means "where it can": a copy is no breach of it
        return
    for copy in (True, False):
        assert (f"copy={copy}" in entry.name) == (f"copy={copy}" in entry.code) == (entry.copy is copy)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (
            {"rules": None},
            "torch.from_numpy has no rules: write rules=() if its page promises nothing that can",
        ),
        (
            {"hook": None},
            "torch.from_numpy has no hook: say where trace sees its calls, or why it does not (NoHook).",
        ),
        (
            {"page": "https://example.org"},
            "torch.from_numpy cites https://example.org, which is on none of the SITES",
        ),
    ],
)
def test_an_entry_that_lacks_something_is_refused(missing, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        catalogue.rules_of([*CONVERSIONS, replace(named("from_numpy"), **missing)])


def test_a_rule_without_a_page_cites_that_of_its_conversion():
    entry = named("from_numpy")
    assert {rule.page for rule in entry.rules} == {entry.page}
    assert {rule.page for rule in named("torch.as_tensor").rules} == {named("torch.as_tensor").page, entry.page}


@pytest.mark.parametrize("entry", CONVERSIONS, ids=ids)
def test_it_is_found_under_its_name(entry):
    assert named(entry.name) is entry
    assert named(f" {entry.name.replace(' ', '')} ") is entry


@pytest.mark.parametrize("entry", [entry for entry in CONVERSIONS if entry.target is not Library.JAX], ids=ids)
def test_the_installed_versions_have_it(entry):
    assert absent(entry) is None


def test_the_installed_version_of_jax_has_it():
    """In a process of its own: JAX sets environment variables when it is imported."""
    code = (
        "from tensorbridge_cli.catalog import registry\n"
        "print([registry.absent(entry) for entry in registry.conversions() if entry.target == 'jax'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) == {None}


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ("torch.no_such_thing", " has no torch.no_such_thing"),
        ("torch.no.such.thing", " has no torch.no.such.thing"),
        ("np.copy(device=)", "np.copy has no argument device= in numpy "),
        ("torch.from_dlpack(order=)", "torch.from_dlpack has no argument order= in torch "),
        # a built-in may take what it does not document: np.asanyarray of NumPy 2.1 takes copy=
        ("torch.as_tensor(order=)", "torch.as_tensor documents no argument order= in torch "),
    ],
)
def test_what_an_installed_version_lacks_is_absent_with_the_reason(needs, reason):
    said = absent(replace(CONVERSIONS[0], needs=needs))
    assert said is not None
    assert reason in said


@pytest.mark.parametrize("direction", WAYS)
def test_every_entry_returns_an_object_to_compare(direction):
    source = subject(Library(direction.partition("-")[0]))
    entries = [c for c in CONVERSIONS if direction in {c.direction(library) for library in c.sources}]
    with started() as lab:
        rows = found(lab, [experiment(c.code, source, setup=c.setup) for c in entries])
    assert len(rows) > 15
    for entry, row in zip(entries, rows, strict=True):
        assert not isinstance(row, NotApplicable), entry.name
        assert row.crash is None, entry.name
        assert row.error is not None or row.result is not None, entry.name


# Names ------------------------------------------------------------------------------------------


def test_the_classic_four():
    assert [entry.name for entry in classic()] == [
        "Tensor.numpy",
        "torch.from_numpy",
        "torch.as_tensor",
        "torch.tensor",
    ]


def test_groups():
    assert groups()[0] == "classic"
    assert groups()[-1] == "all"
    assert group("all") == CONVERSIONS
    assert group("Classic") == classic()
    assert {entry.name for entry in group("dlpack")} >= {"torch.from_dlpack", "np.from_dlpack(copy=False)"}
    with pytest.raises(RequestError, match="dlpack"):
        group("dlpak")


@pytest.mark.parametrize(
    ("text", "library", "name"),
    [
        ("numpy", None, "Tensor.numpy"),
        ("from_numpy", None, "torch.from_numpy"),
        ("as_tensor", None, "torch.as_tensor"),
        ("tensor", None, "torch.tensor"),
        ("tensor", TORCH, "torch.tensor"),
        ("torch.Tensor", None, "torch.Tensor"),
        ("From_Numpy", None, "torch.from_numpy"),
        ("torch.Tensor.numpy", None, "Tensor.numpy"),
        ("torch.tensor.numpy", None, "Tensor.numpy"),
        ("numpy.asarray", None, "np.asarray"),
        ("numpy.ndarray.copy", None, "ndarray.copy"),
        ("detach().numpy()", None, "Tensor.detach().numpy()"),
        ("asarray", NUMPY, "torch.asarray"),
        ("asarray", TORCH, "np.asarray"),
        ("asarray", PYTHON, "torch.asarray"),
        ("from_dlpack", NUMPY, "torch.from_dlpack"),
        ("from_dlpack", TORCH, "np.from_dlpack"),
        ("asarray(copy=False)", NUMPY, "torch.asarray(copy=False)"),
        ("view", NUMPY, "ndarray.view"),
        ("view", TORCH, "Tensor.view"),
    ],
)
def test_a_name_means_one_entry(text, library, name):
    assert named(text, library).name == name


@pytest.mark.parametrize(
    ("direction", "name"),
    [
        (Direction.NUMPY_TO_TORCH, "torch.asarray"),
        (Direction.TORCH_TO_TORCH, "torch.asarray"),
        (Direction.TORCH_TO_NUMPY, "np.asarray"),
        (Direction.NUMPY_TO_NUMPY, "np.asarray"),
    ],
)
def test_the_direction_decides(direction, name):
    assert named("asarray", None, direction).name == name


@pytest.mark.parametrize("text", ["asarray", "from_dlpack", "from_dlpack(copy=True)", "view"])
def test_a_name_that_means_several_is_refused_with_them(text):
    with pytest.raises(RequestError, match=r"is ambiguous: use .+ or .+, or specify --direction"):
        named(text)


def test_an_unknown_name_is_refused_with_the_closest():
    with pytest.raises(RequestError, match="from_numpy"):
        named("from_nunpy")


def test_an_entry_goes_each_way_of_its_sources():
    entry = Conversion(name="f", sources=(NUMPY, TORCH), target=TORCH, code="f(x)", page="https://example.org")
    assert [entry.direction(source) for source in entry.sources] == ["numpy-to-torch", "torch-to-torch"]


HOOKED = {entry.name: entry.hook for entry in CONVERSIONS} | dict(ALSO)


@pytest.mark.parametrize("entry", CONVERSIONS, ids=lambda entry: entry.name)
def test_every_entry_has_a_hook_or_a_reason_why_not(entry):
    hook = entry.hook
    assert hook not in (None, FROM_A_PLUGIN), "give it a hook=, or NoHook with the reason"
    if isinstance(hook, InterceptedAt):
        for path in (hook.path, *hook.also):
            named = pkgutil.resolve_name(path)
            assert callable(named.fget if isinstance(named, property) else named)
    elif isinstance(hook, ComposedOf):
        assert all(isinstance(HOOKED[name], InterceptedAt | MonitoredMethod) for name in hook.conversions)
    elif isinstance(hook, MonitoredMethod):
        assert callable(getattr(np.ndarray, hook.method))
    else:
        assert isinstance(hook, NoHook)
        assert hook.why


def test_only_what_a_plugin_registers_is_said_to_come_from_one(monkeypatch):
    monkeypatch.setattr(catalogue, "_registered", [])
    mine = Conversion(name="mine.to", sources=(Library.NUMPY,), target=Library.TORCH, code="x", page="")
    assert mine.hook is None
    register(mine)
    register(mine)  # a module that is imported twice registers it once
    assert find("mine.to").hook is FROM_A_PLUGIN
    hooked = replace(mine, name="mine.hooked", hook=InterceptedAt("mine.hooked"))
    register(hooked)
    assert find("mine.hooked") == hooked
    assert len(catalogue._registered) == 2


@pytest.mark.parametrize("text", ["torch.from_file", "from_file", "FROM_FILE()"])
def test_a_function_that_is_there_only_with_a_flag_means_each(text):
    names = ["torch.from_file(shared=False)", "torch.from_file(shared=True)"]
    assert [entry.name for entry in variants(text)] == names
    assert [entry.name for entry in variants(f"{text.removesuffix('()')}(shared=True)")] == names[1:]


@pytest.mark.parametrize("text", ["torch.asarray", "Tensor.numpy", "np.array"])
def test_a_function_that_is_there_without_a_flag_means_itself(text):
    assert [entry.name for entry in variants(text)] == [text]


def test_a_line_that_asks_torch_for_a_dtype_it_lacks_is_not_applicable():
    names = tuple(entry.name for entry in CONVERSIONS if entry.same_dtype)
    assert "torch.from_file(shared=True)" in names
    dtypes = ("longdouble", "datetime64[s]", "U3", "object", "V5")
    with started() as lab:
        rows = proved(plan([Request(conversions=names, dtypes=dtypes)], lab, lab.hello()).experiments, lab)
    assert len(rows) == len(names) * len(dtypes)
    for row in rows:
        assert isinstance(row, NotApplicable)
        assert row.reason == f"PyTorch has no {row.subject.dtype}, which the conversion needs"


def test_what_is_written_to_a_tensor_over_a_file_is_in_the_file():
    entry = find("torch.from_file(shared=True).copy_()")
    private = entry.setup.replace("shared=True", "shared=False")
    large = private.replace("as file:", "as file:\n        file.truncate(2**10)").replace(
        "array.dtype))", "array.dtype, 12))"
    )
    with started() as lab:
        made = [experiment(entry.code, subject(), setup=setup) for setup in (entry.setup, private, large)]
        written, short, unwritten = found(lab, made)
    assert (written.values, written.error) == (Values.EQUAL, None)
    # a private map neither lets the file grow nor writes to it
    assert short.error.type == "RuntimeError"
    assert unwritten.values is Values.CHANGED
