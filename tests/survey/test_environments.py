"""One request in two environments: here two laboratories, of which set-up code has made the first one an older one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tensorbridge_cli.diff.environments import side_by_side
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.records.enums import Outcome
from tensorbridge_cli.render import PLAIN, View, render
from tensorbridge_cli.survey import environments
from tensorbridge_cli.survey.check import CheckText, tasks
from tensorbridge_cli.survey.environments import InspectedPlace
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.request_text import RequestText
from tests.tools import started

NEWER = """
import functools
from_numpy = torch.from_numpy

@functools.wraps(from_numpy)
def wrapped(x):
    return from_numpy(x)

torch.from_numpy = wrapped
"""
OLDER = NEWER.replace("from_numpy(x)", "from_numpy(x.copy())") + "del torch.bits16\n"
"""Both replace a function: no page speaks of either, so they differ in what the function does alone."""
SELECTED = Request(conversions=("torch.from_numpy", "torch.tensor", "Tensor.numpy"))
WHOLE = View(width=None, colour=False, box=False, everything=True)


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[InspectedPlace, ...]]:
    with started(setup=OLDER) as older, started(setup=NEWER) as newer:
        yield InspectedPlace("A", "older", older), InspectedPlace("B", "newer", newer)


def silent(done: int, total: int) -> None:
    """Show no progress."""


def inspected(places: Any, *requests: Request) -> Any:
    return environments.inspections(requests, places, "fork", silent, remedies=False)


def recorded(places: Any, *requests: Request) -> Any:
    ran_on, cells = zip(*environments.recordings(requests, places, "fork", silent), strict=True)
    return side_by_side(ran_on, cells)


def checked(places: Any, expect: tuple[str, ...] = (), **request: Any) -> Any:
    check = CheckText(request=RequestText(**request), expect=expect)
    return environments.checks(check, tasks(check), places, "fork", silent)


def test_each_has_its_report_and_its_column(places: Any) -> None:
    found = inspected(places, SELECTED)
    outcomes = [[row.outcome for row in report.observations] for report in found.reports]
    assert outcomes == [
        [Outcome.COPIED, Outcome.COPIED, Outcome.SHARED],
        [Outcome.SHARED, Outcome.COPIED, Outcome.SHARED],
    ]
    assert [cell.same for cell in found.compared.cells] == [False, True, True]
    lines = render(found, "table", PLAIN).splitlines()
    assert [line.split() for line in lines if line.startswith("torch.")][:2] == [
        ["torch.from_numpy", "copied", "shared"],
        ["torch.tensor", "copied", "copied"],
    ]
    assert lines[-1] == "2 of 3 look the same in all environments"


def test_a_table_is_as_wide_as_its_terminal(places: Any) -> None:
    shown = render(inspected(places, SELECTED), "table", View(width=60, colour=False, box=True))
    assert max(map(len, shown.splitlines())) <= 60
    assert "───" in shown


def test_a_grid_hides_what_is_the_same(places: Any) -> None:
    compared = recorded(places, SELECTED)
    assert "torch.tensor" not in render(compared, "grid", PLAIN)
    assert "torch.tensor" in render(compared, "grid", WHOLE)
    assert render(compared, "table", WHOLE) == render(compared, "grid", WHOLE)  # nothing was held against the docs


def test_a_dtype_that_one_lacks_is_not_applicable_there(places: Any) -> None:
    request = Request(conversions=("Tensor.detach",), dtypes=("bits16", "int8"))
    cells = {cell.cell.subject.dtype: cell.found for cell in recorded(places, request).cells}
    assert (cells["bits16"]["A"]["outcome"], cells["bits16"]["B"]["outcome"]) == ("not-applicable", "shared")
    assert cells["bits16"]["A"]["reason"].endswith(" has no bits16")
    assert cells["int8"]["A"] == cells["int8"]["B"]
    every = Request(dtypes=("all",))
    of_place = environments.shared_out([every], places)
    assert [[name for name, _ in of_place(place, every).elsewhere] for place in places] == [["bits16"], []]


def test_a_dtype_that_none_has_is_a_mistake(places: Any) -> None:
    with pytest.raises(RequestError, match="unknown dtype 'uint12'"):
        inspected(places, Request(dtypes=("uint12",)))


def test_what_is_broken_is_counted_in_each(places: Any) -> None:
    compared = checked(places, expect=("shared",), conversion=("torch.from_numpy",), dtype=("int8", "float32"))
    (breach,) = compared.breaches
    assert dict(breach.cells) == {"A": 2, "B": 0}
    assert [one.counts["broken"] for one in compared.environments] == [2, 0]
    lines = render(compared, "counts", WHOLE).splitlines()
    row = next(line for line in lines if line.startswith("torch.from_numpy"))
    assert row.split()[-2:] == ["2", "·"]
    total = next(line for line in lines if line.startswith("failed experiments"))
    assert total.split()[-2:] == ["2", "0"]
    assert lines[-1] == "Failed in A"
    assert "Failed in A" in render(compared, "table", WHOLE)
    assert render(compared, "counts", PLAIN).splitlines()[-1] == "A fails where A passes"


def test_nothing_is_broken_in_any(places: Any) -> None:
    compared = checked(places, expect=("copied",), conversion=("torch.tensor",))
    assert render(compared, "counts", WHOLE).splitlines()[-1] == "None failed"
    assert render(compared, "counts", PLAIN).splitlines()[-1] == "None fails where A passes"


def test_one_that_cannot_do_it_is_named(places: Any) -> None:
    def fails(place: InspectedPlace) -> None:
        raise UnavailableError("no room")

    with pytest.raises(UnavailableError, match=r"^A \(older\): no room$"):
        environments._in_each(places, fails)


def test_there_are_only_so_many_letters() -> None:
    with pytest.raises(RequestError, match=r"^--python is given 27 times: 26 environments are the most\.$"):
        environments.lettered(["python"] * 27)
