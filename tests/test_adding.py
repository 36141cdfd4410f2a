"""The pages about adding an entry are followed here word for word, in a copy of the tree: one file is touched."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.tools import without_addresses

ROOT = Path(__file__).parents[1]
PAGES = ("adding-a-conversion", "adding-a-hazard", "adding-a-layout")
STEP = re.compile(
    r"^(?P<where>Above|At the end of) `(?P<name>[A-Z]+)` in `(?P<path>[\w/.]+)`:\n\n```py\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
SHOWN = re.compile(r"^```sh\n(?P<command>[^\n]+)\n```\n\n```text\n(?P<output>.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def copy(tmp_path):
    for name in ("tensorbridge_cli", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name)  # with what is compiled
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def follow(step, tree):
    """Put the code of one step where the page says; return the file."""
    path = tree / step["path"]
    text = path.read_text(encoding="utf-8")
    begin = re.search(rf"^{step['name']}\b.* = [({{]\n", text, re.MULTILINE)
    if step["where"] == "Above":
        at, code = begin.start(), f"{step['code']}\n\n"
    else:
        at = re.compile(r"^[)}]", re.MULTILINE).search(text, begin.end()).start()
        code = textwrap.indent(f"{step['code'].rstrip()},\n", "    ")
    path.write_text(text[:at] + code + text[at:], encoding="utf-8")
    return step["path"]


def command(words, tree):
    line = words.replace("tensorbridge ", f"{sys.executable} -m tensorbridge_cli ", 1)
    line = re.sub(r"^python ", f"{sys.executable} ", line)
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "80"}
    return subprocess.run(
        shlex.split(line), cwd=tree, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_followed_word_for_word(page, copy):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    touched = {follow(step, copy) for step in STEP.finditer(text)}
    assert len(touched) == 1
    shown = list(SHOWN.finditer(text))
    assert shown
    for example in shown:
        done = command(example["command"], copy)
        assert (done.returncode, without_addresses(done.stdout)) == (0, without_addresses(example["output"])), (
            done.stderr
        )


def test_the_tests_of_the_catalogue_hold_when_all_are_followed(copy):
    files, names = [], []
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        for step in STEP.finditer(text):
            follow(step, copy)
        tests, _, name = re.search(r"^```sh\npython -m pytest ([^\n]+)\n```", text, re.MULTILINE)[1].partition(" -k ")
        files += tests.split()
        names += [name] if name else [Path(file).stem for file in tests.split()]
    chosen = shlex.quote(" or ".join(names))
    done = command(f"python -m pytest {' '.join(files)} -k {chosen} -n0 -q -p no:cacheprovider", copy)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "[100%]" in done.stdout
