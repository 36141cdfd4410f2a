"""What the documentation of the installed versions promises of one conversion of one subject.

Derived from the description of the subject alone, without running anything; nothing here reaches the lab. Where no rule
speaks the verdict is ``undocumented``, and so it is where the page of the installed version does not have the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorbridge_cli.catalog.documentation import address, is_docstring, read_for
from tensorbridge_cli.catalog.entry import A_PYTHON_NUMBER, THE_ONE_ASKED_FOR, THE_SOURCES, Rule
from tensorbridge_cli.catalog.registry import RULES
from tensorbridge_cli.catalog.states import DETECTED, words
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Expectation, Promise, Subject

_TYPES = {"masked": "numpy.ma.MaskedArray", "matrix": "numpy.matrix", "memory-mapped": "numpy.memmap"}
_LIBRARIES = {"numpy": "numpy", "torch": "torch"}
"""The library that a dotted name begins with; the others are Python's own."""


@dataclass(frozen=True)
class Documentation:
    """Which of the cited sentences the pages of some versions have.

    Attributes:
        versions: the version of each library that is installed, and of Python; empty for those that the pages were
            read for.
        absent: the sentences that are not in the docstrings of these versions, each after its page.
        replaced: what the user's set-up code has put something else in the place of: no page speaks of that.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[tuple[str, str]] = frozenset()
    replaced: tuple[str, ...] = ()

    def wording(self, rule: Rule) -> str | None:
        """Return the sentence of ``rule`` as its page has it; ``None`` if the page does not have it."""
        if self.replaced:
            return None
        if any(not self._is_installed(library, version) for library, version in read_for(rule.page).items()):
            return None
        return next((wording for wording in rule.wordings if (rule.page, wording) not in self.absent), None)

    def _is_installed(self, library: str, version: str) -> bool:
        return library not in self.versions or self.versions[library].split(".")[:2] == version.split(".")

    def why_absent(self, rule: Rule) -> str:
        """Return why ``wording`` is ``None``, for a reader."""
        if self.replaced:
            return f"the --setup code replaced {', '.join(self.replaced)}"
        if is_docstring(rule.page):
            library = _LIBRARIES.get(rule.page.partition(".")[0], "python")
            return f"not on the page of {library} {self.versions.get(library, '')}".rstrip()
        versions = read_for(rule.page)
        read = " and ".join(f"{library} {version}" for library, version in versions.items())
        here = [f"{library} {self.versions[library]}" for library in versions if library in self.versions]
        return f"the page was read for {read}; {' and '.join(here)} {'are' if len(here) > 1 else 'is'} installed"


AS_READ = Documentation(
    absent=frozenset((rule.page, rule.sentence) for rules in RULES.values() for rule in rules if rule.until)
)
"""The pages of the versions that the catalogue was read for."""


def expectation(
    conversion: str, subject: Subject, to_dtype: str | None, documentation: Documentation = AS_READ
) -> Expectation:
    """Return what the documentation promises for this conversion of this subject.

    No two rules promise one subject different things on one version; of two with the same promise, the first is cited,
    and one that the page has before one that it has not.
    """
    promises: dict[str, Promise] = {}
    for rule in () if DETECTED.keys() & words(subject.state) else RULES.get(conversion, ()):
        known = promises.get(rule.about)
        if known is not None and known.absent is None:
            continue
        if not rule.when(subject, to_dtype) or (_is_of_the_sources_type(rule) and not _has_known_type(subject)):
            continue
        sentence = documentation.wording(rule)
        if sentence is None and (known is not None or rule.until):
            continue
        promises[rule.about] = Promise(
            about=rule.about,
            expected=_filled_in(rule, subject, to_dtype),
            citation=address(rule.page, documentation.versions),
            sentence=sentence or rule.sentence,
            absent=documentation.why_absent(rule) if sentence is None else None,
        )
    return Expectation(promises=tuple(promises.values()))


def _filled_in(rule: Rule, subject: Subject, to_dtype: str | None) -> str:
    if rule.expected == THE_ONE_ASKED_FOR:
        return to_dtype or ""
    if rule.expected == A_PYTHON_NUMBER:
        return subject.dtype.lstrip("u").rstrip("0123456789")
    if rule.expected == THE_SOURCES:
        known = {"type": _type_of(subject), "dtype": subject.dtype, "device": subject.device}
        return known.get(rule.about, rule.expected)
    return rule.expected


def _is_of_the_sources_type(rule: Rule) -> bool:
    return rule.about == "type" and rule.expected == THE_SOURCES


def _has_known_type(subject: Subject) -> bool:
    """Return False for a user's own object over a memory map: it may be a numpy.memmap or a plain ndarray."""
    own = subject.origin in (Origin.EXPRESSION, Origin.OBJECT)
    return not (own and "memory-mapped" in words(subject.state))


def _type_of(subject: Subject) -> str:
    """Return the type of a NumPy subject; the state that is applied last decides."""
    return next((name for word, name in _TYPES.items() if word in words(subject.state)), "numpy.ndarray")
