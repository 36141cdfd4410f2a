"""One request, wherever it is written: on the command line, in a TOML table, in Python."""

from importlib.util import find_spec

import pytest
import typer
from typer.testing import CliRunner

from tensorbridge_cli import api
from tensorbridge_cli.cli import options
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.survey import expectations_file
from tensorbridge_cli.survey.request import Request, parse
from tensorbridge_cli.survey.request_text import RequestText, SetIn

REQUEST = Request(
    conversions=("from_numpy", "tensor"),
    shapes=((2, 3), ()),
    dtypes=("int8",),
    layouts=("reversed",),
    states=("read-only",),
    to_dtype="float64",
)
TYPED = "from_numpy tensor --shape 2,3 --shape () --dtype int8 --layout reversed --state read-only --to-dtype float64"
TABLE = """
[[expect]]
conversion = ["from_numpy", "tensor"]
shape = ["2,3", "()"]
dtype = "int8"
layout = "reversed"
state = "read-only"
to-dtype = "float64"
holds = "copied"
"""


def read(*arguments):
    """Return what a command that takes every option of a request makes of ``arguments``."""
    given = []
    app = typer.Typer()
    names = ("conversion", *options.GENERATED, *options.OWN, "to_dtype", "direction", "want")
    app.command()(options.take(*names)(given_to(given)))
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return given[0]


def given_to(given):
    def command(text: options.Options) -> None:
        given.append(text)

    return command


def test_typed():
    assert parse(read(*TYPED.split())) == REQUEST


def test_in_a_table(tmp_path):
    path = tmp_path / "expected.toml"
    path.write_text(TABLE)
    (task,) = expectations_file.read(str(path), RequestText())
    assert task.requests == (REQUEST,)


def test_in_python():
    words = {"shape": [(2, 3), "()"], "dtype": "int8", "layout": "reversed", "state": ["read-only"]}
    assert parse(api._text(("from_numpy", "tensor"), words | {"to_dtype": "float64"})) == REQUEST


def test_where_an_option_was_set(monkeypatch):
    monkeypatch.setenv("TENSORBRIDGE_DTYPE", "int8")
    text = read("--layout", "reversed")
    assert [text.where(name) for name in ("layout", "dtype", "shape")] == [
        SetIn.COMMAND_LINE,
        SetIn.ENVIRONMENT,
        SetIn.NOWHERE,
    ]
    assert text.dtype == ("int8",)
    assert text.is_set("dtype")
    assert not text.is_set("shape")


def test_what_was_typed_wins_over_what_is_set_elsewhere():
    where = {"expr": SetIn.COMMAND_LINE, "layout": SetIn.PYPROJECT}
    request = parse(RequestText(expr="np.ones(3)", layout=("reversed",), set_in=where))
    assert request.given is not None
    assert request.layouts == Request.layouts
    with pytest.raises(RequestError, match="--layout cannot be combined with"):
        parse(RequestText(expr="np.ones(3)", layout=("reversed",), set_in=dict.fromkeys(where, SetIn.COMMAND_LINE)))


@pytest.mark.parametrize("text", ["", "sideways"])
def test_a_direction_that_is_none(text):
    with pytest.raises(RequestError, match="unknown --direction"):
        parse(RequestText(direction=text))


@pytest.mark.skipif(not (find_spec("pyarrow") and find_spec("pandas")), reason="pyarrow or pandas is not installed")
@pytest.mark.parametrize(
    ("text", "library", "dtype", "shape"),
    [
        (RequestText(conversion=("pa.Array.to_numpy",)), "arrow", "float", (4,)),
        (RequestText(group=("arrow",)), "arrow", "float", (4,)),
        (RequestText(direction="arrow-to-numpy"), "arrow", "float", (4,)),
        (RequestText(conversion=("pa.Array.to_numpy",), dtype=("halffloat",)), "arrow", "halffloat", (4,)),
        (RequestText(conversion=("DataFrame.to_numpy",)), "pandas", "float32", (4, 3)),
        (RequestText(conversion=("pa.Array.to_numpy", "pa.array")), None, "float32", (4,)),
        (RequestText(conversion=("pa.array",)), None, "float32", (4,)),
        (RequestText(conversion=("pa.array",), shape=("5",)), None, "float32", (5,)),
        (RequestText(group=("arrow", "dlpack")), None, "float32", (4, 3)),
        (RequestText(group=("arrow",), direction="numpy-to-arrow"), None, "float32", (4,)),
        (RequestText(conversion=("torch.tensor",)), None, "float32", (4, 3)),
        (RequestText(direction="numpy-to-torch"), None, "float32", (4, 3)),
    ],
)
def test_what_a_conversion_needs_need_not_be_named(text, library, dtype, shape):
    request = parse(text)
    assert (request.library, request.dtypes, request.shapes) == (library, (dtype,), (shape,))
