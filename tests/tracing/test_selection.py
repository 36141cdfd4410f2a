"""``--select`` and ``--ignore`` choose findings; the old spellings of paths still work."""

import pytest

import tensorbridge_cli as tb
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.tracing.report.selection import Selection, parse
from tests.cli.tools import run
from tests.tracing.tools import START, record, script, under

TEXT = START + "a = np.ones(3)\na.flags.writeable = False\ntorch.from_numpy(a)\ntorch.tensor([a, a])\n"


@pytest.mark.parametrize(
    ("select", "ignore", "counted"),
    [
        ([], [], {"round-trip", "storage-larger", "loop-invariant"}),
        (["TB207,loop-invariant"], [], {"round-trip", "loop-invariant"}),
        ([], ["tb207", "loop-invariant"], {"storage-larger"}),
        (["TB207", "TB212"], ["round-trip"], {"loop-invariant"}),
        ([], ["TB122"], {"round-trip", "loop-invariant"}),
    ],
)
def test_what_counts(select, ignore, counted):
    selection, paths = parse(select, ignore)
    assert paths == ()
    assert {name for name in ("round-trip", "storage-larger", "loop-invariant") if selection.counts(name)} == counted


def test_a_code_is_no_path_and_a_path_is_the_old_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("TB201", "lib.py", "a,b"):
        (tmp_path / name).write_text("")
    assert parse([], ["TB201", "lib.py", "a,b"]) == (Selection(ignore=frozenset({"avoidable-copy"})), ("lib.py", "a,b"))


@pytest.mark.parametrize(
    ("select", "ignore", "sentence"),
    [
        (["lib.py"], [], "--select: unknown finding 'lib.py': see tensorbridge list findings."),
        ([], ["TB201,TB299"], "--ignore: unknown finding 'TB299': did you mean TB2"),
        ([], ["round-tripp"], "--ignore: unknown finding 'round-tripp': did you mean round-trip?"),
        ([], ["mask-lost"], "--ignore: unknown finding 'mask-lost': see tensorbridge list findings; use --omit PATH"),
        ([], ["TB101"], "--ignore: TB101 (values-changed) is not a finding of trace."),
    ],
)
def test_what_is_neither(select, ignore, sentence):
    with pytest.raises(RequestError) as raised:
        parse(select, ignore)
    assert str(raised.value).startswith(sentence)


def test_a_program_s_findings_are_chosen(tmp_path):
    script(tmp_path, TEXT)
    options = ("--ignore", "TB208", "--fail-on", "finding=TB203", "program.py")
    assert under(tmp_path, *options).returncode == 1
    assert [one["id"] for one in record(tmp_path)["findings"]] == ["TB203"]


def test_the_old_spellings_still_work_with_a_note(tmp_path):
    (tmp_path / "lib.py").write_text(f"{START}def convert():\n    torch.tensor(np.ones(3))\n")
    script(tmp_path, "import lib\nlib.convert()\n")
    options = ("--only", str(tmp_path), "--ignore", "lib.py", "--all")
    done = run("trace", "--no-remedies", *options, "program.py", cwd=tmp_path)
    assert done.stderr.splitlines()[:2] == [
        "--only is now --include: the old name works for one more release.",
        "--ignore PATH is now --omit PATH: the old name works for one more release.",
    ]
    assert "program.py:2" in done.stderr


def test_a_block_takes_them_too(tmp_path):
    with pytest.raises(tb.TensorbridgeError, match="unknown finding"):
        tb.trace(select=["x"])
    with pytest.warns(DeprecationWarning, match="now trace.include="):
        tb.trace(only=[str(tmp_path)])
    with pytest.warns(DeprecationWarning, match="now trace.omit="):
        tb.trace(ignore=[str(tmp_path)])
