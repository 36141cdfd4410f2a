"""What ``--fail-on`` allows: sums that must not be passed, hazards and findings that must not be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorbridge_cli.catalog import codes
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.trace import Finding, Trace
from tensorbridge_cli.records.trace_words import CODES
from tensorbridge_cli.records.words import amount

SUMS = ("copied-bytes", "bytes", "calls")
_KEYS = (*SUMS, "hazard", "finding")
HAZARDS = ("readonly-dropped", "dtype-changed")
"""The hazards that addresses and flags alone can tell, while a program runs."""
_UNITS = {"": 1, "B": 1} | {
    f"{letter}{i}B": base**power
    for power, letter in enumerate("KMGT", start=1)
    for i, base in (("", 1000), ("i", 1024))
}


@dataclass(frozen=True)
class Limit:
    """One condition: ``copied-bytes`` with the most that is allowed, or ``hazard`` or ``finding`` with a code."""

    key: str
    most: int = 0
    code: str = ""


def parse(texts: Sequence[str]) -> tuple[Limit, ...]:
    """Read ``copied-bytes=10MB,hazard=readonly-dropped,finding=TB203``; ``finding=any`` is every finding.

    Raises:
        RequestError: for what is not a condition.
    """
    if not all(given.strip(" ,") for given in texts):  # e.g. a variable of the shell that is not set
        raise RequestError("--fail-on is empty: use e.g. copied-bytes=10MB or finding=any.")
    return tuple(_limit(text.strip()) for given in texts for text in given.split(",") if text.strip())


def _limit(text: str) -> Limit:
    key, equals, value = text.partition("=")
    if key not in _KEYS:
        raise unknown("condition", key, _KEYS)
    if not equals or not value:
        raise RequestError(f"--fail-on {text!r}: use {key}={'10MB' if key in SUMS else 'CODE'}.")
    if key in SUMS:
        return Limit(key, most=_size(text, value))
    known = HAZARDS if key == "hazard" else (*CODES, "any")
    name = codes.finding_of(value)
    if name not in known:
        raise (
            unknown(key, value, known)
            if key == "finding"
            else RequestError(f"a trace does not detect hazard {value!r}: use {' or '.join(known)}.")
        )
    return Limit(key, code=name)


def _size(text: str, value: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B|B|)", value.replace("k", "K"))
    if match is None:
        raise RequestError(f"--fail-on {text!r}: specify a number of bytes, e.g. 500000, 10MB or 1.5GiB.")
    return int(float(match[1]) * _UNITS[match[2]])


def passed(limits: Sequence[Limit], trace: Trace, counting: Sequence[Finding]) -> Iterator[str]:
    """Yield a sentence for each of ``limits`` that ``trace`` does not keep; what a line accepts does not count.

    ``counting`` are those of its findings that ``--select`` and ``--ignore`` leave.
    Of a process whose libraries were not hooked nothing is known, so that no limit is kept.
    """
    for process in trace.processes if limits else ():
        if process.unhooked:
            libraries = " and ".join(process.unhooked)
            yield f"cannot be decided: the conversions of {libraries} in {process.name} were not recorded"
    for limit in limits:
        if limit.key in SUMS:
            total = getattr(trace.totals, limit.key.replace("-", "_"))
            if total > limit.most:
                yield f"{limit.key}: {total:,}, more than {limit.most:,}"
            continue
        if limit.key == "hazard":
            # dtype-changed is not a finding: it is accepted with what is found at its line
            accepted = {
                finding.site
                for finding in trace.findings
                if finding.accepted is not None and (finding.code == limit.code or limit.code not in CODES)
            }
            places = [site.id for site in trace.sites if limit.code in site.hazards and site.id not in accepted]
        else:
            places = [
                finding.site for finding in counting if limit.code in ("any", finding.code) and finding.accepted is None
            ]
        if places:
            yield f"{limit.key} {limit.code}: at {amount(len(places), 'place')}, first {places[0]}"
