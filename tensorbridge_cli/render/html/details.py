"""The details of a cell of the page: all facts of one row, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import PackageLoader, StrictUndefined
from markupsafe import Markup

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import script
from tensorbridge_cli.printable import escape_lines
from tensorbridge_cli.records.report import Environment, NotApplicable, Object, Row, cost
from tensorbridge_cli.records.trace import Finding, Side, Site
from tensorbridge_cli.render.memory_map.picture_svg import svg
from tensorbridge_cli.render.report.sections import notes_on
from tensorbridge_cli.render.report.values import before_and_after
from tensorbridge_cli.render.report.verdicts import repro
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.trace.traces import made_in, seconds

_WIDTH = 76
"""Columns of the elements before and after each write."""


@lru_cache(maxsize=1)
def templates() -> Templates:
    """Return the templates of the page, in which every text is escaped."""
    environment = Templates(
        loader=PackageLoader("tensorbridge_cli", "render/html"),
        autoescape=True,
        finalize=_printable,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["verdict"] = words.VERDICTS.__getitem__
    return environment


def _printable(fact: Any) -> Any:
    """Escape what does not print in a text that is put into the page, which a browser may show in another order."""
    return escape_lines(fact) if isinstance(fact, str) and not isinstance(fact, Markup) else fact


@dataclass(frozen=True)
class Details:
    """Writes what cells open to; ``environment`` is what the experiments ran on."""

    environment: Environment | None

    @cached_property
    def _template(self) -> Any:
        return templates().get_template("details.html").module

    def row(self, row: Row) -> str:
        """Return the evidence of one experiment."""
        return str(
            self._template.row(
                row=row,
                subject=words.subject(row.subject, (row.source,) if row.source else ()),
                writes=list(words.writes(row)),
                facts=_facts(row.source, row.result),
                relation=[
                    (name, _fact_text(fact))
                    for key, name in _RELATION.items()
                    if (fact := getattr(row.relation, key)) != ()
                ],
                notes=[note for note in notes_on(row) if note.tone not in ("remedy", "broken")],
                remedies=[(remedy.code, cost(remedy)) for remedy in row.remedies],
                picture=svg(row),
                values="\n".join(line.plain for line in before_and_after(row.conversion, row, _WIDTH)).rstrip(),
                script=self._script(row),
                command=repro(row),
                fill=words.fill(row.evidence.fill or ""),
            )
        )

    def not_applicable(self, case: NotApplicable) -> str:
        """Return why a case was not tried."""
        return str(self._template.not_applicable(case=case, subject=words.subject(case.subject, ())))

    def changes(self, facts: Sequence[tuple[str, str, str]]) -> str:
        """Return the facts of a cell before and after."""
        return str(self._template.changes(facts=facts))

    def site(self, site: Site, place: str, findings: Sequence[Finding]) -> str:
        """Return all that was counted at one line of a program, which is called ``place``."""
        facts = {
            "file": site.file,
            "function": site.function,
            "calls": _fact_text(site.calls),
            "bytes": _fact_text(site.bytes),
            "copied bytes": _fact_text(site.copied_bytes),
            "time": seconds(site.seconds),
            **{name: _fact_text(count) for name, count in site.outcomes.counts().items()},
            "made in": ", ".join(site.via),
            "called from": ", ".join(site.stack),
            "processes": ", ".join(site.processes),
        }
        return str(
            self._template.site(
                site=site,
                place=place,
                made_in=made_in(site),
                findings=findings,
                facts=[(name, fact) for name, fact in facts.items() if fact],
                dtypes=[(one.source or words.NOTHING, one.result or words.NOTHING, one.calls) for one in site.dtypes],
                samples=[
                    (
                        sample.outcome,
                        [
                            (name, *(_fact_text(getattr(one, name)) for one in (sample.source, sample.result)))
                            for name in Side.__dataclass_fields__
                        ],
                    )
                    for sample in site.samples
                ],
            )
        )

    def _script(self, row: Row) -> str:
        assert self.environment is not None
        try:
            return script.script(row, self.environment)
        except RequestError as error:  # a conversion of the user's own, whose code the report does not hold
            return f"# {error}"


_RELATION = {
    "same_pointer": "same pointer",
    "same_storage": "same storage",
    "overlaps": "overlapping bytes",
    "overlap_bytes": "bytes in common",
    "same_object": "same object",
    "owner_kept": "owner kept",
    "copied_parts": "parts that are copies",
}


def _facts(source: Object | None, result: Object | None) -> list[tuple[str, str, str]]:
    """Return each fact that one of both objects has, with what it is of each."""
    facts = []
    for name in Object.__dataclass_fields__:
        before, after = (_fact_text(getattr(one, name, None)) for one in (source, result))
        if (before, after) != (words.NOTHING, words.NOTHING):
            facts.append((name.replace("_", " "), before, after))
    return facts


def _fact_text(fact: object) -> str:
    if fact is None:
        return words.NOTHING
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, tuple):
        return f"({', '.join(map(str, fact))})"
    return f"{fact:,}" if isinstance(fact, int) else str(fact)
