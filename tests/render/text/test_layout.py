import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from tensorbridge_cli.render.text.layout import AT_CODE, AT_SPACES, columns, command, fold, hang, styled, to_string
from tensorbridge_cli.render.text.words import one_line


def folded(text, width, pieces=AT_SPACES):
    return [line.plain for line in fold(Text(text), width, pieces)]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", None, ["one two three"]),
        ("see https://example.org/page", 10, ["see", "https://ex", "ample.org/", "page"]),
        ("配列 配列", 5, ["配列", "配列"]),
    ],
)
def test_text_is_folded_at_spaces(text, width, lines):
    assert folded(text, width) == lines


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("torch.from_numpy", 12, ["torch.", "from_numpy"]),
        ("torch.asarray(copy=False)", 15, ["torch.asarray(", "copy=False)"]),
        ("Tensor.numpy()", 13, ["Tensor.", "numpy()"]),
        ("float64 → float32", 9, ["float64 →", "float32"]),
        ("0x55d0c0de0000", 8, ["0x55d0c0", "de0000"]),
    ],
)
def test_code_is_folded_where_it_reads_well(text, width, lines):
    assert folded(text, width, AT_CODE) == lines


@given(st.text().map(one_line), st.integers(2, 30), st.sampled_from([AT_SPACES, AT_CODE]))
def test_folding_keeps_to_the_width_and_loses_nothing(text, width, pieces):
    lines = folded(text, width, pieces)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_what_follows_hangs():
    assert [line.plain for line in hang(Text("one two three"), 9)] == ["one two", "  three"]


def test_cells_of_two_lines_keep_their_column():
    cells = [[Text("a"), Text("b")], [Text("c")], [Text("d"), Text("e")]]
    assert [line.plain for line in columns(cells, [2, 1, 1])] == ["a   c  d", "b      e"]


def test_colour_is_added_and_nothing_else(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    line = styled("[red]:warning:[/red] 1.0", "refused")
    assert to_string([line], colour=True) == "\x1b[33m[red]:warning:[/red] 1.0\x1b[0m\n"
    assert to_string([line], colour=False) == "[red]:warning:[/red] 1.0\n"


@given(
    st.lists(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs"))), min_size=1),
    st.integers(3, 40),
)
def test_a_command_that_is_folded_is_the_same_to_the_shell(words, width):
    typed = shlex.join(words)
    *rest, last = [line.plain for line in command(typed, width)]
    assert all(line.endswith(" \\") for line in rest)
    each = [shlex.split(line) for line in (*(line.removesuffix(" \\") for line in rest), last)]
    assert [word for line in each for word in line] == words
    assert all(len(line) <= width or len(some) == 1 for line, some in zip((*rest, last), each, strict=True))
    assert command(typed, None)[0].plain == typed
