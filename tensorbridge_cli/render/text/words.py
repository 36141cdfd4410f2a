"""The words that several formats share: a mapping for each enumeration, a function for each record."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from math import prod
from typing import Literal

from tensorbridge_cli.printable import escape, one_line
from tensorbridge_cli.records.enums import Direction, Outcome, Stage, Verdict, Write
from tensorbridge_cli.records.report import Clause, Crash, Environment, Object, Raised, Row, Subject, Summary
from tensorbridge_cli.records.words import amount

__all__ = ["escape", "one_line"]

OUTCOMES = {outcome: outcome.replace("-", " ") for outcome in Outcome}
WRITES = {write: write.replace("-", " ") for write in Write}

VERDICTS = {
    Verdict.KEPT: "passed",
    Verdict.BROKEN: "failed",
    Verdict.UNDOCUMENTED: "undocumented",
    Verdict.UNTESTED: "untested",
    Verdict.UNDEFINED: "undefined",
}

YET_WRITTEN = "refused, but written"

STAGES = {
    Stage.BUILD: "building the source",
    Stage.CONVERT: "converting",
    Stage.OBSERVE: "inspecting the result",
    Stage.WRITE_SOURCE: "writing to the source",
    Stage.WRITE_RESULT: "writing to the result",
}

_SPELLED = {"python": "Python", "jax": "JAX", "pillow": "Pillow"}

DIRECTIONS = {way: "→".join(_SPELLED.get(side, side) for side in way.split("-to-")) for way in Direction}

CONFIRMED = {True: "", False: " (not reproduced when run alone)", None: " (not run again)"}

FAILURE_STAGES = {stage.value: text for stage, text in STAGES.items()} | {
    "encode": "encoding the observation",
    "judge": "judging the observation",
}
"""Where the tool's own code failed."""

NOTHING = "–"
NONE_RUN = "nothing was run"


def shape(lengths: tuple[int, ...], times: str = "×") -> str:
    """Return ``4×3``; a shape without dimensions is ``()``."""
    return times.join(map(str, lengths)) or "()"


def direction(row_direction: Direction | None) -> str:
    """Return ``numpy→torch``."""
    return "" if row_direction is None else DIRECTIONS[row_direction]


HEADINGS = ("Conversion", "Memory", "Write source→result", "Write result→source", "Dtype", "Pointer")


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """Return what stands below ``HEADINGS``, after the name of the conversion."""
    return OUTCOMES[row.outcome], *writes(row), dtype(row), pointer(row)


def dtype(row: Row) -> str:
    """Return the dtype of the result, after that of the source where it is another one."""
    if row.result is None or row.result.dtype is None:
        return NOTHING
    before = (row.source and row.source.dtype) or row.subject.dtype
    after = row.result.dtype
    return after if before == after else f"{before} → {after}"


def pointer(row: Row) -> str:
    """Return ``same``, or where the result begins, with its distance from the source inside the same storage."""
    if row.result is None:
        return NOTHING
    if row.relation.same_pointer:
        return "same"
    if row.result.pointer is None:
        return NOTHING
    if row.relation.same_storage and row.source is not None and row.source.pointer is not None:
        distance = int(row.result.pointer, 16) - int(row.source.pointer, 16)
        return f"{row.result.pointer} {distance:+d}"
    return row.result.pointer


def subject(requested: Subject, sources: tuple[Object, ...]) -> str:
    """Describe a source: what was requested and, if experiments had such ``sources``, its bytes."""
    types = {source.type for source in sources}
    size = (shape(requested.shape),) if requested.has_one_shape else ()
    dtype = (requested.dtype,) if requested.dtype else ()  # a table without columns has none
    parts = [
        " ".join([*size, *dtype, *(types if len(types) == 1 else ())]),
        requested.layout,
        requested.state,
        requested.device,
    ]
    given = f"{requested.given} ({requested.origin}): " if requested.given is not None else ""
    return given + ", ".join(parts) + _extent(sources[0] if sources else None)


def _extent(source: Object | None) -> str:
    if source is None or source.nbytes is None:
        return ""
    size = f": {amount(source.nbytes, 'byte')}"
    if not source.strides:
        return size
    return f"{size}, stride{'s' * (len(source.strides) > 1)} {', '.join(map(str, source.strides))} bytes"


def fill(sentence: str) -> str:
    """Say in words what the elements are: a report holds it short, ``i + 1.1, the last 3e+38``."""
    first, comma, last = sentence.partition(", the last ")
    return f"element i is {first}{f'; the last is {last}' if comma else ''} (i counts from 0)" if comma else sentence


def writes(row: Row) -> tuple[str, str]:
    """Return what became of the write to the source, looked at from the result, and of the other."""
    both: tuple[tuple[Literal["source", "result"], Write], ...] = (
        ("source", row.writes.source_to_result),
        ("result", row.writes.result_to_source),
    )
    yet_written = row.writes.written_though_refused
    source, result = (YET_WRITTEN if side in yet_written else WRITES[write] for side, write in both)
    return source, result


def layout(row: Row) -> str | None:
    """Say how the result's elements lie where that is not as the source's do; ``None`` if it is."""
    before, after = row.source, row.result
    if before is None or after is None or before.contiguous is None or after.contiguous is None:
        return None
    changes = []
    if before.shape == after.shape and _in_elements(before) != _in_elements(after):
        changes.append(f"strides {_list(before.strides)} became {_list(after.strides)}")
    if before.contiguous != after.contiguous:
        changes.append(f"{_contiguous(before)} became {_contiguous(after)}")
    orders = before.byte_order or sys.byteorder, after.byte_order or sys.byteorder
    if orders[0] != orders[1]:
        changes.append(f"{orders[0]}-endian became {orders[1]}-endian")
    elif orders[1] != sys.byteorder:
        changes.append(f"{orders[1]}-endian, as the source")
    return ", ".join(changes) or None


def _in_elements(obj: Object) -> tuple[float, ...] | None:
    """Return the strides that matter in elements, so that another dtype's can be compared with them."""
    if obj.strides is None or obj.shape is None or not obj.nbytes:
        return None
    itemsize = obj.nbytes / prod(obj.shape)
    return tuple(stride / itemsize for stride, count in zip(obj.strides, obj.shape, strict=True) if count > 1)


def _list(numbers: tuple[int, ...] | None) -> str:
    return ", ".join(map(str, numbers or ()))


def _contiguous(obj: Object) -> str:
    return f"{' and '.join(obj.contiguous)}-contiguous" if obj.contiguous else "non-contiguous"


def raised(error: Raised) -> str:
    """Return ``ValueError: its message``."""
    return f"{error.type}: {error.message}"


_LONG = 300  # letters of a message: four lines of a terminal


def first_sentence(message: str) -> str:
    """Return a message, or of a long one its first sentence: torch's ``Could not run 'aten::…'`` has 2,000 letters."""
    if len(message) <= _LONG:
        return message
    sentence = re.match(r"[^\n]*?[.!?](?=\s)", message[:_LONG])
    return f"{sentence[0] if sentence else message[:_LONG].rpartition(' ')[0] or message[:_LONG]} …"


def ended(crash: Crash) -> tuple[str, str]:
    """Return the step at which the process crashed or timed out, and how: its signal, and the first line of stderr."""
    step = f"{'timed out' if crash.timed_out else 'crashed'} while {STAGES[crash.stage]}{CONFIRMED[crash.confirmed]}"
    code = f"exit code {crash.exit_code}" if crash.exit_code is not None else None
    why = crash.stderr.partition("\n")[0].removeprefix("what():").strip()
    if crash.signal == "SIGKILL" and not why:
        why = "killed from outside, e.g. by the kernel when memory runs out"
    return step, ": ".join(filter(None, [crash.signal or code, why]))


def reason(row: Row) -> str | None:
    """Say why there is no result, or why the process ended; ``None`` if neither was so."""
    if row.error is not None:
        return raised(row.error)
    if row.crash is not None:
        return ": ".join(filter(None, ended(row.crash)))
    return None


def versions(environment: Environment) -> str:
    """Return ``(numpy 2.4.6, torch 2.13.0)``."""
    return one_line(f"({environment.libraries})")


def unmet(clause: Clause) -> str:
    """Return ``outcome: expected shared, found copied``."""
    return f"{clause.about}: expected {clause.expected}, found {clause.observed or 'nothing'}"


def counted(counts: Summary) -> str:
    """Return each count that is not zero with its word, or that there is none."""
    return ", ".join(phrase for _, phrase in summary(counts)) or NONE_RUN


def summary(counts: Summary) -> Iterator[tuple[str, str]]:
    """Yield each count that is not zero with its word, after the name it has in the report."""
    for outcome, word in OUTCOMES.items():
        if count := getattr(counts, outcome.name.lower()):
            yield outcome, f"{count} {word}"
    if counts.not_applicable:
        yield "not-applicable", f"{counts.not_applicable} not applicable"
    if documented := counts.broken - counts.unmet:
        yield "broken", f"{documented} contradict{'s' * (documented == 1)} the docs"
    if counts.unmet:
        yield "broken", f"{amount(counts.unmet, 'expectation')} not met"
