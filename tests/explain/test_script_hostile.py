"""A script of a saved report that somebody else wrote: nothing of it is code but the user's own expression."""

import ast
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import script as repro
from tensorbridge_cli.records.enums import Origin
from tests.render.gallery import GALLERY
from tests.render.hostile import CODE, TERMINAL, TEXTS, hostile, one_by_one
from tests.render.tools import NAMES, load, row

ROWS = [*GALLERY.observations, *(one for name in NAMES for one in load(name).observations)]
KNOWN = [one for one in ROWS if one.conversion.startswith(("torch.", "np.", "Tensor."))]


def is_inert(script):
    """Nothing that somebody else wrote is a name, and a terminal obeys nothing of it."""
    names = {node.id for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Name)}
    return "owned" not in names and all(line.isprintable() for line in script.split("\n"))


def scripts(row, environment=GALLERY.environment):
    with suppress(RequestError):
        yield repro.script(row, environment)


def wrote(value):
    """Return a row whose writes are said to have written ``value``."""
    base = row()
    cells = tuple(replace(cell, written=value) for cell in base.evidence.cells)
    assert cells
    return replace(base, evidence=replace(base.evidence, cells=cells))


@pytest.mark.parametrize("text", [*CODE, *TERMINAL])
def test_no_text_of_a_report_is_code(text):
    written = 0
    for base in KNOWN:
        for changed in one_by_one(base, text):
            if changed.subject.origin is not Origin.GENERATED:
                continue
            for script in scripts(changed):
                written += 1
                assert is_inert(script), script
    assert written > 100


@settings(max_examples=50, deadline=None)
@given(TEXTS)
def test_nor_is_any_text_in_all_places(text):
    for base in KNOWN[:6]:
        changed = replace(hostile(base, text), conversion=base.conversion, subject=base.subject)
        for script in scripts(changed, hostile(GALLERY.environment, text)):
            assert is_inert(script), script


@pytest.mark.parametrize("text", ["1\nowned()", "1)\nowned()\n(1", "1; owned()", "x = 1", "1 #\nowned()", "\u202e1"])
def test_an_expression_is_one_expression(text):
    with pytest.raises(RequestError):
        repro.script(row(subject={"origin": Origin.EXPRESSION, "given": text}), GALLERY.environment)


@pytest.mark.parametrize("text", ["os; owned():x", "a:b()", "a:b\nowned()", "a b:c", ":", "a:b[owned()]"])
def test_an_object_is_a_name(text):
    with pytest.raises(RequestError):
        repro.script(row(subject={"origin": Origin.OBJECT, "given": text}), GALLERY.environment)


@pytest.mark.parametrize("text", [*CODE, *TERMINAL])
def test_a_file_is_a_text(text):
    for ending in ("", ".npy", ".npz:a", ".pt:a.b", ".safetensors:w"):
        changed = row(subject={"origin": Origin.FILE, "given": f"{text}{ending}"})
        for script in scripts(changed):
            assert is_inert(script), script


@pytest.mark.parametrize("written", ["owned()", "1\nowned()", "x", "[].append(owned())", "f'{owned()}'", "(" * 500])
def test_what_was_written_is_a_value(written):
    with pytest.raises(RequestError, match="not a Python literal"):
        repro.script(wrote(written), GALLERY.environment)


@pytest.mark.parametrize("written", ["100.0", "-100", "(100-100j)", "True", "'a\\x1bb'", "b'\\x00'", "[100]", "1e400"])
def test_and_every_value_can_be_written(written):
    assert is_inert(repro.script(wrote(written), GALLERY.environment))
