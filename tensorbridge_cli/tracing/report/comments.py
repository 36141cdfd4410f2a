"""Comments in a program that accept what is found at their line: ``# tensorbridge: ok[CODE] REASON``."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tensorbridge_cli.catalog.codes import FINDINGS, finding_of, is_code, labelled, renamed
from tensorbridge_cli.errors import unknown
from tensorbridge_cli.records.trace import Finding, Site, Unused
from tensorbridge_cli.records.trace_words import CODES
from tensorbridge_cli.tracing.report.syntax import text_of

_COMMENT = re.compile(
    r"(?:^|#)\s*tensorbridge:\s*(?P<word>\w+)\b(?:\s*(?P<codes>\[[^\]]*\]))?(?P<reason>.*?)(?:\s#(?!\d).*)?$",
    re.IGNORECASE,
)
"""A comment, or one behind another in a line; its reason ends where a further one begins, and may name issue #7."""

_LIKE_OTHER_TOOLS = frozenset({"accept", "accepted", "allow", "disable", "ignore", "no", "noqa", "off", "okay", "skip"})
"""Words that are meant to accept something, and do not."""

_FORM = "# tensorbridge: ok[CODE] REASON"


@dataclass(frozen=True)
class Comment:
    """What one line accepts.

    Attributes:
        codes: The names of the findings that it accepts; none for every kind.
        reason: The reason that it gives; empty for none.
        wrong: What is wrong with it, if anything is.
    """

    codes: tuple[str, ...] = ()
    reason: str = ""
    wrong: tuple[str, ...] = ()
    accepts_all: bool = False

    def accepts(self, finding: Finding) -> bool:
        """Return True if ``finding``, at the line of this comment, is accepted."""
        return bool(self.reason) and (self.accepts_all or finding.code in self.codes)


def parse(comment: str) -> Comment | None:
    """Read the text of a comment; ``None`` if it is not for this tool."""
    match = _COMMENT.search(comment)
    if match is None:
        return None
    word, listed, reason = match["word"].lower(), match["codes"], match["reason"].strip(" \t:-–")
    if word != "ok":
        if not listed and word not in _LIKE_OTHER_TOOLS:
            return None
        return Comment(wrong=(f"unknown spelling {match['word']!r}: use {_FORM}",))
    codes = [code.strip() for code in (listed or "")[1:-1].split(",") if code.strip()]
    named = {code: finding_of(code) for code in codes}
    wrong = [_not_a_finding(code, name) for code, name in named.items() if name not in CODES]
    wrong += [sentence.rstrip(".") for sentence in map(renamed, codes) if sentence is not None]
    if listed and not codes:
        wrong.append(f"has no code in the brackets: use {_FORM}")
    if not reason:
        wrong.append(f"has no reason: use {_FORM}")
    known = dict.fromkeys(name for name in named.values() if name in CODES)
    return Comment(tuple(known), reason, tuple(wrong), accepts_all=not listed)


def _not_a_finding(code: str, name: str) -> str:
    """Say that ``code`` names no finding; ``name`` is what it is the short code of, e.g. a hazard of conversions."""
    if name != code:
        return f"{labelled(code, name)} is not a finding of trace"
    return str(unknown("code", code, FINDINGS.values() if is_code(code) else CODES))


def accepted(findings: Iterable[Finding], sites: Mapping[str, Site]) -> tuple[tuple[Finding, ...], tuple[Unused, ...]]:
    """Return ``findings``, with the reason of the comment that accepts each, and the comments that accept nothing."""
    files = {file: _comments(file) for file in dict.fromkeys(site.file for site in sites.values())}
    used: set[tuple[str, int, str]] = set()
    marked = []
    for finding in findings:
        site, reason = sites[finding.site], None
        for line in range(site.line, site.end_line + 1):
            comment = files[site.file].get(line)
            if comment is not None and comment.accepts(finding):
                reason = comment.reason
                used.add((site.file, line, finding.code))
        marked.append(replace(finding, accepted=reason))
    unused = [
        Unused(file=file, line=line, reason=comment.reason, problem=problem)
        for file, comments in files.items()
        for line, comment in comments.items()
        for problem in _problems(comment, {code for where, at, code in used if (where, at) == (file, line)})
    ]
    return tuple(marked), tuple(unused)


def _problems(comment: Comment, used: set[str]) -> Iterator[str]:
    """Yield what is wrong with a comment that accepted findings of the codes ``used``."""
    yield from comment.wrong
    if not comment.reason:
        return
    if comment.accepts_all and not used:
        yield "no finding here"
    for code in comment.codes:
        if code not in used:
            yield f"no {code} here"


def _comments(file: str) -> dict[int, Comment]:
    """Return the comments of ``file`` that are for this tool, by line."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text_of(file)).readline))
    except (tokenize.TokenError, SyntaxError):
        return {}
    read = {token.start[0]: parse(token.string.lstrip("# ")) for token in tokens if token.type == tokenize.COMMENT}
    return {line: comment for line, comment in read.items() if comment is not None}
