from itertools import product

import pytest

from tensorbridge_cli.records.enums import Direction, Expected, Library, Outcome, Verdict
from tensorbridge_cli.records.report import Clause, Contract, Hazard
from tensorbridge_cli.render import View, render
from tensorbridge_cli.render.report import grid
from tensorbridge_cli.render.text.layout import to_string
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, case, flat, load, made_of, matches, row

PROMISE = Clause(
    about="outcome",
    expected="shared",
    observed="copied",
    verdict=Verdict.BROKEN,
    citation="https://page",
    sentence="It.",
)
BROKEN = Contract(expected=Expected.SHARED, verdict=Verdict.BROKEN, citation="https://page", clauses=(PROMISE,))


def cell(conversion="torch.from_numpy", outcome=Outcome.SHARED, dtype="float32", layout="contiguous", **more):
    subject = {"dtype": dtype, "layout": layout} | more.pop("subject", {})
    return row(conversion=conversion, outcome=outcome, subject=subject, **more)


def shown(*entries, width=80, colour=False):
    return render(made_of(*entries), "grid", View(width=width, colour=colour, box=False))


def letters(text, name):
    """Return the letters in the line of a conversion."""
    return next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1:]


@pytest.mark.parametrize("width", [None, 60, 80])
def test_the_gallery(width):
    text = render(GALLERY, "grid", View(width=width, colour=False, box=False))
    assert matches(f"grid.{width or 'pipe'}", text)


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_no_line_is_wider_than_the_terminal(report):
    for width in (40, 60, 80):
        text = render(report, "grid", View(width=width, colour=False, box=False))
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(("outcome", "letter"), grid.LETTERS.items())
def test_each_outcome_has_its_letter(outcome, letter):
    text = shown(cell(outcome=outcome), cell(outcome=outcome, layout="non-contiguous"))
    assert letters(text, "torch.from_numpy") == [letter, letter]
    assert f"{letter} " in text.splitlines()[-3]


def test_a_column_each_value_and_a_grid_each_direction():
    text = shown(
        cell(dtype="int8"),
        cell(dtype="float64", outcome=Outcome.COPIED),
        cell("np.copy", Outcome.COPIED, dtype="int8", direction=Direction.NUMPY_TO_NUMPY),
    )
    assert [line for line in text.splitlines() if "→" in line] == ["numpy→torch", "numpy→numpy"]
    assert letters(text, "torch.from_numpy") == ["S", "C"]
    assert letters(text, "np.copy") == ["C"]  # no column for what nothing of this direction was tried on


def test_what_was_not_tried_is_a_dot():
    text = shown(cell(), cell("torch.tensor", layout="non-contiguous"), case(direction=Direction.NUMPY_TO_TORCH))
    assert letters(text, "torch.from_numpy") == ["S", "·"]
    assert "1 not applicable" in text


def test_a_cell_of_several_outcomes_says_so():
    several = [
        cell(outcome=Outcome.SHARED if dtype == "int8" else Outcome.REFUSED, dtype=dtype, layout=layout)
        for dtype, layout in product(("int8", "object"), ("contiguous", "non-contiguous"))
    ]
    text = shown(*several)
    by_dtype, by_layout = (line.split()[1:] for line in text.splitlines() if line.startswith("torch.from_numpy"))
    assert (by_dtype, by_layout) == (["S", "R"], ["M", "M"])
    assert "M differs within the cell" in text


def test_a_broken_contract_is_lower_case_and_listed_once_with_its_cells():
    text = shown(
        cell(outcome=Outcome.COPIED, contract=BROKEN),
        cell(outcome=Outcome.COPIED, layout="non-contiguous", contract=BROKEN),
        cell("torch.as_tensor"),
    )
    assert letters(text, "torch.from_numpy") == ["c", "c"]
    assert letters(text, "torch.as_tensor") == ["S", "·"]
    assert text.count("contradicts the docs:") == 1
    assert (
        "torch.from_numpy numpy→torch: contradicts the docs: “It.” (outcome: expected shared, found copied) "
        "https://page in 2 experiments: 4×3; float32; contiguous, non-contiguous; plain"
    ) in flat(text)
    assert "; lower case: contradicts the docs" in flat(text)


def test_colour_adds_nothing_but_colour():
    from rich.text import Text

    plain, coloured = shown(*GALLERY.observations), shown(*GALLERY.observations, colour=True)
    assert "\x1b[" in coloured
    assert Text.from_ansi(coloured).plain.rstrip() == plain.rstrip()


def test_rows_are_counted_and_not_kept():
    counted = grid.Grid()
    for number in range(500):
        counted.add(cell(subject={"library": Library.NUMPY}, to_dtype=None, seconds={"convert": float(number)}))
    assert counted.tally.experiments == 500
    assert letters(to_string(counted.lines(None, load("shared").environment), colour=False), "torch.from_numpy") == [
        "S"
    ]


KILLS = (Hazard(code="write-kills", detail="writing to the result crashes the process: SIGSEGV"),)


@pytest.mark.parametrize("width", [40, 80, None])
def test_a_cell_whose_write_kills_is_marked(width):
    entries = (
        cell(hazards=KILLS),
        cell(layout="non-contiguous"),
        cell(layout="reversed", hazards=KILLS, contract=BROKEN),
    )
    text = shown(*entries, width=width)
    assert letters(text, "torch.from_numpy") == ["S!", "S", "s!"]
    assert "! a write crashes the process" in flat(text)
    assert "!" not in shown(cell(), cell(layout="non-contiguous"))


WRITTEN = (Hazard(code="written-though-refused", detail="a refused write changed the source"),)


def test_a_cell_whose_refused_write_changed_the_memory_is_marked():
    text = shown(
        cell(hazards=WRITTEN),
        cell(layout="non-contiguous", hazards=WRITTEN, contract=BROKEN),
        cell(layout="reversed", hazards=(*WRITTEN, *KILLS)),
        cell(layout="offset"),
    )
    assert letters(text, "torch.from_numpy") == ["S*", "s*", "S!*", "S"]
    assert "* a write raised but changed the memory" in flat(text)
    assert "*" not in shown(cell(hazards=KILLS), cell(layout="non-contiguous"))


def test_what_all_cells_have_in_common_is_named_once():
    text = shown(cell(), cell(layout="non-contiguous"))
    assert text.startswith("All cells: shape 4×3, dtype float32, state plain\n")


def test_shapes_are_columns_of_their_own():
    text = shown(cell(), cell(subject={"shape": ()}, outcome=Outcome.COPIED))
    assert text.splitlines()[2].split() == ["shape", "4×3", "()"]
    assert letters(text, "torch.from_numpy") == ["S", "C"]


def test_headings_take_one_line():
    layouts = [f"a-layout-with-a-long-name-{number}" for number in range(12)]
    text = shown(*(cell(layout=name) for name in layouts), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "layout: 1 a-layout-with-a-long-name-0, 2 a-layout-with-a-long-name-1," in flat(text)
    assert next(line for line in text.splitlines() if line.startswith("layout ")).split()[1:] == [
        f"{number}" for number in range(1, 13)
    ]
