"""The page of a name: what the catalogue and the judgement say of it, and the experiments that show it.

The rules are those of ``catalog.registry``, which ``check`` holds the installed versions against.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tensorbridge_cli.catalog import codes, dtypes, hazards, layouts, messages, registry, states
from tensorbridge_cli.catalog.carriers import GROUPS
from tensorbridge_cli.catalog.conditions import When
from tensorbridge_cli.catalog.documentation import READ_FOR, READ_WITH, address
from tensorbridge_cli.catalog.entry import Conversion, Rule
from tensorbridge_cli.catalog.findings import FINDINGS
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.catalog.registry import RULES, UNTESTED
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.explain import history
from tensorbridge_cli.judgement.outcomes import OUTCOMES
from tensorbridge_cli.records import renamed
from tensorbridge_cli.records.enums import SPELLED, Library, Outcome
from tensorbridge_cli.records.explanation import Item, Page, Part
from tensorbridge_cli.records.trace_words import CODES
from tensorbridge_cli.records.words import shell_line


def names() -> dict[str, str]:
    """Return every name that has a page, with what it is a name of; the later of two kinds is meant."""
    return {
        **dict.fromkeys(registry.groups(), "group"),
        **dict.fromkeys(FINDINGS, "finding"),
        **{entry.name: "dtype" for entry in dtypes.DTYPES},
        **dict.fromkeys(hazards.BY_NAME, "hazard"),
        **{outcome.value: "outcome" for outcome in OUTCOMES},
        **dict.fromkeys(layouts.BY_NAME, "layout"),
        **dict.fromkeys([*states.BY_NAME, *states.DETECTED], "state"),
        **{entry.name: "conversion" for entry in registry.conversions()},
    }


def meant(text: str) -> str:
    """Return the name that ``text`` means: that name in any case, or the end of a conversion's, as ``from_numpy``.

    The name of a library means the group of the conversions that take its objects.

    Raises:
        RequestError: if there is none, with the closest names, or where several conversions end so.
    """
    known = {name.lower(): name for name in names()}
    if (named := codes.name_of(text)) in names():
        return named
    if text.lower() in renamed.NAMES:
        return renamed.NAMES[text.lower()]
    of_library = {library.value: group for library, group in GROUPS.items()}
    if text.lower() in of_library and text.lower() not in known:
        return of_library[text.lower()]
    if codes.is_code(text):
        raise unknown("code", text, codes.NAMES)
    library, _, dtype = text.rpartition(".")
    if library in ("np", "numpy", "torch") and names().get(dtype) == "dtype":
        return dtype
    try:
        candidates = registry.candidates(text)
    except RequestError:
        if text.lower() in known:
            return known[text.lower()]
        texts = {one.text: one.text for one in messages.MESSAGES}
        shown = text if len(text) <= _LONG else f"{text[:_LONG]}…"
        raise unknown("name", shown, names(), spelled=registry.first_of_each() | registry.spellings() | texts) from None
    if len(candidates) > 1:
        raise RequestError(f"{text!r} is ambiguous: use {' or '.join(entry.name for entry in candidates)}.")
    return candidates[0].name


_LONG = 60


def find(text: str) -> Page:
    """Return the page of the name that ``text`` means, or of the error or warning that it holds.

    Raises:
        RequestError: as ``meant``.
    """
    try:
        name = meant(text)
    except RequestError:
        if (message := messages.find(text)) is None:
            raise
        return _message(message)
    if text.upper() in codes.FINDINGS.values():
        return _finding(name)
    page = _PAGES[names()[name]](name)
    if name in FINDINGS and page.kind != "finding":
        finding = _finding(name, f" (in a trace, {codes.FINDINGS[name]})")
        return replace(page, parts=(*page.parts, *finding.parts))
    return page


def pitfalls(text: str) -> tuple[Pitfall, ...]:
    """Return the experiments that show what the page of ``text`` says."""
    try:
        name = meant(text)
    except RequestError:
        if messages.find(text) is None:
            raise
        return ()
    kind = names()[name]
    given: dict[str, Callable[[], tuple[Pitfall, ...]]] = {
        "conversion": lambda: _entry(name).pitfalls,
        "hazard": lambda: hazards.BY_NAME[name].pitfalls,
        "outcome": lambda: OUTCOMES[Outcome(name)].pitfalls,
        "layout": lambda: layouts.BY_NAME[name].pitfalls,
        "state": lambda: () if name in states.DETECTED else states.BY_NAME[name].pitfalls,
        "dtype": lambda: (_crossing(name),),
        "group": tuple,
        "finding": tuple,
    }
    return tuple(pitfall.of(kind, name) for pitfall in given[kind]())


def _entry(name: str) -> Conversion:
    entry = registry.find(name)
    assert entry is not None, name
    return entry


# What is said of each kind ------------------------------------------------------------------------


def _conversion(name: str) -> Page:
    entry = _entry(name)
    rules = RULES.get(name)
    return Page(
        kind="conversion",
        name=name,
        summary=entry.summary,
        parts=_filled(
            Part(title="Call", items=tuple(_typed(entry))),
            Part(title=_DOCUMENTED, items=tuple(_quoted((_promise(rule), rule) for rule in rules or ()))),
            _pitfalls(name),
            Part(title="Alternatives", items=(_tried_instead(entry),)),
            Part(title="Documented, but not tested", items=tuple(_untested(entry, rules or ()))),
            Part(title="Not documented", items=(Item(text=_silence(rules)),)),
            _history(name),
            Part(title="Terms", items=tuple(_meanings(rule.when for rule in rules or ()))),
        ),
    )


_DOCUMENTED = f"Documented ({READ_FOR})"


def _typed(entry: Conversion) -> Iterator[Item]:
    if entry.setup:
        yield Item(code=entry.setup.strip())
    yield Item(code=f"y = {entry.code}", text=", ".join(entry.direction(source) for source in entry.sources))
    if entry.code_with_dtype:
        yield Item(code=f"y = {entry.code_with_dtype}", text="with a target dtype")
    yield Item(link=address(entry.page))
    if entry.groups:
        yield Item(text=f"Group: {', '.join(entry.groups)}")
    if entry.needs:
        yield Item(text=f"Needs {entry.needs}.")


def _quoted(promises: Iterable[tuple[str, Rule]]) -> Iterator[Item]:
    """Yield each sentence once, below all that it promises: for which sources, and what."""
    sentences: dict[tuple[str, str], list[Item]] = {}
    for promise, rule in promises:
        item = Item(lead=rule.when.words, text=promise)
        sentences.setdefault((rule.sentence, rule.page), []).append(item)
    for (sentence, page), items in sentences.items():
        yield from items[:-1]
        yield replace(items[-1], quote=sentence, link=address(page))


def _promise(rule: Rule) -> str:
    """Return what a rule promises, in words: ``shared``, ``dtype: float32``, ``raises ValueError``."""
    promise = _IN_WORDS.get(rule.about, f"{rule.about.replace('-', ' ')}: {{}}").format(rule.expected)
    return f"{promise} (up to {rule.until})" if rule.until else promise


_IN_WORDS = {
    "outcome": "{}",
    "copy": "{}",
    "call": "{}",
    "exception": "raises {}",
    "writes": "a write to either is {} in the other",
    "write to the result": "a write to the result is {} behaviour",
    "elements": "{} in both",
    "warning": "warns: {}",
}
"""How a promise is said, by what it is about; the others are ``dtype: float32``."""


def _untested(entry: Conversion, rules: Iterable[Rule]) -> Iterator[Item]:
    """Yield the sentences of the cited pages that promise or warn, and that no experiment is held against."""
    for page in dict.fromkeys((*(rule.page for rule in rules), entry.page)):
        for sentence, why in UNTESTED.get(page, {}).items():
            yield Item(text=_sentence(why), quote=sentence, link=address(page))


def _silence(rules: tuple[Rule, ...] | None) -> str:
    if rules is None:
        return "A plugin registered this conversion, without documentation."
    return "The docs say nothing about other cases." if rules else "The docs promise nothing that can be tested."


def _meanings(conditions: Iterable[When]) -> Iterator[Item]:
    """Say what each named condition stands for."""
    means_of = {one.words: one.means for condition in conditions for one in condition.named}
    for words, means in means_of.items():
        yield Item(lead=words, text=means)


def _tried_instead(entry: Conversion) -> Item:
    return Item(
        text="For tested alternatives run:",
        code=Pitfall(text="", shows="", conversion=entry.name, layout="all").command,
    )


def _pitfalls(name: str, title: str = "Common pitfalls") -> Part:
    shown = tuple(Item(text=pitfall.text, code=pitfall.command) for pitfall in pitfalls(name))
    return Part(title=title, items=(*shown, Item(text=_seen_on())) if shown else ())


@functools.cache
def _seen_on() -> str:
    """Say on which versions the experiments showed what their sentences say, and which are installed if others are."""
    other = []
    for library, version in READ_WITH.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed = importlib.metadata.version(library)
            if installed.split(".")[:2] != version.split("."):
                other.append(f"{library} {installed}")
    yours = f"; you have {' and '.join(other)}" if other else ""
    return f"Observed with {READ_FOR}{yours}. --live runs the experiments with your versions."


def _history(name: str) -> Part:
    """Return what changed for a conversion or a dtype from one recorded version to the next."""
    changes = tuple(Item(text=text, lead=step) for step, texts in history.recorded().of(name) for text in texts)
    return Part(title="History (recorded)", items=changes)


def _hazard(name: str) -> Page:
    hazard = hazards.BY_NAME[name]
    return Page(
        kind="hazard",
        name=name,
        id=hazard.code,
        summary=_sentence(hazard.summary),
        parts=_filled(
            Part(title="How it is detected", items=(Item(text=hazard.evidence),)),
            Part(title="Why it matters", items=(Item(text=hazard.risk, link=hazard.issue),)),
            _pitfalls(name, "Example")
            if hazard.pitfalls
            else Part(
                title="Example", items=(Item(text="No conversion in the catalogue is known to have this hazard."),)
            ),
            Part(title="What to do", items=(Item(text=hazard.instead),)),
        ),
    )


def _outcome(name: str) -> Page:
    outcome = OUTCOMES[Outcome(name)]
    return Page(
        kind="outcome",
        name=name,
        summary=_sentence(outcome.summary),
        parts=_filled(
            Part(title="How it is determined", items=(Item(text=outcome.evidence),)),
            _pitfalls(name, "Example"),
            Part(title="If you want a different outcome", items=(Item(text=outcome.instead),)),
        ),
    )


def _layout(name: str) -> Page:
    entry = layouts.BY_NAME[name]
    lacking = (Item(text=f"{entry.torch}."),) if isinstance(entry.torch, str) else ()
    return _of_subjects("layout", name, entry.summary, entry.arises, lacking)


def _state(name: str) -> Page:
    if (detected := states.DETECTED.get(name)) is not None:
        occurs = Part(title="Where it occurs", items=(Item(text=detected.arises),))
        return Page(kind="state", name=name, summary=_sentence(detected.summary), parts=(occurs,))
    entry = states.BY_NAME[name]
    return _of_subjects(
        "state", name, entry.summary, entry.arises, (Item(text=f"A state of {entry.library} objects."),)
    )


def _of_subjects(kind: str, name: str, summary: str, arises: str, besides: tuple[Item, ...]) -> Page:
    return Page(
        kind=kind,
        name=name,
        summary=_sentence(summary),
        parts=_filled(
            Part(title="Where it occurs", items=(Item(text=arises), *besides)),
            _pitfalls(name),
            Part(title="Documented", items=tuple(_clauses_about(name))),
            Part(title="Run all conversions", items=(Item(code=_every(kind, name)),)),
        ),
    )


def _every(kind: str, name: str) -> str:
    dtype = " --dtype complex64" if name == "conjugate-bit" else ""
    shape = " --shape 2,3,4,4" if name == "channels-last" else ""
    return f"tensorbridge inspect --all --{kind} {name}{dtype}{shape}"


def _clauses_about(name: str) -> Iterator[Item]:
    """Yield the rules about the memory of objects that have this layout or are in this state."""
    return _quoted(
        (f"{conversion}, {_promise(rule)}", rule)
        for conversion, rules in RULES.items()
        for rule in rules
        if rule.about in ("outcome", "write to the result") and name in rule.when.requires
    )


def _dtype(name: str) -> Page:
    entry = next(one for one in dtypes.DTYPES if one.name == name)
    owners = " and ".join(SPELLED[library] for library in entry.libraries)
    return Page(
        kind="dtype",
        name=name,
        summary=_sentence(entry.summary),
        parts=_filled(
            Part(title="Where it exists", items=(Item(text=f"In {owners}."),)),
            _pitfalls(name),
            Part(title="Documented", items=tuple(_clauses_about(name))),
            _history(name),
            Part(title="Run all conversions", items=(Item(code=_every("dtype", name)),)),
        ),
    )


def _crossing(name: str) -> Pitfall:
    """Return the experiment that shows whether a dtype crosses between the libraries."""
    libraries = next(one for one in dtypes.DTYPES if one.name == name).libraries
    if Library.NUMPY not in libraries:
        return Pitfall(text="NumPy has no such dtype: numpy() raises.", shows="refused", conversion="Tensor.numpy")
    if Library.TORCH not in libraries:
        return Pitfall(text="PyTorch has no such dtype.", shows="refused", conversion="torch.from_numpy")
    return Pitfall(text="A tensor shares the array's memory.", shows="shared", conversion="torch.from_numpy")


def _group(name: str) -> Page:
    return Page(
        kind="group",
        name=name,
        summary="Conversions that --group selects together.",
        parts=(
            Part(
                title="Conversions",
                items=tuple(Item(lead=entry.name, text=entry.summary) for entry in registry.group(name)),
            ),
            Part(title="Run them", items=(Item(code=f"tensorbridge inspect --group {name}"),)),
        ),
    )


def _finding(name: str, where: str = "") -> Page:
    explained = FINDINGS[name]
    return Page(
        kind="finding",
        name=name,
        id=codes.FINDINGS[name],
        summary=_sentence(CODES[name]),
        parts=(
            Part(title=f"Why it matters{where}", items=(Item(text=explained.risk),)),
            Part(title=f"What to do{where}", items=(Item(text=explained.instead),)),
            Part(title=f"Find it{where}", items=(Item(code="tensorbridge trace program.py"),)),
        ),
    )


def _message(message: messages.Message) -> Page:
    return Page(
        kind="message",
        name=message.text,
        summary=message.why,
        parts=_filled(
            Part(title="Example", items=(Item(code=message.example),)),
            Part(title="Alternatives", items=tuple(Item(code=code) for code in message.instead)),
            Part(
                title="See also",
                items=(Item(code=shell_line(("tensorbridge", "explain", message.see))),) if message.see else (),
            ),
        ),
    )


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _filled(*parts: Part) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.items)


_PAGES: dict[str, Callable[[str], Page]] = {
    "conversion": _conversion,
    "hazard": _hazard,
    "outcome": _outcome,
    "layout": _layout,
    "state": _state,
    "dtype": _dtype,
    "group": _group,
    "finding": _finding,
}
