"""Saved reports side by side, whichever way each of them was saved."""

from dataclasses import replace

import pytest

from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.environments import side_by_side
from tensorbridge_cli.diff.merged import merged
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Outcome
from tensorbridge_cli.records.report import report, summarise
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY

CHANGED = replace(
    GALLERY,
    environment=replace(GALLERY.environment, numpy="1.26.4"),
    observations=tuple(
        replace(row, outcome=Outcome.COPIED) if row.outcome is Outcome.SHARED else row for row in GALLERY.observations
    )[1:],
)


@pytest.fixture
def files(tmp_path):
    """The same two reports, as documents and as lines."""
    found = {}
    for format_name in ("json", "jsonl"):
        for name, one in (("then", GALLERY), ("now", CHANGED)):
            whole = report(one.environment, one.observations, one.not_applicable)
            found[name, format_name] = path = tmp_path / f"{name}.{format_name}"
            path.write_text(render(whole, format_name), encoding="utf-8")
    return found


@pytest.mark.parametrize("then", ["json", "jsonl"])
@pytest.mark.parametrize("now", ["json", "jsonl"])
def test_it_has_the_cells_of_each_and_their_counts(files, then, now):
    paths = [str(files["then", then]), str(files["now", now])]
    whole = merged(paths)
    assert [(one.letter, one.name, one.environment.numpy) for one in whole.environments] == [
        ("A", paths[0], GALLERY.environment.numpy),
        ("B", paths[1], "1.26.4"),
    ]
    expected = side_by_side(whole.environments, [of_report(GALLERY), of_report(CHANGED)])
    assert whole.cells == expected.cells
    assert {True, False} == {cell.same for cell in whole.cells}
    for one, counted in zip(whole.environments, (GALLERY, CHANGED), strict=True):
        summary = summarise(counted.observations, counted.not_applicable)
        assert (one.counts["shared"], one.counts["copied"]) == (summary.shared, summary.copied)
        assert one.counts["not-applicable"] == summary.not_applicable


def test_it_counts_what_is_broken_by_environment(files):
    whole = merged([str(files["then", "jsonl"]), str(files["now", "json"])])
    assert whole.breaches
    assert {letter for breach in whole.breaches for letter in breach.cells} == {"A", "B"}


def test_of_lines_none_is_kept(files):
    environment, entries = saved.entries(str(files["then", "jsonl"]))
    assert environment == GALLERY.environment
    assert iter(entries) is entries
    assert [type(entry) for entry in entries] == [
        type(entry) for entry in (*GALLERY.observations, *GALLERY.not_applicable)
    ]


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (lambda lines: lines[:-1], "it is truncated."),
        (lambda lines: [*lines[:-1], lines[-1][:9]], "line {last}: it is truncated."),
        (lambda lines: [lines[0], lines[1].replace('"outcome"', '"outcame"'), *lines[2:]], "line 2: Object "),
        (lambda lines: [*lines[:-1], '{"summary":' + "[" * 9999], "line {last}: maximum recursion depth exceeded"),
        (lambda lines: [lines[0], '{"trace":1}\n', *lines[1:]], "line 2: Object contains unknown field"),
    ],
)
def test_lines_that_are_no_report_are_said_in_a_sentence(files, kept, why):
    path = files["then", "jsonl"]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(kept(lines)), encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        merged([str(path), str(files["now", "jsonl"])])
    assert str(caught.value).startswith(f"{path} is not a valid tensorbridge.report/1: {why.format(last=len(lines))}")
