from dataclasses import astuple, replace
from itertools import product

import pytest

from tensorbridge_cli.diff.traces import compare
from tensorbridge_cli.records.trace import Dtypes, Outcomes
from tests.render.program import CAST, COPIED, PROGRAM, finding, site, traced


def counted(calls, **changes):
    """A line that was called so often."""
    return site(calls=calls, outcomes=Outcomes(copied=calls), **changes)


def lines(before, after):
    """Return the lines that changed, as (before, after), that are gone and that are new, and how many are the same."""
    found = compare(traced(*before), traced(*after))
    changed = [(entry.before.line, entry.after.line) for entry in found.changed]
    return changed, [one.line for one in found.gone], [one.line for one in found.new], found.same


def changes(before, after):
    """Return what changed in the one line of both: (about, before, after)."""
    comparison = compare(traced(before), traced(after))
    assert not comparison.gone + comparison.new
    return [astuple(change) for changed in comparison.changed for change in changed.changes]


# What a change is --------------------------------------------------------------------------------


def test_nothing_changed_between_a_trace_and_itself():
    comparison = compare(PROGRAM, PROGRAM)
    assert not comparison.differs(strict=True)
    assert (comparison.same, comparison.program, comparison.new_findings, comparison.resolved_findings) == (
        3,
        (),
        (),
        (),
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"calls": 40}, ("calls", "20", "40")),
        ({"copied_bytes": 0}, ("copied_bytes", "1920", "0")),
        ({"outcomes": Outcomes(shared=20)}, ("outcomes", "copied", "shared")),
        ({"outcomes": Outcomes(shared=19, refused=1)}, ("outcomes", "copied", "19 shared,1 refused")),
        (
            {"dtypes": (Dtypes(source="float64", result="float32", calls=20),)},
            ("dtypes", "float64", "float64>float32"),
        ),
        ({"dtypes": (Dtypes(source=None, result="float64", calls=20),)}, ("dtypes", "float64", "->float64")),
        ({"dtypes": ()}, ("dtypes", "float64", "-")),
    ],
)
def test_each_fact_is_compared(change, told):
    assert changes(COPIED, site(**change)) == [told]


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": 99.0},
        {"bytes": 1},
        {"outcomes": Outcomes(copied=19)},
        {"stack": (), "via": ("/lib/x.py:3",), "processes": ("worker-1",), "warnings": (), "samples": ()},
        {"dtypes": (Dtypes(source="float64", result="float64", calls=3),)},
    ],
)
def test_what_varies_from_run_to_run_is_not(change):
    assert changes(COPIED, site(**change)) == []


def test_what_changed_of_the_whole_program():
    comparison = compare(traced(COPIED), traced(COPIED, CAST, exit_code=-9))
    assert [astuple(change) for change in comparison.program] == [
        ("exit_code", "0", "-9"),
        ("calls", "20", "21"),
        ("copied_bytes", "1920", "1968"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "code", "strict"),
    [
        ((COPIED,), (COPIED,), False, False),
        ((COPIED,), (counted(40),), True, True),
        ((COPIED, CAST), (COPIED,), False, True),
        ((COPIED,), (COPIED, CAST), False, True),
    ],
    ids=["same", "changed", "gone", "new"],
)
def test_what_differs(before, after, code, strict):
    comparison = compare(traced(*before), traced(*after))
    assert (comparison.differs(), comparison.differs(strict=True)) == (code, strict)


# Findings ----------------------------------------------------------------------------------------


def findings(before, after):
    """Return the codes that are new and those that are resolved, and what is told of the line."""
    found = compare(before, after)
    told = [astuple(change) for entry in found.changed for change in entry.changes]
    return *([one.code for one in some] for some in (found.new_findings, found.resolved_findings)), told


def test_findings_that_are_new_or_resolved():
    first, second = finding(COPIED), finding(COPIED, code="avoidable-copy")
    told = ("findings", "repeated-copy", "avoidable-copy,repeated-copy")
    assert findings(traced(COPIED, findings=(first,)), traced(COPIED, findings=(second, first))) == (
        ["avoidable-copy"],
        [],
        [told],
    )
    assert findings(traced(COPIED, findings=(second, first)), traced(COPIED, findings=(first,))) == (
        [],
        ["avoidable-copy"],
        [("findings", *told[:0:-1])],
    )


def test_another_detail_is_no_other_finding_and_a_line_that_moved_keeps_its_own():
    moved = site(line=9)
    after = traced(moved, findings=(finding(moved, detail="otherwise", bytes=7, remedy=None),))
    assert findings(traced(COPIED, findings=(finding(COPIED),)), after) == ([], [], [])


def test_a_finding_that_its_line_accepts_is_none():
    plain = traced(COPIED, findings=(finding(COPIED),))
    accepted = traced(COPIED, findings=(finding(COPIED, accepted="it is small"),))
    assert findings(plain, accepted) == ([], ["repeated-copy"], [("findings", "repeated-copy", "-")])
    assert findings(accepted, plain) == (["repeated-copy"], [], [("findings", "-", "repeated-copy")])


def test_findings_of_lines_that_are_gone_or_new():
    assert findings(traced(COPIED, findings=(finding(COPIED),)), traced()) == ([], ["repeated-copy"], [])
    assert findings(traced(), traced(COPIED, findings=(finding(COPIED),))) == (["repeated-copy"], [], [])


# Which line is which -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "move",
    [
        {"line": 40, "end_line": 41},
        {"column": 8, "end_column": 23, "source_line": "        t = torch.tensor(a)"},
        {"source_line": "t = torch.tensor(a)  # tensorbridge: ok it is small"},
        {"function": "main"},
        {"line": 40, "function": "Loader.load"},
        {"file": "/elsewhere/program.py"},
        {"file": "C:\\code\\program.py"},
        {"file": "/code/renamed.py", "line": 40},
        {"source_line": "t = torch.tensor(batch)"},
        {"source_line": None},
    ],
    ids=["line", "indent", "comment", "function", "method", "folder", "windows", "file", "edit", "unread"],
)
def test_a_line_that_moved_is_the_same(move):
    unread = site(source_line=None) if move == {"source_line": None} else COPIED
    assert lines([unread], [site(**move)]) == ([], [], [], 1)
    assert lines([site(**move)], [unread]) == ([], [], [], 1)


@pytest.mark.parametrize(
    "other",
    [
        {"conversion": "torch.as_tensor"},
        {"source_line": "weights = torch.tensor(np.zeros(5, np.float32), requires_grad=True)"},
        {"source_line": None, "function": "other"},
        {"file": "/code/other.py", "function": "other"},
    ],
    ids=["conversion", "code", "unread", "elsewhere"],
)
def test_another_line_is_new(other):
    unread = site(source_line=None) if other.get("source_line", "") is None else COPIED
    assert lines([unread], [site(**other)]) == ([], [4], [4], 0)


def test_lines_that_say_the_same_keep_their_order():
    before = [counted(1, line=4), counted(20, line=9)]
    assert lines(before, [counted(20, line=20), counted(1, line=10)]) == ([], [], [], 2)
    assert lines(before, [counted(2, line=10), counted(40, line=20)]) == ([(4, 10), (9, 20)], [], [], 0)
    assert lines(before, [counted(20, line=4), counted(7, line=9)]) == ([(4, 9)], [], [], 1)


def test_two_calls_in_one_line():
    both = [counted(1, column=4), counted(2, column=30)]
    assert lines(both, [counted(1, column=4), counted(3, column=30)]) == ([(4, 4)], [], [], 1)


def test_of_edited_lines_those_most_alike_are_one():
    names = [
        counted(nth, line=nth, source_line=f"{name} = torch.tensor({name}_of_batch)")
        for nth, name in enumerate("abc", 1)
    ]
    edited = [replace(line, source_line=line.source_line[:-1] + ", dtype=torch.float32)") for line in names]
    assert lines(names, edited[::-1]) == ([], [], [], 3)
    assert lines(names, [replace(edited[2], calls=9)]) == ([(3, 3)], [1, 2], [], 0)


def test_the_same_line_in_another_function_is_another_one():
    before = [counted(1, line=4, function="f"), counted(2, line=9, function="g")]
    after = [counted(3, line=4, function="g"), counted(4, line=9, function="f")]
    assert sorted(lines(before, after)[0]) == [(4, 9), (9, 4)]


def test_checkouts_in_two_folders():
    names = ("__init__.py", "data/__init__.py", "data/io.py", "io.py")
    before = [counted(nth, file=f"/home/me/main/{name}") for nth, name in enumerate(names, 1)]
    for root, shown in product(("/tmp/a/feature", "/home/me/main"), (names, names[:3], names[1:])):
        after = [counted(names.index(name) + 1, file=f"{root}/{name}") for name in shown]
        assert lines(before, after)[::3] == ([], len(shown))
        assert lines(after, before)[::3] == ([], len(shown))


def test_of_two_files_of_a_name_it_is_the_one_that_moved_with_the_others():
    before = [counted(nth, file=f"/a/main/{name}") for nth, name in ((1, "io.py"), (2, "net.py"))]
    after = [counted(nth, file=f"/b/{name}") for nth, name in ((7, "data/io.py"), (8, "io.py"), (9, "net.py"))]
    found = compare(traced(*before), traced(*after))
    assert [entry.after.file for entry in found.changed] == ["/b/io.py", "/b/net.py"]
