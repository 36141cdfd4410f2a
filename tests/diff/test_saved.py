"""What was saved is read again: of lines of JSON one at a time."""

import pytest

from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY

HAZARD = next(hazard.code for row in GALLERY.observations for hazard in row.hazards)


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "report.jsonl"
    path.write_text(render(GALLERY, "jsonl"), encoding="utf-8")
    return path


def test_lines_have_the_cells_of_the_whole_report_and_are_read_in_turn(lines, monkeypatch):
    monkeypatch.setattr(saved, "_read", None)  # which reads a whole file
    assert saved.recording(str(lines)) == of_report(GALLERY)
    _, entries = saved.entries(str(lines))
    assert [*entries] == [*GALLERY.observations, *GALLERY.not_applicable]


@pytest.mark.parametrize("read", [saved.recording, lambda path: [*saved.entries(path)[1]]])
def test_lines_that_were_cut_off_are_no_report(lines, read):
    whole = lines.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.write_text("".join(whole[:-1]), encoding="utf-8")
    with pytest.raises(RequestError, match="is truncated"):
        read(str(lines))
    lines.write_text("".join([*whole[:3], whole[3][:40]]), encoding="utf-8")
    with pytest.raises(RequestError, match="line 4: it is truncated"):
        read(str(lines))


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_a_hazard_that_is_not_known_is_no_report(tmp_path, format_name):
    path = tmp_path / f"report.{format_name}"
    path.write_text(render(GALLERY, format_name).replace(HAZARD, "qwzx"), encoding="utf-8")
    with pytest.raises(RequestError, match=r"'qwzx' is not a hazard that this version knows"):
        saved.recording(str(path))
