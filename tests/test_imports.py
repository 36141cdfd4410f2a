"""Starting is cheap: what needs no torch imports none. And each room of the house knows only its neighbours."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tensorbridge_cli
from tests.cli.tools import run

ROOT = Path(tensorbridge_cli.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

REPORTS_AT_EXIT = """
import atexit, sys
atexit.register(lambda: print("imported:", *sys.modules, file=sys.stderr))
"""


# At run time -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A folder that, on the path, makes Python tell at its end what it imported."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(REPORTS_AT_EXIT)
    return str(folder)


def imported(done, among=("numpy", "torch", "pydantic")):
    return set(done.stderr.splitlines()[-1].removeprefix("imported:").split()) & set(among)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "-V",
        "--help",
        "inspect --help",
        "list",
        "list conversions",
        "demo --list",
        "explain from_numpy",
        "explain qwzx",
        "demo qwzx",
        "list dtypes",
        "list layouts",
        "list states",
        "list hazards",
        "schema",
        "--show-completion bash",
        "inspect --layout qwzx",
        "inspect qwzx --isolation none",
    ],
)
def test_nothing_is_imported(watched, arguments):
    assert imported(run(*arguments.split(), PYTHONPATH=watched)) == set()


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "inspect fr"),
        ("bash", "inspect --dtype fl"),
        ("bash", "inspect --layout no"),
        ("bash", "inspect --state re"),
        ("zsh", "inspect --dtype fl"),
        ("fish", "inspect --dtype fl"),
    ],
)
def test_nothing_is_imported_for_completion(watched, shell, line):
    done = run(
        PYTHONPATH=watched,
        _TENSORBRIDGE_COMPLETE=f"complete_{shell}",
        COMP_WORDS=f"tensorbridge {line}",
        COMP_CWORD=str(len(line.split())),
        _TYPER_COMPLETE_ARGS=f"tensorbridge {line}",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert done.stdout.strip()
    assert imported(done) == set()


@pytest.mark.parametrize("format_name", ["table", "json", "html"])
def test_a_saved_report_is_shown_without_them(watched, format_name):
    report = str(Path(__file__).parent / "reports" / "shared.json")
    done = run("show", report, "--format", format_name, PYTHONPATH=watched)
    assert done.returncode == 0
    assert imported(done) == set()


def test_the_command_itself_imports_neither_while_it_inspects(watched):
    done = run("inspect", "numpy", PYTHONPATH=watched)
    assert done.returncode == 0
    assert imported(done) == set()


HELP = {"cli", "cli.params", "cli.terminal", "errors", "lab.stderr_tail", "printable", "render"}
COMMAND = HELP | {"cli.command", "cli.inputs", "survey.request_text"}
OPTIONS = {"cli.config", "cli.options", "records.trace_words", "survey.tables"}
CATALOGUE = {"catalog", "compat", "records.enums", "records.renamed", "records.words"}
REPORT = {"encoding", "msgspec", "records.report"}
TEXT = {"render.text.layout", "rich.text"}
SAVED = {"diff.cells", "diff.environments", "diff.saved", "diff.ways", "reading", "records.codes", "records.trace"}
TABLE = {"render.report.answers", "render.report.sections", "render.report.table", "render.report.values"}
STARTS = {
    "--help": HELP,
    "list": COMMAND | OPTIONS | CATALOGUE | {"cli.listing", "records.codes", "survey.plugins"},
    "explain from_numpy": COMMAND
    | OPTIONS
    | CATALOGUE
    | TEXT
    | {"cli.explain", "explain.history", "explain.pages", "judgement.outcomes", "msgspec", "records.codes"}
    | {"records.explanation", "render.explain.pages", "render.text.markdown", "survey.plugins"},
    "schema": COMMAND | CATALOGUE | REPORT | {"cli.schema"},
    f"show {ROOT.parent / 'tests/reports/shared.json'}": COMMAND
    | OPTIONS
    | CATALOGUE
    | REPORT
    | TEXT
    | SAVED
    | TABLE
    | {"cli.formats", "cli.show", "render.text.words"},
}
"""All modules of ours that a command imports, the catalogue as one, and the libraries that are slow to import.

A module with dataclasses takes about half a millisecond for each. One more here has to be worth the wait.
"""

SLOW = {"msgspec", "psutil", "pydantic", "rich.console", "rich.text", "tomllib"}


@pytest.mark.parametrize("arguments", STARTS)
def test_what_a_fast_start_imports(watched, arguments):
    done = run(*arguments.split(), cwd=watched, PYTHONPATH=watched)
    assert done.returncode == 0
    package = "tensorbridge_cli."
    not_empty = {dotted(module) for module in MODULES if module.read_text(encoding="utf-8").count("\n") > 1}
    ours = {name.removeprefix(package) for name in imported(done, not_empty) if name.startswith(package)}
    parts = {"catalog" if name.startswith("catalog.") else name for name in ours}
    assert parts | imported(done, SLOW) == STARTS[arguments]


def test_the_watch_sees(watched):
    assert imported(run("inspect", "numpy", "--isolation", "none", PYTHONPATH=watched)) == {"numpy", "torch"}


# In the text -------------------------------------------------------------------------------------


def imports(module, at_top_only=False):
    """Return the modules that ``module`` imports, also within functions; not those for the type checker alone."""
    found = set()
    waiting = list(ast.parse(module.read_text(encoding="utf-8")).body)
    for node in waiting:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        elif not (at_top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            waiting += list(ast.iter_child_nodes(node))
    return found


def rooms(module):
    """Return the parts of this package that ``module`` imports: ``lab`` for tensorbridge_cli.lab.probe."""
    package = "tensorbridge_cli."
    return {name.removeprefix(package).partition(".")[0] for name in imports(module) if name.startswith(package)}


def within(*names):
    return [module for module in MODULES if module.relative_to(ROOT).parts[0].removesuffix(".py") in names]


ALLOWED = {
    "compat": set(),
    "pytorch": set(),  # the one place that knows whether there is one
    "toml": set(),
    "records": {"compat", "records"},
    "encoding": {"compat", "records"},
    "errors": set(),
    "reading": set(),
    "printable": set(),  # whoever prints: what a terminal must not be sent
    "catalog": {"catalog", "compat", "errors", "pytorch", "records"},
    "memory": {"catalog", "compat", "lab", "memory", "pytorch", "records", "subjects"},
    "subjects": {"catalog", "compat", "errors", "memory", "pytorch", "records", "subjects"},
    # client.py, on the command's side, reads with encoding
    "lab": {"lab", "catalog", "compat", "encoding", "errors", "memory", "pytorch", "records", "subjects"},
    "judgement": {"catalog", "compat", "errors", "judgement", "records"},
    "survey": {
        "__version__",
        "catalog",
        "diff",
        "errors",
        "judgement",
        "lab",
        "memory",
        "reading",
        "records",
        "subjects",
        "survey",
        "toml",
    },
    "diff": {"catalog", "compat", "diff", "encoding", "errors", "reading", "records"},
    "explain": {
        "explain",
        "printable",
        "catalog",
        "errors",
        "judgement",
        "lab",
        "records",
    },  # each step of the tour is an experiment
    "render": {
        "diff",
        "encoding",
        "printable",
        "render",
        "records",
        "errors",
        "explain",
        "memory",
    },  # the bytes of a span; the script of a row
    "tracing": {
        "__version__",
        "catalog",
        "compat",
        "encoding",
        "errors",
        "judgement",
        "lab",
        "memory",
        "records",
        "render",
        "survey",
        "toml",
        "tracing",
    },
    "cli": {
        "encoding",
        "printable",
        "__version__",
        "catalog",
        "cli",
        "diff",
        "errors",
        "explain",
        "judgement",
        "lab",
        "records",
        "render",
        "survey",
        "toml",
        "tracing",
    },
    "__main__": {"cli", "tracing"},  # a program is started before the command line is imported
    "__init__": {"api", "errors", "records", "testing", "tracing"},  # by name, when one is asked for
    "api": {"diff", "errors", "judgement", "lab", "memory", "records", "results", "subjects", "survey"},
    "results": {"diff", "encoding", "printable", "records", "render"},
    "testing": {"api", "memory"},
}


def test_every_module_is_in_a_room():
    assert within(*ALLOWED) == MODULES


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_knows_only_its_neighbours(room):
    for module in within(room):
        assert rooms(module) <= ALLOWED[room], module


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_who_imports_numpy_and_torch(module):
    libraries = {"numpy", "torch"}
    everywhere = {name.partition(".")[0] for name in imports(module)} & libraries
    assert not everywhere or module in within("catalog", "lab", "memory", "pytorch", "subjects", "tracing"), (
        "only catalogue builders, the lab and the hooks may"
    )
    at_top = {name.partition(".")[0] for name in imports(module, at_top_only=True)} & libraries
    assert not at_top or module in AFTER_THE_START, "not before it is needed"


AFTER_THE_START = [
    ROOT / name
    for name in (
        "lab/autograd.py",
        "lab/comparison.py",
        "lab/global_state.py",
        "lab/guard.py",
        "lab/propagation.py",
        "lab/repetition.py",
        "lab/run.py",
        "lab/unfilled.py",
        "memory/arrays.py",
        "memory/arrow.py",
        "memory/carriers.py",
        "memory/describe.py",
        "memory/overlap.py",
        "memory/parts.py",
        "memory/readers.py",
        "memory/relation.py",
        "memory/values.py",
        "memory/writes.py",
        "pytorch.py",
        "subjects/fills.py",
        "subjects/generate.py",
        "subjects/replica.py",
    )
]
"""Imported by the server and its children, which have imported both; the command line never does."""


# What runs in an inspected environment -----------------------------------------------------------

TRAVELS = [
    module
    for module in within("compat", "errors", "pytorch", "records", "catalog", "subjects", "memory", "lab")
    + [one for one in within("tracing") if "inside" in one.parts]
    if module.parent.name != "start"
]
"""It finds the standard library, numpy and torch there, and nothing else."""

IMPORTS_ALL = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in FOREIGN:
            raise ModuleNotFoundError(f"{name} is not there", name=name)

import numpy
try:
    import torch
except ImportError:
    pass
FOREIGN = set(sys.argv[1].split(","))
for name in [name for name in sys.modules if name.partition(".")[0] in FOREIGN]:
    del sys.modules[name]
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[2])
for name in sys.argv[3:]:
    importlib.import_module(name)
"""


def dotted(module):
    return ".".join(module.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def test_what_travels_needs_numpy_and_torch_alone():
    foreign = "msgspec,psutil,rich,typer,click,jinja2,pygments,safetensors,pandas,pyarrow,polars,ml_dtypes"
    names = [dotted(module) for module in TRAVELS]
    subprocess.run([sys.executable, "-c", IMPORTS_ALL, foreign, str(ROOT.parent), *names], check=True)


@pytest.mark.parametrize("module", TRAVELS, ids=lambda module: str(module.relative_to(ROOT)))
def test_what_travels_is_python_3_9(module):
    tree = ast.parse(module.read_text(encoding="utf-8"), feature_version=(3, 9))
    assert [ast.unparse(union) for union in evaluated_unions(tree)] == []


def evaluated_unions(tree):
    """Yield what is like ``tuple[int] | None`` at the top of a module, where Python 3.9 would evaluate it."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for node in ast.walk(statement.value):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and is_type(node):
                    yield node


def is_type(union):
    sides = (union.left, union.right)
    return any(isinstance(side, ast.Subscript) or ast.unparse(side) == "None" for side in sides)


def python_3_9():
    """Return a real Python 3.9, where there is one: pyenv's own, as what it puts on the path may lead nowhere."""
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("3.9.*/bin/python")
    for python in (*map(str, installed), "python3.9"):
        if shutil.which(python) and subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_python_3_9_imports_what_needs_no_library():
    python = python_3_9()
    if python is None:
        pytest.skip("there is no Python 3.9 here")
    libraries = {"numpy", "torch"}
    names = [
        dotted(module)
        for module in TRAVELS
        if not libraries & {name.partition(".")[0] for name in imports(module, at_top_only=True)}
        and module not in NEEDS_NUMPY
    ]
    assert len(names) > 30
    code = "import importlib, sys; sys.path.insert(0, sys.argv[1]); [importlib.import_module(n) for n in sys.argv[2:]]"
    subprocess.run([python, "-I", "-c", code, str(ROOT.parent), *names], check=True)


NEEDS_NUMPY = [
    ROOT / name
    for name in (
        "lab/autograd.py",
        "lab/conversion.py",
        "lab/guard.py",
        "tracing/inside/classify.py",
    )
]
"""Modules that import one of those that import numpy."""
