"""What a program's text says of writes, of many lines in many files: each file is read once."""

import ast

from tensorbridge_cli.tracing.report.writes import thaws, written_in_place
from tests.tracing.test_source import START, site_of

LINES, FILES = 20, 100


def program(path, last):
    """Write a program of ``LINES`` conversions; return their sites and the texts of ``FILES`` other files."""
    copies = "".join(f"y{n} = torch.tensor(b.x{n})\n" for n in range(LINES))
    path.write_text(START + copies, encoding="utf-8")
    others = tuple(f"def f{n}(a):\n    a[{n}] = 0\n" for n in range(FILES - 1))
    sites = [site_of(path, "torch.tensor", n) for n in range(LINES)]
    return sites, (path.read_text(encoding="utf-8"), *others, last)


def test_a_file_is_parsed_once_for_all_lines(tmp_path, monkeypatch):
    sites, texts = program(tmp_path / "program.py", "def g(a):\n    a[0] = 1\n")
    parse, parsed = ast.parse, []
    monkeypatch.setattr(ast, "parse", lambda text, *more, **named: parsed.append(text) or parse(text, *more, **named))
    assert not any(written_in_place(site, texts) for site in sites)
    assert not any(thaws(texts) for _ in sites)
    assert len(parsed) == len(set(parsed))


def test_what_another_file_writes_is_found_among_many(tmp_path):
    sites, texts = program(tmp_path / "program.py", "def g(b):\n    b.x3[0] = 1\n")
    assert [written_in_place(site, texts) for site in sites] == [n == 3 for n in range(LINES)]
    assert thaws((*texts, "a.flags.writeable = True\n"))
