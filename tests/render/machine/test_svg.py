import re
from xml.etree import ElementTree

import pytest

from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.records.report import Raised
from tensorbridge_cli.render import PLAIN, Grids, Verdicts, View, render
from tensorbridge_cli.render.machine.svg import WIDTH, grids
from tensorbridge_cli.render.report.grid import counted
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, load, made_of, row, show


def lines(text):
    """Return the lines of text in a picture, from the top down."""
    found = {}
    for element in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text"):
        if "-matrix" not in str(element.get("class")) and element.get("y") and element.text:
            found.setdefault(float(element.get("y")), []).append((float(element.get("x")), element.text))
    parts = ["".join(part for _, part in sorted(found[y])) for y in sorted(found)]
    return [part.replace("\xa0", " ").strip() for part in parts if part.strip() not in ("", "tensorbridge")]


def letters(text):
    """Return ``text`` without its spaces, which a picture has none of."""
    return "".join(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_the_words_are_those_of_the_table(name):
    shown = show(name, WIDTH)
    assert letters(" ".join(lines(render(load(name), "svg")))) == letters(shown)


def test_the_environment_of_the_command_changes_nothing(monkeypatch):
    wide = View(width=130, colour=True, box=True)
    before = render(GALLERY, "svg", wide)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    assert render(GALLERY, "svg", wide) == before


def test_nothing_is_fetched():
    text = render(GALLERY, "svg").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "url(http" not in text
    assert "@font-face" not in text
    assert "@import" not in text


def test_it_is_as_wide_as_the_terminal():
    narrow, wide = (
        ElementTree.fromstring(render(GALLERY, "svg", View(width=width, colour=False, box=True)))
        .get("viewBox")
        .split()[2]
        for width in (60, 120)
    )
    assert float(narrow) < float(wide)


def test_hostile_text_stays_text():
    message = "</text><script>alert(1)</script> & \x1b[31m"
    text = render(made_of(row("refused", error=Raised(type="E", message=message))), "svg")
    assert not list(ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}script"))
    assert "alert(1)" in text


def test_a_grid_a_check_and_a_comparison_are_drawn_too():
    grid = counted(GALLERY.observations)
    assert "S shared" in " ".join(lines(grids(Grids(grid, GALLERY.environment), PLAIN)))
    assert "expected copied, found shared" in " ".join(lines(render(Verdicts(GALLERY, "a page", ()), "svg", PLAIN)))
    comparison = compare(of_report(load("shared")), of_report(load("shared")))
    assert "1 the same" in " ".join(lines(render(comparison, "svg", PLAIN)))


def _light(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """Return the contrast of two colours, as WCAG 2 counts it."""
    dark, light = sorted((_light(one), _light(other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_of_the_text_can_be_read():
    text = render(GALLERY, "svg", View(width=100, colour=True, box=True, picture=False))
    paper = re.search(r'<rect fill="(#[0-9a-f]{6})"', text)[1]
    inks = set(re.findall(r"-r\d+ \{ fill: (#[0-9a-f]{6})", text))
    assert len(inks) > 4
    assert {ink: contrast(ink, paper) for ink in inks if contrast(ink, paper) < 4.5} == {}


def test_every_element_of_a_drawing_can_be_read():
    text = render(load("shared"), "svg", View(width=100, colour=True, box=True, picture=True))
    words = re.findall(r'<text class="\S+-(r\d+)"[^>]*>([^<]+)', text)
    drawn = {name for name, word in words if word.startswith("[0,0]")}
    inks = {ink for name, ink in re.findall(r"-(r\d+) \{ fill: (#[0-9a-f]{6})", text) if name in drawn}
    grounds = set(re.findall(r'<rect fill="(#[0-9a-f]{6})" x=', text))
    assert len(inks) == 1
    assert len(grounds) == 2
    assert min(contrast(ink, ground) for ink in inks for ground in grounds) >= 4.5
