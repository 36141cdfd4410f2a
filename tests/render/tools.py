"""The verbs of these tests: ``load`` a hand-made report, ``made_of`` rows, ``show`` it, ``matches`` a golden file.

The golden files are written anew by ``TENSORBRIDGE_GOLDEN=write pytest tests/render``; read the difference before
committing it.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorbridge_cli.catalog.hazards import with_codes
from tensorbridge_cli.encoding import decode
from tensorbridge_cli.records import report as model
from tensorbridge_cli.records.enums import Expected, Verdict
from tensorbridge_cli.render import View, render

REPORTS = Path(__file__).parents[1] / "reports"
GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in REPORTS.glob("*.json"))


_CLAUSE = model.Clause(
    about="outcome",
    expected="copied",
    observed="shared",
    verdict=Verdict.BROKEN,
    citation="https://a.org/b",
    sentence="A copy is made.",
)
CONTRADICTED = model.Contract(
    expected=Expected.COPIED, verdict=Verdict.BROKEN, citation=_CLAUSE.citation, clauses=(_CLAUSE,)
)
"""The contract of a row that does not do what its page says."""


def load(name: str) -> model.Report:
    return with_codes(decode((REPORTS / f"{name}.json").read_bytes()))


def row(name: str = "shared", **changes: Any) -> model.Row:
    """Return the row of a hand-made report, changed; a dict changes the record of that name."""
    base = load(name).observations[0]
    deep = {key: replace(getattr(base, key), **to) for key, to in changes.items() if isinstance(to, dict)}
    return replace(base, **(changes | deep))


def case(**changes: Any) -> model.NotApplicable:
    return replace(load("not_applicable").not_applicable[0], **changes)


def made_of(*entries: model.Row | model.NotApplicable) -> model.Report:
    rows = tuple(entry for entry in entries if isinstance(entry, model.Row))
    cases = tuple(entry for entry in entries if isinstance(entry, model.NotApplicable))
    return with_codes(model.report(load("shared").environment, rows, cases))


def show(
    what: str | model.Report,
    width: int | None = 80,
    *,
    colour: bool = False,
    values: bool = False,
    picture: bool = False,
) -> str:
    """Return the table; boxed where it has a width, as for a terminal, plain where it has none, as for a pipe."""
    report = load(what) if isinstance(what, str) else what
    view = View(width=width, colour=colour, box=width is not None, values=values, picture=picture)
    return render(report, "table", view)


def matches(golden: str, text: str) -> bool:
    path = GOLDEN / f"{golden}.txt"
    if os.environ.get("TENSORBRIDGE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name}: see {Path(__file__).name} for how to write it anew"
    return True


def flat(text: str) -> str:
    """Undo the folding."""
    return " ".join(text.split())
