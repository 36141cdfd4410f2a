"""Modules of the user's that register conversions, whatever they do when they are imported."""

import json

import pytest

from tests.cli.tools import run, run_cold, said

HEAD = """
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.catalog.registry import register
from tensorbridge_cli.records.report import Library
def add(name, code, **more):
    register(Conversion(name=name, sources=(Library.NUMPY,), target=Library.TORCH, code=code, page="", **more))
"""


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os; os._exit(0)", "--plugin 'mine' crashed the process that imported it: exit code 0"),
        ("import os; os.kill(os.getpid(), 11)", "--plugin 'mine' crashed the process that imported it: SIGSEGV"),
        ("while True: pass", "--plugin 'mine' was not imported within 3 seconds; use a longer --timeout."),
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
    assert said(run("inspect", "--plugin", "mine", "--timeout", "3", cwd=tmp_path), 2).startswith(sentence)


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
