"""What the README and the documentation show is what the tool prints and does, and every name has its page."""

import html.parser
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tensorbridge_cli.explain import pages as explain
from tests.cli.tools import PROGRESS, run, screen, without_addresses
from tests.warm import python

pytest.importorskip("sphinx", reason="builds the site")

ROOT = Path(__file__).parents[1]
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
README = TEXTS["README.md"]


def blocks(language):
    return [
        pytest.param(block, id=f"{name}-{nth}")
        for name, text in TEXTS.items()
        for nth, block in enumerate(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    ]


def printed(arguments: str) -> str:
    return PROGRESS.sub("", screen(*shlex.split(arguments), width=80, NO_COLOR="1", TERM="xterm"))


@pytest.mark.parametrize("block", blocks("console"))
def test_shown_output_is_printed_output(block):
    first, _, shown = block.partition("\n")
    printed_now = printed(first.removeprefix("$ tensorbridge ")).strip()
    assert without_addresses(printed_now) == without_addresses(shown.strip())


@pytest.mark.parametrize("block", blocks("python"))
def test_shown_python_runs(block):
    done = python("-c", block.replace("from mylib import", "from math import"), env=os.environ)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("toml"))
def test_shown_expectations_are_taken(tmp_path, block):
    (tmp_path / "pyproject.toml").write_text(block)
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "data.py").write_text("import numpy\nload = lambda: numpy.ones((4, 3), 'float32')\n")
    assert tomllib.loads(block)["tool"]["tensorbridge"]["expect"]
    done = run("check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


COMMAND = re.compile(r"^(?:\S+ \S+ \S+ -m )?(?:tensorbridge|tensorbridge_cli) ([a-z]+)", re.MULTILINE)


@pytest.mark.parametrize("name", sorted({name for block in blocks("sh") for name in COMMAND.findall(block.values[0])}))
def test_shown_commands_exist(name):
    assert run(name, "--help").returncode == 0


def test_two_set_up_commands():
    setups = re.findall(r"```sh\n(python3 -m venv [^\n]+)\n```", README)
    assert len(setups) == 2
    assert setups[0].endswith("tensorbridge inspect --shape 4,3 --dtype float32")
    assert setups[1].endswith("pytest")


def test_the_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\((?!https:)([^)#]+)", README)
    assert links
    assert all((ROOT / link).is_file() for link in links)


# The site ----------------------------------------------------------------------------------------


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.to, self.ids = [], set()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.to += [found["href"]] if tag == "a" and found.get("href") else []
        self.ids |= {found["id"]} if "id" in found else set()


BUILD = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None
import furo
from sphinx.cmd.build import main
tree = furo._compute_navigation_tree
furo._compute_navigation_tree = lambda context: tree(context) if context["pagename"] in ("index", "codes") else ""
sys.exit(main(sys.argv[1:]))
"""
"""Builds the site with its sidebar on two pages: it lists every page, and on each that takes a fifth of a second."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built with every warning an error, and without numpy and torch."""
    folder = tmp_path_factory.mktemp("site")
    source = folder / "docs"
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("_build", "reference"))
    built = [sys.executable, "-c", BUILD, "-W", "-q", "-E", str(source), str(folder / "site")]
    done = subprocess.run(built, capture_output=True, encoding="utf-8", timeout=250)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_every_name_has_its_page(site, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import registry

    names = {**explain.names(), **dict.fromkeys(registry.commands(), "command")}
    assert {"trace", "inspect", "torch.from_numpy", "readonly-dropped", "shared", "reversed"} <= names.keys()
    places = {registry.place(kind, name) for name, kind in names.items()}
    assert len({place.lower() for place in places}) == len(names), "no two names have one page"
    for name, kind in names.items():
        page = (site / "reference" / registry.place(kind, name)).with_suffix(".html").read_text(encoding="utf-8")
        assert name.replace("&", "&amp;") in re.sub(r"<[^>]+>", "", page)


def test_no_link_is_dead(site):
    pages = {}
    for path in site.rglob("*.html"):
        pages[path] = _Links()
        pages[path].feed(path.read_text(encoding="utf-8"))
    inner = 0
    for path, found in pages.items():
        for link in found.to:
            target, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (path.parent / target).resolve() if target else path
            assert there in pages, (path.name, link)
            assert not anchor or anchor in pages[there].ids or there.name in ("genindex.html", "search.html"), link
            inner += 1
    assert inner > 1000


_LOADED = re.compile(r'<(?:script|img)[^>]+src="https?:|<link[^>]+rel="stylesheet"[^>]+https?:')


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert not _LOADED.search(path.read_text("utf-8"))
