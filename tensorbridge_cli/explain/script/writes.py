"""The lines of a script that write to one object and look at the other, and those for what raises or crashes."""

from __future__ import annotations

import builtins
import textwrap

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.script import objects
from tensorbridge_cli.explain.script.access import (
    Side,
    index_code,
    offset_of,
    packs,
    part_code,
    part_of_container,
    read,
)
from tensorbridge_cli.explain.script.source import void_size
from tensorbridge_cli.explain.script.text import WIDTH, is_literal, last_part, literal, one_line, shortened
from tensorbridge_cli.records.enums import Via, Write
from tensorbridge_cli.records.report import Cell, Object, Row

Shape = tuple[int, ...]


def crash_comment(row: Row) -> str:
    """Return what is said beside the line in which the process ends."""
    assert row.crash is not None
    return f"the process ends here: {one_line(row.crash.signal or f'exit code {row.crash.exit_code}')}"


def refused_lines(code: str, kind: str, message: str) -> list[str]:
    """Return the lines that make ``code`` raise an exception of the type ``kind``, and assert that."""
    known = getattr(builtins, kind, None)
    known = known if isinstance(known, type) and issubclass(known, BaseException) else None
    base = "Exception" if known is None or issubclass(known, Exception) else "BaseException"
    check = f"type(raised) is {kind}" if known is not None else f"type(raised).__name__ == {last_part(kind)}"
    comment = textwrap.shorten(one_line(message), max(WIDTH - len(check) - 10, 20), placeholder=" …")
    return [
        "raised = None",
        "try:",
        f"    {code}",
        f"except {base} as error:",
        "    raised = error",
        f"assert {check}, raised" + (f"  # {comment}" if comment else ""),
    ]


def write_lines(row: Row, written: Side, other: Side) -> list[str]:
    """Return the lines that write to one object and look at the other."""
    is_source, target = written.role == "source", written.obj
    effect = row.writes.source_to_result if is_source else row.writes.result_to_source
    if effect is Write.NOT_TRIED or target is None:
        return []
    cell = next((cell for cell in row.evidence.cells if cell.wrote == written.role), None)
    write = _statement(written, target, cell)
    if target.requires_grad:
        write = ["with torch.no_grad():", *(f"    {line}" for line in write)]
    if effect is Write.CRASHED:
        return [*write[:-1], f"{write[-1]}  # {crash_comment(row)}"]
    if effect is Write.REFUSED:
        if target.type.startswith("numpy.") and target.writable is False and target.strides is not None:
            return [f"assert not {written.name}.flags.writeable"]
        refusals = row.writes.refusals
        kind, _, message = refusals[0 if is_source else -1].partition(": ")
        return refused_lines("\n    ".join(write), kind, message)
    reading = read(row, other, written, cell)
    is_seen = effect is Write.SEEN
    return [
        f"before = {reading}",
        *write,
        f"assert {reading} {'!=' if is_seen else '=='} before  # a write to {written.name} "
        f"{'shows' if is_seen else 'does not show'} in {other.name}",
    ]


def _statement(written: Side, target: Object, cell: Cell | None) -> list[str]:
    """Return the write as typed."""
    name, extents, carrier = written.name, written.extents, written.carrier
    # the element that the experiment would have written: the first of a source, the last of a result
    usual = tuple(0 if written.role == "source" else n - 1 for n in target.shape or ())
    if carrier is not None:
        index, value = (usual, "100") if cell is None else (cell.index, cell.written)
        return objects.write(carrier, name, index, _value(written, target, index, value), extents).splitlines()
    if target.type == "pyarrow.Buffer":
        name = f"memoryview({name})"
    if cell is None and target.dtype is None and extents and extents[0].part:  # a list or a dict of arrays
        last = tuple(0 if written.role == "source" else n - 1 for n in extents[0].shape)
        return [f"{part_of_container(name, target, extents[0].part)}{index_code(last, target, nested=False)} = 100"]
    if cell is not None and cell.part:
        part = part_of_container(name, target, cell.part)
    else:
        part = part_code(name, target, extents)
    if cell is None:
        return [f"{part}{index_code(usual, target, nested=part == name)} = 100"]
    if cell.via is Via.BYTES and target.pointer is not None:
        flip = "0b01010101" if packs(target) else "1"
        offset = int(target.pointer, 16) - int(extents[0].storage_start, 16) + offset_of(target, cell.index)
        return [f"{part}.untyped_storage()[{offset}] ^= {flip}  # its dtype has no assignment"]
    spot = f"{part}{index_code(cell.index, target, nested=part == name)}"
    dtype = target.dtype or ""
    if dtype in ("bool", "bool[pyarrow]"):
        return [f"{spot} = not {spot}"]
    if dtype.startswith("V"):
        return [f"{spot} = np.void(bytes({void_size(dtype)}))"]
    if target.type in ("numpy.void", "numpy.record"):  # the scalar takes no index, but the names of its fields
        return [
            f"other = {_other_record(name)}",
            "for field in other.dtype.names:",
            f"    {name}[field] = other[field]",
        ]
    if dtype.startswith(("[", "{", "(")) and not is_literal(cell.written):
        return [f"{spot} = {_other_record(spot)}"]
    return [f"{spot} = {literal(cell.written)}"]


def _value(written: Side, target: Object, index: Shape, value: str) -> str:
    """Return another value for one element of an object of another library, which may write it in no literal."""
    name, carrier = written.name, written.carrier
    assert carrier is not None  # see _statement
    dtype, shape = target.dtype or "", target.shape or ()
    if value in ("True", "False"):
        return f"not {objects.written(carrier, name, index, written.extents)}"
    is_time = dtype.startswith(("datetime64", "timedelta64"))  # what a report has of it is a number
    if (is_time or not is_literal(value)) and shape and shape[0] > 1:
        other = ((index[0] + 1) % shape[0], *index[1:])  # of the same column
        return objects.written(carrier, name, other, written.extents)
    if is_time and value.lstrip("-").isdecimal():
        kind, _, unit = dtype.rstrip("]").partition("[")
        return f"np.{kind}({value}, {unit!r}){'' if unit == 'ns' else '.item()'}"
    if not is_literal(value):
        raise RequestError(
            f"{shortened(value)}, which the experiment wrote, has no expression that a script could use."
        )
    return literal(value)


def _other_record(record: str) -> str:
    """Return the expression of a record that differs in the first bit, as the one that the experiment wrote does."""
    return f"np.frombuffer(bytes([{record}.tobytes()[0] ^ 1]) + {record}.tobytes()[1:], {record}.dtype)[0]"
