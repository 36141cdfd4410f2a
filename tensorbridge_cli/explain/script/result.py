"""The lines of a script that call the conversion, and assert what was observed of the result."""

from __future__ import annotations

import math

from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.script import objects
from tensorbridge_cli.explain.script.access import SAMPLED, Side, is_tensor, read_where_they_differ, sides_of
from tensorbridge_cli.explain.script.text import last_part, one_line
from tensorbridge_cli.explain.script.writes import crash_comment, refused_lines, write_lines
from tensorbridge_cli.records.enums import Library, Outcome, Values, Verdict, Write
from tensorbridge_cli.records.report import Object, Row


def result_lines(row: Row, code: str) -> list[str]:
    """Return the lines that call the conversion and assert its result."""
    if row.crash is not None and row.outcome in (Outcome.CRASHED, Outcome.TIMED_OUT):
        how = "it does not return" if row.crash.timed_out else crash_comment(row)
        return [f"y = {code}  # {how}"]
    if row.error is not None:
        return refused_lines(code, row.error.type, row.error.message)
    source, result = sides_of(row)
    facts = _facts(row, source, result)
    asks_before = any(" != was " in fact for fact in facts)
    before = [f"was = {read_where_they_differ(row, source, result)}"] if asks_before else []
    lines = [*before, f"y = {code}", *facts]
    writes = [(source, result), (result, source)]
    # what may move to other memory when it is written is written last, as by the experiment
    if source.carrier is not None and source.carrier.copies_on_write:
        writes.reverse()
    # the experiment wrote to a private copy; the script has none, and would write to a file of the user's
    is_private = row.evidence.private_copy is not None
    wrote = [] if is_private else [line for written, other in writes for line in write_lines(row, written, other)]
    if row.outcome is Outcome.UNDECIDABLE:
        lines += [f"{_what_is_known(row)}  # nothing to write to: undecidable"]
    elif is_private or not {row.writes.source_to_result, row.writes.result_to_source} & {Write.SEEN, Write.NOT_SEEN}:
        lines += [_addresses(row, source, result)]
    return lines + wrote


def _facts(row: Row, x: Side, y: Side) -> list[str]:
    """Return an ``assert`` of each broken clause and of each hazard that is seen without a write."""
    source, result = row.source, row.result
    if source is None or result is None:
        return []
    about = {clause.about for clause in row.contract.clauses if clause.verdict is Verdict.BROKEN}
    about |= {hazards.BY_NAME[hazard.code].asserted for hazard in row.hazards if hazard.code in hazards.BY_NAME}
    same_shape = source.shape == result.shape
    asserts = []
    of_source = read_where_they_differ(row, x, y)
    changed = any(change.fact == "values" for change in row.source_changes)
    only_source = " in the source itself" in (row.evidence.difference or "")
    if changed and (only_source or math.prod(source.shape or ()) <= SAMPLED):
        asserts.append(f"assert {of_source} != was  # the conversion changed x")
    if "values" in about and same_shape and row.values is Values.CHANGED:
        was = "was" if changed and not only_source else of_source
        asserts.append(f"assert {read_where_they_differ(row, y, x)} != {was}  # the values differ")
    if "values" in about and not same_shape:
        about.add("shape")
    if y.carrier is not None:  # it has other names for these
        about -= {"shape", "dtype", "writable"}
    if result.dtype is None:  # a dict or a list has none of them
        about -= {"shape", "dtype", "writable", "requires-grad"}
    if "shape" in about:
        asserts.append(f"assert y.shape == {result.shape}  # it was {source.shape}")
    if "dtype" in about:
        assert result.dtype is not None
        dtype = repr(f"torch.{result.dtype}" if is_tensor(result) else result.dtype)
        # the text of a dtype of bytes is |S8, that of one of characters <U8
        name = "y.dtype" if result.dtype.startswith(("S", "U")) else "str(y.dtype)"
        if result.byte_order == "big" and not is_tensor(result):
            name = "y.dtype.name"  # the text is >u2
        asserts.append(f"assert {name} == {dtype}  # it was {one_line(str(source.dtype))}")
    if "type" in about:
        asserts.append(f"assert type(y).__name__ == {last_part(result.type)}")
    if "object" in about:
        asserts.append("assert y is x" if row.relation.same_object else "assert y is not x")
    if "writable" in about and not is_tensor(result):
        asserts.append(f"assert y.flags.writeable is {result.writable}")
    if "requires-grad" in about and result.requires_grad is not None:
        asserts.append(f"assert y.requires_grad is {result.requires_grad}")
    return asserts


def _what_is_known(row: Row) -> str:
    result = row.result
    if result is None:
        return "assert y is not None"
    if result.dtype is None or result.shape is None:
        return f"assert type(y).__name__ == {last_part(result.type)}"
    return f"assert y.shape == {result.shape}"


def _addresses(row: Row, x: Side, y: Side) -> str:
    """Return the ``assert`` that compares the addresses, if no write decides."""
    source, result = row.source, row.result
    assert source is not None  # see _check
    assert result is not None
    shared = row.outcome is Outcome.SHARED
    unwritten = "others share the memory of x" if row.evidence.private_copy else "neither can be written"
    why = f"decided by addresses, since {unwritten}"
    if row.relation.same_object:
        return "assert y is x"
    if x.carrier is not None or y.carrier is not None:
        ours = objects.address(x.carrier, "x") if x.carrier is not None else _address("x", source)
        theirs = objects.address(y.carrier, "y") if y.carrier is not None else _address("y", result)
        if ours is None or theirs is None:
            raise RequestError(
                f"{unwritten}, and one does not tell its address: there is nothing that a script could assert."
            )
        return f"assert {theirs} {'==' if shared else '!='} {ours}  # {why}"
    if source.strides is None or result.strides is None:
        raise RequestError(f"{unwritten}, and one has no single address: there is nothing that a script could assert.")
    is_buffer = row.subject.library is Library.BUFFER
    if not is_tensor(source) and not is_tensor(result):
        ours = "memoryview(x)" if is_buffer else "x"
        return f"assert {'' if shared else 'not '}np.shares_memory({ours}, y)  # {why}"
    ours, theirs = _address("np.asarray(memoryview(x))" if is_buffer else "x", source), _address("y", result)
    return f"assert {theirs} {'==' if shared else '!='} {ours}  # {why}"


def _address(name: str, obj: Object) -> str:
    return f"{name}.data_ptr()" if is_tensor(obj) else f"{name}.ctypes.data"
