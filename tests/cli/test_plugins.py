"""Modules of the user's that register conversions, whatever they do when they are imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.tools import run, run_beside, run_cold, said

HEAD = """
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.catalog.registry import register
from tensorbridge_cli.records.enums import Library
def add(name, code, **more):
    register(Conversion(name=name, sources=(Library.NUMPY,), target=Library.TORCH, code=code, page="", **more))
"""


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os; os._exit(0)", "--plugin 'mine' crashed the process that imported it: exit code 0"),
        ("import os; os.kill(os.getpid(), 11)", "--plugin 'mine' crashed the process that imported it: SIGSEGV"),
        ("while True: pass", "--plugin 'mine' was not imported within 1 seconds; use a longer --timeout."),
        ("raise ValueError", "--plugin 'mine': ValueError."),
        ("import sys; sys.exit(5)", "--plugin 'mine': SystemExit: 5."),
        ("import nowhere", "--plugin 'mine': ModuleNotFoundError: No module named 'nowhere'."),
        ("def", "--plugin 'mine': SyntaxError: invalid syntax (mine.py, line 1)."),
        (
            f"{HEAD}\nadd('mine.one', 7)",
            "the conversion 'mine.one' of a --plugin is not a conversion: code: 7 is not a str.",
        ),
        (
            f"{HEAD}\nadd('torch.tensor', 'x')",
            "--plugin 'mine': ValueError: a conversion named 'torch.tensor' already exists",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_said_in_a_sentence(tmp_path, code, sentence):
    (tmp_path / "mine.py").write_text(code)
    limit = "1" if "while" in code else "60"
    assert said(run("inspect", "--plugin", "mine", "--timeout", limit, cwd=tmp_path), 2).startswith(sentence)


def test_what_a_module_prints_is_in_no_output_and_its_mistakes_are_its_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        f"import os\nprint('hello')\nos.write(1, b'world')\nos.fork()\n{HEAD}\n"
        "add('mine.works', 'torch.from_numpy(x)')\n"
        "add('mine.syntax', 'torch.from_numpy(x')\n"
        "add('mine.imports', 'f(x)', setup='from nowhere import f')\n"
        "add('mine.name', 'trch.from_numpy(x)')\n"
        "add('mine.attribute', 'torch.from_nmpy(x)')\n"
    )
    for name in ("rich", "typer", "json", "random", "queue", "click"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not ours')")
    names = ("works", "syntax", "imports", "mine.name", "attribute")
    done = run_cold("inspect", "--format", "json", *names, "--plugin", "mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [row["outcome"] for row in found["observations"]] == ["shared"]
    reasons = [case["reason"].partition(" itself raised ")[2] for case in found["not_applicable"]]
    assert [reason.partition(":")[0] for reason in reasons] == [
        *("SyntaxError", "ModuleNotFoundError", "NameError", "AttributeError")
    ]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has put the example of a package with a plugin."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, str(EXAMPLE)], check=True)
    return folder


EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "plugin"


def test_an_installed_plugin_is_loaded_by_every_command(installed):
    report = json.loads(run_beside(installed, "inspect", "first_half", "--format", "json").stdout)
    assert [row["outcome"] for row in report["observations"]] == ["shared"]
    assert report["environment"]["plugins"] == ["halves 1.2 (halves_tensorbridge)"]
    assert "halves.first_half\tnumpy-to-torch\t\n" in run_beside(installed, "list").stdout
    page = run_beside(installed, "explain", "first_half").stdout
    assert page.startswith("halves.first_half, conversion: The first half of the rows, as a view.")


def test_a_broken_plugin_is_a_sentence_and_left_out(tmp_path):
    broken = tmp_path / "broken-0.1.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    (broken / "entry_points.txt").write_text("[tensorbridge.plugins]\nbroken = broken\n")
    (tmp_path / "broken.py").write_text("import nowhere\n")
    done = run_beside(tmp_path, "inspect", "from_numpy", "--format", "json")
    assert done.stderr == (
        "the plugin broken of broken 0.1 is left out: ModuleNotFoundError: No module named 'nowhere'.\n"
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["environment"]["plugins"] == []


def test_another_environment_need_not_have_them(installed):
    done = run_beside(installed, "inspect", "first_half", "--python", sys.executable)
    note, sentence = done.stderr.splitlines()
    assert note == (
        "installed plugins are not loaded with --python; "
        "to load them from that environment: --plugin halves_tensorbridge"
    )
    assert sentence.startswith("Error: unknown conversion 'first_half'")
    asked = ("inspect", "first_half", "--plugin", "halves_tensorbridge", "--python", sys.executable)
    named = run_beside(installed, *asked)
    assert (named.returncode, named.stderr) == (0, "")
    assert "halves.first_half  shared" in named.stdout
