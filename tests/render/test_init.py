import subprocess
import sys
from pathlib import Path

import pytest

from tensorbridge_cli import render as package
from tensorbridge_cli.render import FORMATS, format_for, render
from tests.render.tools import load

NAMES = [format_.name for format_ in FORMATS]


def test_no_name_and_no_ending_is_listed_twice():
    endings = [ending for format_ in FORMATS for ending in format_.endings]
    assert len(set(NAMES)) == len(NAMES)
    assert len(set(endings)) == len(endings)


def test_every_format_but_html_is_a_file_of_the_room():
    files = {path.name for path in Path(package.__file__).parent.rglob("*.py")}
    assert {name for name in NAMES if f"{name}.py" not in files} == {"html"}


@pytest.mark.parametrize("name", NAMES)
def test_every_format_ends_in_a_newline(name):
    assert render(load("shared"), name).endswith("\n")


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".json", "json"),
        (".JSON", "json"),
        (".jsonl", "jsonl"),
        (".tsv", "tsv"),
        (".txt", "table"),
        (".md", "markdown"),
        (".doc", None),
    ],
)
def test_a_file_ending_names_its_format(suffix, name):
    assert format_for(suffix, FORMATS) == name


def test_an_unknown_format_is_a_key_error():
    with pytest.raises(KeyError):
        render(load("shared"), "papyrus")


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("json", "numpy torch rich"),
        ("jsonl", "numpy torch rich"),
        ("tsv", "numpy torch rich"),
        ("csv", "numpy torch rich"),
        ("markdown", "numpy torch rich.table"),
        ("html", "numpy torch rich.table"),
        ("table", "numpy torch rich.table"),
    ],
)
def test_a_format_imports_only_what_it_needs(name, absent):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tensorbridge_cli.encoding import decode\n"
        "from tensorbridge_cli.render import render\n"
        f"render(decode(Path('tests/reports/shared.json').read_bytes()), {name!r})\n"
        f"print([module for module in {absent.split()!r} if module in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
