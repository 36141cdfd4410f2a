"""The findings of a trace: what is slow and what is dangerous, at which line, and what to write instead.

Nothing is accused on an address alone: ``certain`` is what the calls themselves showed, ``possible`` what rests on
memory that was seen again. Code is printed as a remedy only if it would not change what a right program computes; else
the finding says what could not be observed, and leaves the code to the reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, combinations
from pathlib import PurePath
from types import MappingProxyType

from tensorbridge_cli.records.trace import Finding, Site, Trace, by_line
from tensorbridge_cli.records.trace_words import CODES
from tensorbridge_cli.records.words import amount, with_article
from tensorbridge_cli.tracing.inside.records import Note, Place
from tensorbridge_cli.tracing.report import comments
from tensorbridge_cli.tracing.report.aliases import (
    is_bound_again,
    is_given_back_and_used_no_more,
    is_used_after,
    is_used_no_more,
    is_what_is_left,
    may_be_kept,
)
from tensorbridge_cli.tracing.report.comparisons import (
    binds_an_item,
    is_compared,
    is_compared_in_turn,
    is_kept_at_best,
)
from tensorbridge_cli.tracing.report.experiments import (
    DELIBERATE_COPIES,
    WHOLE,
    Reading,
    SharingSource,
    better_code,
    copied_source,
    plain_layout,
    reading_of,
    reads_one_by_one,
)
from tensorbridge_cli.tracing.report.live_views import is_shown_in_each_pass, is_view_of_blank_memory
from tensorbridge_cli.tracing.report.merge import Notes
from tensorbridge_cli.tracing.report.rewriting import rewritten
from tensorbridge_cli.tracing.report.source import (
    call_of,
    makes_its_source,
    names_in,
    place_of,
    program_texts,
    unpacks_its_source,
    used_once,
    written_here,
)
from tensorbridge_cli.tracing.report.syntax import function_of, is_python, text_of
from tensorbridge_cli.tracing.report.uses import is_used_in_between, may_be_written
from tensorbridge_cli.tracing.report.writes import (
    is_made_to_write,
    is_written_through,
    only_written_to,
    thaws,
    writes_past_torch,
)

OFTEN = 8
"""Calls that must have been looked at before one is said to repeat."""


def judged(
    trace: Trace,
    notes: Mapping[str, Notes],
    shares: Mapping[SharingSource, str],
    ratios: Mapping[Reading, float] = MappingProxyType({}),
) -> Trace:
    """Return ``trace`` with its findings, the most bytes first, and the comments that accept none or give no reason.

    Args:
        trace: What was counted.
        notes: What was noticed at each site, by its id.
        shares: Code that was tried on a source like it and shared; ``x`` is the source.
        ratios: How many times as long reading element by element takes as the better line, as far as it was measured.
    """
    sites = {site.id: site for site in trace.sites}
    texts = program_texts(trace)
    findings = _without_nested(
        [finding for site in trace.sites for finding in _findings_of(site, notes[site.id], shares, ratios, texts)],
        sites,
    )
    order = list(CODES)
    findings.sort(key=lambda finding: (-finding.bytes, order.index(finding.code), by_line(sites[finding.site])))
    marked, unused = comments.accepted(findings, sites)
    return replace(trace, findings=marked, unused=unused)


def _without_nested(findings: list[Finding], sites: Mapping[str, Site]) -> list[Finding]:
    """Keep one finding of calls that are within each other: in ``t.detach().cpu().numpy()`` each call shares.

    It is that of the call between array and tensor; if there is none, of the outermost. Calls side by side, as in
    ``{"x": torch.from_numpy(a), "y": torch.from_numpy(b)}``, each have memory of their own.
    """
    by_line: dict[tuple[str, int, str], list[Finding]] = {}
    for finding in findings:
        if finding.code in _OF_A_MEMORY:
            site = sites[finding.site]
            by_line.setdefault((site.file, site.line, finding.code), []).append(finding)
    left_out = set[int]()
    for one, other in chain.from_iterable(combinations(of_a_line, 2) for of_a_line in by_line.values()):
        first, second = sites[one.site], sites[other.site]
        if _are_nested(first, second):
            left_out.add(id(one if _width(first) < _width(second) else other))
    return [finding for finding in findings if id(finding) not in left_out]


def _are_nested(*sites: Site) -> bool:
    """Return True if of two calls that begin in one line one is within the other, as far as their columns are known."""
    inner, outer = sorted(((site.column or 0, -site.end_line, -(site.end_column or 0)) for site in sites), reverse=True)
    return outer[1:] <= inner[1:]


_OF_A_MEMORY = ("alias-written", "buffer-stored-twice")


def _crosses(site: Site) -> bool:
    return any({sample.source.kind, sample.result.kind} == {"array", "tensor"} for sample in site.samples)


def _width(site: Site) -> tuple[bool, int, int]:
    return _crosses(site), site.end_line - site.line, (site.end_column or 0) - (site.column or 0)


def _findings_of(
    site: Site,
    notes: Notes,
    shares: Mapping[SharingSource, str],
    ratios: Mapping[Reading, float],
    texts: tuple[str, ...],
) -> Iterator[Finding]:
    codes, here = notes.codes, written_here(site)
    if "readonly-dropped" in codes:
        yield _readonly_dropped(site, notes, texts)
    if "immutable-written" in codes:
        yield _immutable_written(site, codes["immutable-written"])
    moved = codes.get("source-moved")
    if moved is not None and not is_used_no_more(moved.since or place_of(site), texts):
        yield _source_moved(site, moved)
    if "storage-larger" in codes:
        yield _storage_larger(site, codes["storage-larger"], notes)
    stored = codes.get("buffer-stored-twice") or _stored_by_lines(site, codes, texts)
    if stored is not None and (site.own or _crosses(site)) and not is_used_no_more(place_of(site), texts):
        yield _buffer_stored_twice(site, stored)
    if site.own:
        yield from _written_later(site, codes, texts, is_stored=stored is not None)
    if here is False:  # what a library does is not for the user to write otherwise
        return
    yield from _avoidable(site, notes, shares, texts)
    if reads_one_by_one(site):
        reading = reading_of(site, notes)
        ratio = ratios.get(reading) if reading is not None else None
        if ratio is None or ratio >= _FASTER:  # of a list of a few small arrays it may be the other way round
            yield from _element_by_element(site, notes, _times(reading, ratio))
    if here:
        yield from _repeated(site, notes)
    if "there-and-back" in codes:
        yield _there_and_back(site, codes["there-and-back"])
    # t.numpy()[0] = 1 writes to the copy that t is
    if "round-trip" in codes and not (only_written_to(site) or is_used_in_between(site)):
        yield _round_trip(site, codes["round-trip"])


def _stored_by_lines(site: Site, codes: Mapping[str, Note], texts: tuple[str, ...]) -> Note | None:
    """Return the note of results that were each made for another line, unless none is used after the next was made.

    If none of them outlives the program's work, the text must show such a use: the names of two loops over one loader
    are bound anew in each pass.
    """
    note, places = codes.get("stored-by-lines"), _places(codes.get("alias-written"))
    if note is None or (places and all(is_given_back_and_used_no_more(site, at, texts) for at in places)):
        return None
    is_used = any(at.until and is_used_after(site, at) for at in places)
    return note if is_used or "still-held" in codes else None


def _places(note: Note | None) -> tuple[Place, ...]:
    """Return the earlier lines that a note is about."""
    return (_earlier(note), *note.also) if note is not None else ()


def _written_later(
    site: Site, codes: Mapping[str, Note], texts: tuple[str, ...], *, is_stored: bool
) -> Iterator[Finding]:
    if not is_stored:
        aliases = [at for at in _places(codes.get("alias-written")) if _is_missed(site, at, texts)]
        if aliases:  # what a program compares was to stay; another result may be to show what comes
            yield _alias_written(site, next((at for at in aliases if is_compared(site, at)), aliases[0]))
        elif "last-changed" in codes and is_compared_in_turn(site, texts):
            yield _last_changed(site, "whose result is still held and compared with this one")
        elif "last-changed" in codes and is_kept_at_best(site, texts):
            yield _last_changed(site, "whose result was still held, as the best so far")
    if "written-in-place" in codes and not only_written_to(site):
        yield _written_in_place(site, codes["written-in-place"])


def _is_missed(site: Site, at: Place, texts: tuple[str, ...]) -> bool:
    """Return True unless the text shows that nobody looks at an earlier result after its memory was written.

    Text that cannot be parsed shows nothing, and may be that of a right program.
    """
    if not all(map(is_python, texts)):
        return False
    if at.also_held and (is_written_through(at) or not may_be_kept(site, at)):
        return False
    if at.until or at.also_held:
        return is_used_after(site, at)
    if binds_an_item(at) or is_view_of_blank_memory(site, at) or is_shown_in_each_pass(site, at):
        return is_compared(site, at)
    return not (
        is_bound_again(site, at, texts)
        or is_used_no_more(at, texts)
        or is_given_back_and_used_no_more(site, at, texts)
        or is_made_to_write(at)
        or is_what_is_left(site, at, texts)
    )


def _readonly_dropped(site: Site, notes: Notes, texts: tuple[str, ...]) -> Finding:
    detail = "the source is read-only but the result, sharing its memory, is writable"
    remedy = _copying(site)
    # else the memory may be written through another name, and the program may wait to see it in the result
    if notes.count("frozen") < notes.count("readonly-dropped") or thaws(texts):
        remedy += ", unless the result must show what is written to its memory later"
    return _finding(site, "readonly-dropped", detail, remedy, certain=True)


def _immutable_written(site: Site, note: Note) -> Finding:
    writer = _earlier(note)
    here = (writer.file, writer.line) == (site.file, site.line)
    through = "the tensor made here" if here else f"the tensor of {writer.conversion} at {_line(writer)}"
    what = "a bytes object" if note.of == "bytes" else with_article(note.of)
    detail = (
        f"{what} is immutable, but its bytes changed: {through} shares them ({note.nbytes:,} bytes) and was written in "
        "place"
    )
    return _finding(site, "immutable-written", detail, _copying(site), certain=True)


def _source_moved(site: Site, note: Note) -> Finding:
    if note.of:
        happened = "closed or resized" if note.of == "mmap.mmap" else "resized"
        detail = (
            f"the {note.of} was {happened}: the result, still alive, points to freed memory ({note.nbytes:,} bytes)"
        )
        return _finding(site, "source-moved", detail, _copying(site), certain=True)
    detail = (
        f"the tensor's memory ({note.nbytes:,} bytes) is moved here: the result of "
        f"{_earlier(note).conversion} at {_line(_earlier(note))}, which is still alive, points to freed memory"
    )
    return _finding(site, "source-moved", detail, "copy at the first of the two lines, or convert again after this")


def _there_and_back(site: Site, note: Note) -> Finding:
    detail = f"{note.to} became {note.through} at {_line(_earlier(note))} and is {note.to} again here"
    remedy = f"keep it {note.to}, unless the change of values is intended"
    return _finding(site, "dtype-there-and-back", detail, remedy)


def _alias_written(site: Site, earlier: Place) -> Finding:
    if earlier.until:
        later = replace(earlier, line=earlier.until)
        detail = f"its result for {_line(earlier)} had changed by the call for {_line(later)}, and is used after that"
        return _finding(site, "alias-written", detail, _copying(site))
    detail = f"its bytes changed between {earlier.conversion} at {_line(earlier)}, whose result is still held, and here"
    return _finding(site, "alias-written", detail, "copy at the first of the two lines, if the change is not intended")


def _last_changed(site: Site, whose_result: str) -> Finding:
    detail = f"its bytes changed since an earlier call, {whose_result}"
    return _finding(site, "alias-written", detail, _copying(site))


def _written_in_place(site: Site, note: Note) -> Finding:
    detail = (
        f"the result was written in place and shares its memory with the source: {note.count:,} of the later "
        f"calls looked at converted the modified values"
    )
    return _finding(site, "alias-written", detail, _copying(site))


def _buffer_stored_twice(site: Site, note: Note) -> Finding:
    detail = (
        f"the buffer was overwritten while earlier results were alive: at least {note.changed:,} of them no longer "
        "have their original values"
    )
    return _finding(site, "buffer-stored-twice", detail, _copying(site))


def _storage_larger(site: Site, note: Note, notes: Notes) -> Finding:
    views = f"{note.length:,} views" if note.length > 1 else "a view"
    ratio = note.copied / max(note.needed, 1)
    detail = (
        f"the whole storage is copied for {views} of it: {note.copied:,} bytes for {note.needed:,}, "
        f"{_rounded(ratio)} times as many"
    )
    plain = all((sample.source.state or "plain") == "plain" for sample in site.samples)
    plain = plain and not notes.count("with-more")
    # what else a deep copy takes along, e.g. the gradient of a leaf, a clone does not have
    remedy = rewritten(site, "x.clone()") if plain else "copy a clone of it, which has a storage of its own size"
    return _finding(site, "storage-larger", detail, remedy, site.copied_bytes, certain=True)


def _rounded(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _repeated(site: Site, notes: Notes) -> Iterator[Finding]:
    """Yield a finding for a source that is converted repeatedly, if all its bytes were the same in each inspection."""
    codes = notes.codes
    same = codes.get("same-source")
    # each look but the first can find what the one before it saw
    if same is None or notes.inspected < OFTEN or same.count < notes.inspected - 1 or "other-source" in codes:
        return
    if site.conversion in DELIBERATE_COPIES or "result-written" in codes or makes_its_source(site):
        return
    detail = (
        f"all {same.nbytes:,} bytes of the source were equal in {notes.inspected:,} of {notes.inspected:,} inspections "
        f"of {site.calls:,} calls"
    )
    if same.outcome == "copied":
        remedy = "convert once, and again only after the source is modified"
        if not _result_was_kept(site, notes):
            remedy += "; the result must not be modified either"
        yield _finding(site, "repeated-copy", detail, remedy + _gradient(site), site.copied_bytes)
    else:
        remedy = "convert once, outside the loop, as long as neither the source nor the result is modified"
        yield _finding(site, "loop-invariant", detail, remedy + _gradient(site))


def _gradient(site: Site) -> str:
    """Return what else must be done in a program with gradients: each new tensor begins without one."""
    makes_leaves = not names_in(text_of(site.file)).isdisjoint({"requires_grad_", "Parameter", "backward", "grad"})
    return "; if the result gets a gradient, set it to None before each use" * makes_leaves


def _avoidable(
    site: Site, notes: Notes, shares: Mapping[SharingSource, str], texts: tuple[str, ...]
) -> Iterator[Finding]:
    copies, sole = notes.count("copies"), notes.count("alone")
    if notes.count("named") and used_once(site):  # its name is all that holds it, and is not used again
        sole += notes.count("named")
    only = copies > 0 and sole >= copies and not unpacks_its_source(site)
    if not only and (notes.count("source-written") or notes.count("result-written")):
        return
    unwritten = _neither_was_written(site, notes, texts)
    if only:
        why = "nothing else refers to the source, so sharing it is safe"
    elif unwritten:
        why = f"safe if neither is modified later (neither was, in {copies:,} of {copies:,} inspections)"
    else:
        why = "safe if neither is modified later, which was not confirmed in every inspection"
    for sample in site.samples:
        source = copied_source(site, sample)
        code = shares.get(source) if source is not None else None
        if code is None or source is None:
            continue
        calls = f"{amount(sample.calls, 'call')} copied {sample.bytes:,} bytes"
        detail = f"{calls}; {code} shares ({source.dtype}, {source.layout}, {source.state}): {why}"
        # what shares takes an array, or a tensor: not the list that the same line may convert, too
        alike = all(one.source.kind == sample.source.kind for one in site.samples)
        # a bytearray that is shared cannot grow, and a map cannot be closed
        lasting = not notes.count("of-a-buffer")
        remedy = rewritten(site, code) if (only or unwritten) and alike and lasting else None
        yield _finding(site, "avoidable-copy", detail, remedy, sample.bytes)
        return


def _neither_was_written(site: Site, notes: Notes, texts: tuple[str, ...]) -> bool:
    """Return True if no inspection found a write to source or result, and none can have been missed.

    Bytes are compared when a line comes by again, and at the end: that a buffer is written and put back in between is
    seen in the program's text alone. Of a result that was gone by then torch counts the writes, but not those through
    ``.data`` or an array over its memory.
    """
    copies = notes.count("copies")
    if not copies or notes.count("source-kept") < copies - notes.count("alone") or may_be_written(site, texts):
        return False
    if any("shared-memory" in (sample.source.state or "") for sample in site.samples):  # another process may write
        return False
    return _result_was_kept(site, notes)


def _result_was_kept(site: Site, notes: Notes) -> bool:
    kept = notes.count("result-kept") >= notes.count("copies") - notes.count("alone")
    return kept and not (notes.count("result-gone") and writes_past_torch(text_of(site.file)))


_FASTER = 1.1
"""How many times as fast the better line must be to be called faster: what is measured varies."""


def _times(reading: Reading | None, ratio: float | None) -> str:
    """Say how much faster the better line is, if it was measured."""
    if reading is None or ratio is None:
        return ""
    return f"; {reading.better} was {_rounded(ratio)} times as fast on such an object, measured just now"


def _element_by_element(site: Site, notes: Notes, times: str) -> Iterator[Finding]:
    note = notes.codes.get("list-of-arrays")
    if note is not None and (code := better_code(site, note)) is not None:
        detail = f"a list of {note.length:,} {_ITEMS[note.of]} is converted by {site.conversion} element by element"
        stacks = notes.count("list-of-arrays") == notes.inspected and "does-not-stack" not in notes.codes
        # a method of a tensor, e.g. new_tensor, takes its dtype from it
        if stacks and not site.conversion.startswith("Tensor."):
            call = call_of(site)
            passes_more = site.conversion.startswith("np.") and call is not None and not call.alone
            remedy = rewritten(site, f"np.asarray({code})" if passes_more else code)
        else:
            remedy = "stack them first; the dtype, the shape and the gradient of the result may be others"
        yield _finding(site, "element-by-element", detail + times, remedy, site.copied_bytes, certain=True)
    if (note := notes.codes.get("element-by-element")) is not None and note.whole:
        yield _item_by_item(site, notes, note, times)


_ITEMS = {"array": "arrays", "tensor": "tensors", "scalar": "NumPy scalars"}


def _item_by_item(site: Site, notes: Notes, note: Note, times: str) -> Finding:
    detail = f"{with_article(str(note.of))} of {note.length:,} items is converted by {site.conversion} item by item"
    call = call_of(site)
    cast = call is not None and any(keyword.arg == "dtype" for keyword in call.node.keywords)
    block_copies = notes.count("same-block") + cast * notes.count("block-of-another-dtype")
    if block_copies == notes.count("element-by-element"):
        remedy = rewritten(site, WHOLE)
    else:
        remedy = "make one array of it first; its dtype may be another than that of its items"
    return _finding(site, "element-by-element", detail + times, remedy, site.copied_bytes, certain=True)


def _round_trip(site: Site, note: Note) -> Finding:
    if note.certain:
        detail = "the array came from a tensor and is converted back to one"
        shares = not site.outcomes.copied
        remedy = (
            "use the original tensor" if shares else "use the original tensor, or its clone() if this one is modified"
        )
        return _finding(site, "round-trip", detail, remedy, site.copied_bytes, certain=True)
    origin = f"{_earlier(note).conversion} at {_line(_earlier(note))}"
    detail = f"{origin} created it from an array, and its bytes are unchanged"
    return _finding(
        site, "round-trip", detail, "use the original array, if neither is modified later", site.copied_bytes
    )


def _copying(site: Site) -> str:
    """Return the line with code that converts a copy, or copies the result, so that nothing is shared."""
    return "pass it a copy" if written_here(site) is False else rewritten(site, _of_a_copy(site))


def _of_a_copy(site: Site) -> str:
    if site.conversion.startswith("Tensor.numpy"):
        return f"x.numpy().{_copied_array(sample.result.layout for sample in site.samples)}"
    if site.conversion.endswith(".values"):
        return "x.values.copy()"
    if site.conversion.startswith("Tensor."):
        return f"x.clone().{function_of(site.conversion).removeprefix('Tensor.')}()"
    kinds = {sample.source.kind for sample in site.samples}
    if kinds in ({"array"}, {"tensor"}):
        copied = _copied_array(sample.source.layout for sample in site.samples)
        return f"{function_of(site.conversion)}(x.{copied if kinds == {'array'} else 'clone()'})"
    if kinds <= {"bytes", "memoryview"} and function_of(site.conversion) in _OF_BYTES:
        return f"{function_of(site.conversion)}(bytearray(x))"
    # another object may have no method that copies it
    tensors = {sample.result.kind for sample in site.samples} == {"tensor"}
    return f"{function_of(site.conversion)}(x).{'clone' if tensors else 'copy'}()"


def _copied_array(layouts: Iterable[str | None]) -> str:
    """Return what copies an array and leaves the order of its axes in memory, which ``view`` of a tensor asks for."""
    return "copy()" if {plain_layout(layout) for layout in layouts} <= {None, "contiguous"} else 'copy(order="K")'


_OF_BYTES = ("torch.frombuffer", "np.frombuffer")
"""The functions that take nothing of a buffer but its bytes: neither its dtype nor its shape."""


def _earlier(note: Note) -> Place:
    """Return the earlier line that a note is about."""
    assert note.since is not None
    return note.since


def _line(place: Place) -> str:
    return f"{PurePath(place.file).name}:{place.line}"


def _finding(
    site: Site, code: str, detail: str, remedy: str | None, nbytes: int = 0, *, certain: bool = False
) -> Finding:
    return Finding(
        code=code,
        site=site.id,
        detail=detail,
        remedy=remedy,
        certainty="certain" if certain else "possible",
        bytes=nbytes,
    )
