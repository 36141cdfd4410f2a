import csv
import json
import re
from dataclasses import replace

import pytest

from tensorbridge_cli.records.trace import NotIntercepted, Outcomes, Unused
from tensorbridge_cli.render import PLAIN, TRACES, View, render
from tensorbridge_cli.render.report import notebook
from tensorbridge_cli.render.trace.traces import made_in, places
from tests.render.html.tools import details
from tests.render.program import PROGRAM, finding, site, traced
from tests.render.tools import matches

HOSTILE = "\x1b[31m**a**\n::error::b"


@pytest.mark.parametrize("width", [80, None])
def test_the_whole_table(width):
    text = render(PROGRAM, "table", View(width=width, colour=False, box=width is not None))
    assert width is None or max(map(len, text.splitlines())) <= width
    assert matches(f"trace.{width or 'pipe'}", text)


@pytest.mark.parametrize("format_", [entry.name for entry in TRACES])
def test_nothing_of_a_saved_trace_is_obeyed(format_):
    changes = dict.fromkeys(("numpy", "torch", "python", "platform", "tensorbridge"), HOSTILE)
    line = site(conversion=HOSTILE, file=f"/{HOSTILE}.py", function=HOSTILE, source_line=HOSTILE)
    spoiled = replace(
        traced(line, findings=(finding(line, code=HOSTILE, detail=HOSTILE, remedy=HOSTILE),)),
        environment=replace(PROGRAM.environment, **changes),
        processes=tuple(replace(one, name=HOSTILE) for one in PROGRAM.processes),
        not_intercepted=(NotIntercepted(what=HOSTILE, why=HOSTILE),),
    )
    text = render(spoiled, format_, PLAIN)
    assert "\x1b" not in text
    assert "\n::error::" not in text
    assert format_ != "markdown" or "**a**" not in re.sub(r"`[^`]*`", "", text)


@pytest.mark.parametrize(
    ("number", "sentences"),
    [
        (1, ["main was killed: it made at least 1 call"]),
        (2, ["main was killed: it made at least 1 call", "w1 was killed, or had not ended: it made at least 1 call"]),
        (9, ["9 processes (main first) were killed, or had not ended: they made at least 9 calls"]),
    ],
)
def test_processes_that_were_killed(number, sentences):
    killed = (
        replace(PROGRAM.processes[0], name=f"w{nth}" if nth else "main", calls=1, ended=False) for nth in range(number)
    )
    text = render(replace(PROGRAM, exit_code=-15, processes=tuple(killed)), "table", PLAIN)
    assert [line for line in text.splitlines() if " killed" in line] == sentences


@pytest.mark.parametrize("exit_code", [0, 3])
def test_a_program_that_could_not_save_its_counts_was_not_killed(exit_code):
    main = replace(PROGRAM.processes[0], name="main", calls=0, ended=False)
    text = render(replace(PROGRAM, exit_code=exit_code, processes=(main,)), "table", PLAIN)
    assert "main ended without saving its counts: its calls were not recorded\n" in text
    assert "killed" not in text


# Which line ------------------------------------------------------------------------------------------

CHAIN = {"line": 14, "end_line": 14, "source_line": "    é = t.clone().clone()", "conversion": "Tensor.clone"}


@pytest.mark.parametrize(
    ("sites", "names"),
    [
        ([site(column=4), site(column=4, conversion="np.array")], ["4", "4"]),
        ([site(column=4), site(column=4, line=5)], ["4", "5"]),
        ([site(column=0), site(column=4)], ["4:1", "4:5"]),
        (
            [site(column=9, end_column=18, **CHAIN), site(column=9, end_column=26, **CHAIN)],
            ["14:9-17", "14:9-25"],
        ),
        ([site(column=4), site(column=4, end_line=6, end_column=2)], ["4:5-19", "4:5-6:2"]),
        ([site(column=None, end_column=None)] * 2, ["4"]),
        ([site(column=0, source_line=None), site(column=9, source_line=None)], ["4:1", "4:10"]),
    ],
)
def test_calls_of_one_line_are_told_apart_by_their_columns(sites, names):
    assert [*places(sites).values()] == [f"/code/program.py:{name}" for name in names]


TWICE = (site(column=0, end_column=9), site(column=12, end_column=19))


@pytest.mark.parametrize("format_", ["table", "markdown", "html", "notebook"])
def test_every_face_tells_them_apart(format_):
    found = traced(*TWICE, findings=tuple(map(finding, TWICE)))
    text = notebook.trace(found) if format_ == "notebook" else render(found, format_, PLAIN)
    for column in (1, 13):
        assert len(re.findall(rf"/code/program.py:4:{column}\b", text)) == (1 if format_ == "html" else 2)


# In which library ------------------------------------------------------------------------------------

PACKAGES = "/home/u/.venv/lib/python3.12/site-packages/"


@pytest.mark.parametrize(
    ("via", "said"),
    [
        ((), ""),
        ((f"{PACKAGES}stable_baselines3/common/buffers.py:139",), "in stable_baselines3/common/buffers.py:139"),
        (("/usr/lib/python3/dist-packages/a/lib/python3.9/b.py:1",), "in a/lib/python3.9/b.py:1"),
        (("/usr/lib/python3.12/multiprocessing/pool.py:48", "/x.py:1"), "in multiprocessing/pool.py:48 and 1 more"),
        ((r"C:\Python312\Lib\copy.py:7", "a", "b"), "in copy.py:7 and 2 more"),
        ((r"C:\v\Lib\site-packages\a\b.py:7",), r"in a\b.py:7"),
        (("/home/u/Lib/b.py:7",), "in /home/u/Lib/b.py:7"),
    ],
)
def test_a_library_s_line_is_told_by_what_is_installed(via, said):
    assert made_in(site(via=via)) == said


LEARNS = site(source_line="model.learn(n)", via=(f"{PACKAGES}sb3/buffers.py:139", f"{PACKAGES}sb3/policies.py:7"))


def test_every_face_says_in_which_library_it_was_made():
    found = traced(LEARNS)
    assert "\n  model.learn(n)  (in sb3/buffers.py:139 and 1 more)\n" in render(found, "table", PLAIN)
    assert "| `model.learn(n)` in sb3/buffers.py:139 and 1 more |" in render(found, "markdown", PLAIN)
    assert "<code>model.learn(n)</code> (in sb3/buffers.py:139 and 1 more)</td>" in notebook.trace(found)
    assert "<p>in sb3/buffers.py:139 and 1 more</p>" in details(render(found, "html", PLAIN))[0]
    (row,) = csv.DictReader(render(found, "csv", PLAIN).splitlines())
    assert row["via"] == ";".join(LEARNS.via)


def test_it_has_a_line_of_its_own_where_the_code_is_long():
    long = replace(LEARNS, source_line="model.learn(" + "n, " * 30 + ")", via=LEARNS.via[:1])
    lines = render(traced(long), "table", View(width=60, colour=False, box=True)).splitlines()
    at = next(nth for nth, line in enumerate(lines) if line.startswith("  model.learn("))
    assert (len(lines[at]), lines[at][-1], lines[at + 1]) == (60, "…", "  (in sb3/buffers.py:139)")


# How many lines --------------------------------------------------------------------------------------


def sharing(line, **changes):
    return site(line=line, copied_bytes=0, outcomes=Outcomes(shared=20), **changes)


def listed(sites, findings=(), width=80):
    """Return the numbers of the lines in the table, and the sentence below it."""
    text = render(traced(*sites, findings=findings), "table", View(width=width, colour=False, box=False))
    table = text.partition("\n\n")[0]
    assert all(f".py:{one.site.split(':')[1]}:" in text for one in findings)
    more = re.search(r"^and .*", table, re.MULTILINE)
    return [int(number) for number in re.findall(r"\.py:(\d+)", table)], more and more[0]


def test_a_terminal_is_shown_what_costs_and_what_endangers():
    sites = [*(site(line=line) for line in range(1, 4)), *map(sharing, range(4, 41)), sharing(50, hazards=("x",))]
    shown, more = listed(sites, (finding(sites[30]),))
    assert shown == [1, 2, 3, 31, 50, *range(4, 19)]
    assert more == "and 21 more lines that only share memory (other formats list all)"
    assert listed(sites, width=None) == ([one.line for one in sites], None)


def test_every_line_with_a_finding_is_shown():
    sites = [site(line=line) for line in range(1, 41)]
    some = tuple(map(finding, sites[10:35]))
    assert listed(sites, some) == ([*range(11, 36)], "and 15 more lines (other formats list all)")


@pytest.mark.parametrize("number", [19, 20, 21])
def test_up_to_twenty_stand_as_they_are_sorted(number):
    sites = [sharing(1), *(site(line=line) for line in range(2, number + 1))]
    shown, more = listed(sites)
    assert shown == ([*range(1, number + 1)] if number < 21 else [*range(2, 22)])
    assert more == (None if number < 21 else "and 1 more line that only shares memory (other formats list all)")


def test_a_comment_that_accepts_nothing():
    found = traced(site(), unused=(Unused(file="/code/program.py", line=4, reason="", problem="gives no reason"),))
    why = "gives no reason"
    said = f"/code/program.py:4: {why}"
    assert f"unused: {said}\n" in render(found, "table", PLAIN)
    assert f"{why}\n" in render(found, "markdown", PLAIN)
    assert f"unused: {said}" in render(found, "html", PLAIN)
    assert f"unused</em>: {said}" in notebook.trace(found)
    assert f"::notice file=/code/program.py,line=4,title=unused::{said}\n" in render(found, "github", PLAIN)


def test_the_page_lists_the_code_and_its_library():
    page = render(traced(LEARNS, site()), "html", PLAIN)
    index = json.loads(re.search(r'id="index">(.*?)</script>', page)[1])
    assert index["columns"]["Code"]["values"] == [
        "model.learn(n)  (in sb3/buffers.py:139 and 1 more)",
        "t = torch.tensor(a)",
    ]
    assert index["columns"]["Process"]["values"] == []
    assert '<details id="overview">' in page
