import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Raised
from tensorbridge_cli.render import PLAIN, Grids, Verdicts, View, render
from tensorbridge_cli.render.machine.markdown import grids
from tensorbridge_cli.render.report.grid import counted
from tensorbridge_cli.render.text.markdown import code, plain
from tests.render.gallery import GALLERY
from tests.render.tools import CONTRADICTED, NAMES, load, made_of, matches, row

PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")
HOSTILE = "a|b `c` *d* <img src=x onerror=e> [f](g) ~~h~~ \\| $i$ &lt;\n# j"


def parsed(text):
    """Return the kinds and contents of the pieces of a document."""
    return [(token.type, token.content) for token in PARSER.parse(text)]


def rows(text):
    """Return the texts of each row of the tables, as a reader sees them."""
    found = []
    cell = False
    for token in PARSER.parse(text):
        if token.type == "tr_open":
            found.append([])
        if cell:
            found[-1].append(seen(token))
        cell = token.type in ("th_open", "td_open")
    return found


def seen(token):
    return "".join(piece.content for piece in token.children if piece.type in ("text", "code_inline", "text_special"))


def test_the_whole_document():
    assert matches("gallery.md", render(GALLERY, "markdown"))


@pytest.mark.parametrize("name", NAMES)
def test_a_row_an_experiment(name):
    report = load(name)
    assert len(rows(render(report, "markdown"))) == len(report.observations) + bool(report.observations)


def test_the_cells_of_a_row():
    assert rows(render(load("shared"), "markdown")) == [
        ["Conversion", "Memory", "Write source→result", "Write result→source", "Dtype", "Pointer"],
        ["torch.from_numpy", "shared", "seen", "seen", "float32", "same"],
    ]


def test_many_sources_are_folded_away():
    few, many = (made_of(*(row(subject={"shape": (n,)}) for n in range(count))) for count in (3, 4))
    assert "<details>" not in render(few, "markdown")
    assert render(many, "markdown").count("<details>") == render(many, "markdown").count("</details>") == 4


def test_values_and_pictures_are_blocks_of_code():
    view = View(width=None, colour=False, box=False, values=True, picture=True)
    blocks = [text for kind, text in parsed(render(load("shared"), "markdown", view)) if kind == "fence"]
    assert ["memory: shared" in blocks[0], "values" in blocks[1]] == [True, True]


def test_hostile_text_stays_text():
    report = made_of(
        row("refused", conversion=HOSTILE, error=Raised(type="E", message=HOSTILE)),
        row(subject={"given": HOSTILE, "origin": Origin.EXPRESSION}),
    )
    text = render(report, "markdown")
    found = rows(text)
    assert {len(cells) for cells in found} == {6}
    tags = [
        piece.content for token in PARSER.parse(text) for piece in token.children or () if piece.type == "html_inline"
    ]
    assert set(tags) <= {"<code>", "</code>"}
    assert not [kind for kind, _ in parsed(text) if kind == "html_block"]
    assert "<img" not in PARSER.render(text)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_plain_text_is_read_as_it_is(text):
    (*_, inline, _) = PARSER.parse(f"x{plain(text)}x")
    assert seen(inline) == f"x{' / '.join(line.strip() for line in text.splitlines() if line.strip())}x" or (
        not text.isprintable()
    )
    assert [piece.type for piece in inline.children if piece.type not in ("text", "text_special")] == []


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_code_stays_in_its_cell(text):
    found = rows(f"| a | b |\n| --- | --- |\n| {code(text)} | c |")
    assert len(found[1]) == 2
    assert found[1][1] == "c"


def test_a_check_says_what_was_not_met_how_and_how_to_see_it():
    assert render(Verdicts(made_of(row(contract=CONTRADICTED)), "the documentation", ()), "markdown", PLAIN) == (
        "1 experiment against the documentation: 0 passed, 1 failed (numpy 2.4.6, torch 2.13.0)\n\n"
        "### `torch.from_numpy numpy→torch`: outcome: expected copied, found shared\n\n"
        "> A copy is made.\n\n"
        "<https://a.org/b>\n\n"
        "- 4×3 float32, contiguous, plain, cpu\n\n"
        "```console\ntensorbridge repro torch.from_numpy --direction numpy-to-torch\n```\n"
    )


def test_a_grid_is_a_block_and_its_breaches_a_list():
    entries = (*GALLERY.observations, *GALLERY.not_applicable)
    kinds = parsed(grids(Grids(counted(entries), GALLERY.environment), PLAIN))
    assert [kind for kind, _ in kinds].count("fence") == 1
    assert [kind for kind, _ in kinds].count("list_item_open") == 1
