"""Conversions that lie about memory or values, or end their process: the right row comes out of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.hazards import BY_NAME as HAZARDS
from tensorbridge_cli.encoding import decode
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Row
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import ROOT, lies, settled, started

PLAIN = Request()
SUBJECTS = {
    "plain": PLAIN,
    "offset": replace(PLAIN, layouts=("offset",)),
    "large": replace(PLAIN, shapes=((64, 64),)),
    "read-only": replace(PLAIN, states=("read-only",)),
    "masked": replace(PLAIN, states=("masked",)),
    "matrix": replace(PLAIN, states=("matrix",)),
    "requires-grad": replace(PLAIN, states=("requires-grad",)),
    "object": replace(PLAIN, dtypes=("object",)),
    "bytes": replace(PLAIN, given=Given(origin=Origin.EXPRESSION, text="bytes(range(48))")),
}

WORKED: dict[str, Any] = {"error": None, "crash": None, "hazards": [], "values": "equal"}
SHARED = WORKED | {
    "outcome": "shared",
    "copied_bytes": 0,
    "writes.source_to_result": "seen",
    "writes.result_to_source": "seen",
    "relation.overlaps": True,
    "relation.overlap_bytes": 48,
}
COPIED = WORKED | {
    "outcome": "copied",
    "copied_bytes": 48,
    "writes.source_to_result": "not-seen",
    "writes.result_to_source": "not-seen",
    "relation.overlaps": False,
    "relation.overlap_bytes": 0,
    "relation.same_storage": False,
}
REFUSED = {"outcome": "refused", "crash": None, "hazards": [], "result": None}
CRASHED = {
    "outcome": "crashed",
    "error": None,
    "hazards": [],
    "result": None,
    "crash.stage": "convert",
    "crash.signal": None,
    "crash.exit_code": None,
    "crash.timed_out": False,
    "crash.confirmed": True,
}
HUNG = CRASHED | {"outcome": "timed-out", "crash.timed_out": True}
CHANGED = {"values": "changed", "hazards": ["values-changed"]}

UNFILLED = {"outcome": "undecidable", "values": "unknown", "hazards": ["uninitialized"], "copied_bytes": None}

LIES: list[tuple[str, str, dict[str, Any]]] = [
    # About memory
    ("shares", "plain", SHARED),
    ("copies", "plain", COPIED),
    ("shares-though-asked-to-copy", "plain", SHARED | {"hazards": ["copy-flag-broken"]}),
    ("copies-though-asked-not-to", "plain", COPIED | {"hazards": ["copy-flag-broken"]}),
    ("copies-as-asked", "plain", COPIED),
    ("is-another", "plain", COPIED | CHANGED),
    ("is-another-with-equal-values", "plain", COPIED),
    (
        "copies-one-part",
        "plain",
        SHARED
        | {"relation.same_pointer": False, "relation.copied_parts": ("['copy']",)}
        | {"values": "unknown", "hazards": ["partly-shared"]},
    ),
    (
        "is-half",
        "plain",
        SHARED
        | {"relation.overlap_bytes": 24, "relation.same_pointer": False}
        | {"values": "changed", "hazards": ["shape-changed"]},
    ),
    (
        "is-half-in-the-same-shape",
        "plain",
        SHARED
        | {"relation.overlap_bytes": 24, "relation.same_pointer": False}
        | {"values": "changed", "hazards": ["values-changed", "elements-overlap"]},
    ),
    (
        "is-one-element-before",
        "offset",
        SHARED
        | CHANGED
        | {"relation.overlap_bytes": 44, "relation.same_pointer": False, "relation.same_storage": True},
    ),
    (
        "overlaps-itself",
        "plain",
        SHARED | {"relation.overlap_bytes": 12, "values": "changed", "hazards": ["values-changed", "elements-overlap"]},
    ),
    ("starts-at-an-odd-byte", "plain", COPIED | {"hazards": ["misaligned"]}),
    ("keeps-no-owner", "plain", SHARED | {"hazards": ["owner-not-kept"], "relation.owner_kept": False}),
    (
        "drops-read-only",
        "read-only",
        SHARED
        | {"hazards": ["readonly-dropped", "warned-once-only"], "writes.source_to_result": "refused"}
        | {"source.writable": False, "result.writable": True},
    ),
    (
        "drops-that-bytes-are-immutable",
        "bytes",
        SHARED
        | {"hazards": ["readonly-dropped", "immutable-written", "warned-once-only"]}
        | {"writes.source_to_result": "refused", "source.immutable": True, "result.writable": True},
    ),
    (
        "copies-the-references-only",
        "object",
        COPIED | {"copied_bytes": 96, "relation.shared_objects": 12, "hazards": ["nested-objects-shared"]},
    ),
    (
        "copies-and-echoes",
        "plain",
        COPIED
        | {"outcome": "shared", "copied_bytes": 0, "writes.result_to_source": "seen"}
        | {"hazards": ["evidence-conflicts"]},
    ),
    ("is-the-same-object", "plain", SHARED | {"relation.same_object": True, "relation.same_pointer": True}),
    # About values, dtype, shape
    ("swaps-bytes", "plain", COPIED | CHANGED),
    ("swaps-bytes-and-shares", "plain", SHARED | CHANGED),
    ("permutes", "plain", COPIED | CHANGED),
    ("permutes-and-shares", "plain", SHARED | CHANGED | {"relation.same_pointer": True}),
    ("negates", "plain", COPIED | CHANGED),
    ("negates-and-shares", "plain", SHARED | CHANGED | {"relation.same_pointer": True}),
    (
        "is-off-in-one-far-cell",
        "large",
        COPIED
        | CHANGED
        | {"copied_bytes": 64 * 64 * 4}
        | {"evidence.difference": "1 of 4096 values differ, first at [62, 63]: 4032.1 became 4033.1"},
    ),
    (
        "reinterprets",
        "plain",
        SHARED | {"values": "changed", "hazards": ["dtype-reinterpreted", "values-changed", "dtype-changed"]},
    ),
    ("casts", "plain", COPIED | {"hazards": ["dtype-changed"], "copied_bytes": 96, "result.dtype": "float64"}),
    (
        "narrows",
        "plain",
        COPIED | {"values": "changed", "hazards": ["values-changed", "dtype-changed"], "copied_bytes": 24},
    ),
    ("flattens", "plain", SHARED | {"values": "changed", "hazards": ["shape-changed"], "result.shape": (12,)}),
    ("adds-a-dimension", "plain", SHARED | {"values": "changed", "hazards": ["shape-changed"]}),
    ("changes-its-source", "plain", SHARED | CHANGED | {"hazards": ["source-changed", "values-changed"]}),
    ("changes-its-source-only", "plain", COPIED | CHANGED | {"hazards": ["source-changed", "values-changed"]}),
    (
        "freezes-its-source",
        "plain",
        COPIED
        | {"hazards": ["source-changed"], "source_changes": [("writable", "True", "False", 0)]}
        | {"writes.source_to_result": "refused"},
    ),
    (
        "writes-nothing-to-its-source-in-place",
        "plain",
        COPIED | {"hazards": ["source-changed"], "source_changes": [("version", "1", "2", 0)]},
    ),
    ("moves-its-source", "plain", SHARED | {"hazards": ["source-moved"], "copied_bytes": 48}),
    ("takes-the-storage-along", "plain", COPIED | {"copied_bytes": 192, "hazards": ["storage-larger"]}),
    ("gives-what-nobody-filled", "plain", UNFILLED),
    ("gives-an-array-that-nobody-filled", "plain", UNFILLED),
    ("gives-other-values-each-time", "plain", COPIED | CHANGED),
    (
        "refuses-yet-writes",
        "plain",
        SHARED
        | {"hazards": ["written-though-refused"], "writes.result_to_source": "refused"}
        | {"writes.written_though_refused": ("result",)},
    ),
    # About what else it is
    ("loses-the-mask", "masked", SHARED | {"values": "changed", "hazards": ["values-changed", "mask-lost"]}),
    ("loses-the-subclass", "matrix", SHARED | {"hazards": ["subclass-lost"]}),
    ("loses-the-gradient", "requires-grad", SHARED | {"hazards": ["grad-lost"]}),
    ("writes-behind-autograd", "requires-grad", SHARED | {"hazards": ["grad-lost", "grad-wrong"]}),
    # Warnings
    ("warns", "plain", SHARED | {"warnings": [("UserWarning", "careful", False)]}),
    ("warns-once", "plain", SHARED | {"warnings": [("UserWarning", "careful", True)], "hazards": ["warned-once-only"]}),
    ("warns-in-no-alphabet", "plain", SHARED | {"warnings": [("UserWarning", "caf\\udce9", False)]}),
    # What comes back
    ("is-none", "plain", {"outcome": "undecidable", "crash": None, "result.type": "NoneType"}),
    ("is-text", "plain", {"outcome": "undecidable", "crash": None, "result.type": "str"}),
    ("is-a-number", "plain", {"outcome": "copied", "crash": None, "result.type": "int"}),
    ("is-a-list", "plain", {"outcome": "copied", "crash": None, "result.type": "list", "values": "equal"}),
    ("is-a-list-that-holds-itself", "plain", {"outcome": "undecidable", "crash": None, "result.type": "list"}),
    ("is-a-shape-of-no-numbers", "plain", {"outcome": "undecidable", "crash": None, "result.type": "tests.liars.Odd"}),
    # What it raises
    ("exits-politely", "plain", REFUSED | {"error.type": "SystemExit", "error.message": "3"}),
    ("is-interrupted", "plain", REFUSED | {"error.type": "KeyboardInterrupt"}),
    ("raises-a-group", "plain", REFUSED | {"error.type": "BaseExceptionGroup"}),
    ("raises-in-no-alphabet", "plain", REFUSED | {"error.type": "ValueError", "error.message": "caf\\udce9"}),
    ("raises-what-cannot-be-said", "plain", REFUSED | {"error.type": "tests.liars.UnspeakableError"}),
    ("raises-at-length", "plain", REFUSED | {"error.type": "ValueError"}),
    ("recurses", "plain", REFUSED | {"error.type": "RecursionError"}),
    # How it ends
    ("exits-with-0", "plain", CRASHED | {"crash.exit_code": 0}),
    ("exits-with-3", "plain", CRASHED | {"crash.exit_code": 3}),
    ("aborts", "plain", CRASHED | {"crash.signal": "SIGABRT"}),
    ("segfaults", "plain", CRASHED | {"crash.signal": "SIGSEGV"}),
    ("is-killed", "plain", CRASHED | {"crash.signal": "SIGKILL"}),
    ("hangs", "plain", HUNG),
    ("hangs-mute", "plain", HUNG),
    ("dies-the-first-time", "plain", SHARED | {"crash": ("convert", "SIGABRT", None, False, False)}),
    ("hangs-the-first-time", "plain", SHARED | {"crash": ("convert", None, None, True, False)}),
    ("dies-otherwise-the-second-time", "plain", CRASHED | {"crash.exit_code": 3, "crash.confirmed": False}),
    (
        "dies-of-a-write",
        "plain",
        COPIED
        | {"values": "changed", "hazards": ["write-kills", "values-changed", "warned-once-only"]}
        | {"writes.result_to_source": "crashed", "crash": ("write-result", "SIGSEGV", None, False, True)},
    ),
    ("frees-what-it-returns", "plain", {"outcome": "undecidable", "crash": ("observe", "SIGSEGV", None, False, True)}),
    # What else it does
    ("prints", "plain", SHARED),
    ("shouts", "plain", SHARED),
    (
        "shouts-and-aborts",
        "plain",
        CRASHED
        | {"crash.signal": "SIGABRT", "crash.stderr": "what():  the reason\nfirst\nloud\nloud\n…\nloud\nloud\nlast"},
    ),
    ("closes-its-output", "plain", SHARED),
    ("closes-its-input", "plain", SHARED),
    ("starts-a-thread", "plain", SHARED),
    ("starts-a-process", "plain", SHARED),
    ("forks", "plain", SHARED),
    ("forks-and-leaves-it-behind", "plain", SHARED),
    ("forks-and-dies", "plain", CRASHED | {"crash.signal": "SIGABRT"}),
    ("forks-and-goes-on-twice", "plain", SHARED),
    ("leaves-its-folder", "plain", SHARED | {"hazards": ["global-state-changed"]}),
    ("turns-warnings-into-errors", "plain", SHARED),
    # What it leaves changed in its process
    *(
        (f"changes-the-{name}", "plain", SHARED | {"hazards": ["global-state-changed"], "global_state": state})
        for name, state in {
            "dtype": "the default dtype",
            "device": "the default device",
            "inference": "grad mode",
            "grad": "grad mode",
            "function": "torch.from_numpy",
            "method": "Tensor.numpy",
            "limit": "the resource limits changed",
            "handler": "signal handlers changed",
            "errors": "np.geterr() changed",
            "digits": "np.get_printoptions() changed",
            "umask": "the umask",
            "algorithms": "deterministic algorithms",
        }.items()
    ),
]

FIRST_TIME = """
def first_time(who):
    import os
    try:
        os.close(os.open(os.path.join({folder!r}, who), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
"""

Ask = Callable[[Request], tuple[Row, ...]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Rows of a request to a laboratory that knows the liars; the registry is as before afterwards."""
    folder = tmp_path_factory.mktemp("first-times")
    setup = FIRST_TIME.format(folder=str(folder))
    # only what hangs has little time: the others may take as long as a busy machine needs
    with (
        lies(),
        started(setup=setup, timeout=60.0, jobs=2) as patient,
        started(setup=setup, timeout=3.0, jobs=3) as brief,
    ):

        def ask(request: Request) -> tuple[Row, ...]:
            for marker in folder.iterdir():
                marker.unlink()
            names = request.conversions
            hanging = tuple(name for name in names if name.startswith("lie.hangs"))
            rest = tuple(name for name in names if name not in hanging)
            return tuple(
                row
                for names, lab in ((rest, patient), (hanging, brief))
                if names
                for row in survey([replace(request, conversions=names)], lab, "fork").observations
            )

        yield ask


@pytest.fixture(scope="module")
def rows(told: Ask) -> dict[str, Row]:
    """One row a liar; all liars that are told of one subject share a batch."""
    found: dict[str, Row] = {}
    for name, request in SUBJECTS.items():
        names = tuple(f"lie.{liar}" for liar, subject, _ in LIES if subject == name)
        found |= {row.conversion.removeprefix("lie."): row for row in told(replace(request, conversions=names))}
    return found


def fact(row: Row, path: str) -> Any:
    found: Any = row
    for name in path.split("."):
        found = getattr(found, name)
    if path == "hazards":
        return [hazard.code for hazard in found]
    if path == "source_changes":
        return [(change.fact, change.before, change.after, change.copied_bytes) for change in found]
    if path == "global_state":  # the first thing that changed, without what it was and is
        return found[0].partition(" was ")[0]
    if path == "warnings":
        return [(warned.category, warned.message, warned.once) for warned in found]
    if path == "crash" and found is not None:
        return found.stage, found.signal, found.exit_code, found.timed_out, found.confirmed
    return found


@pytest.mark.parametrize(("liar", "expected"), [pytest.param(liar, facts, id=liar) for liar, _, facts in LIES])
def test_a_lie_is_seen_through(rows: dict[str, Row], liar: str, expected: dict[str, Any]) -> None:
    assert {path: fact(rows[liar], path) for path in expected} == expected


@pytest.mark.parametrize(
    ("liar", "subject"),
    [pytest.param(liar, subject, id=liar) for liar, subject, facts in LIES if not facts.get("crash.timed_out")],
)
def test_a_row_of_a_batch_is_the_row_of_a_child_of_its_own(
    told: Ask, rows: dict[str, Row], liar: str, subject: str
) -> None:
    (alone,) = told(replace(SUBJECTS[subject], conversions=(f"lie.{liar}",)))
    assert settled(alone) == settled(rows[liar])


def test_every_liar_is_told_of(told: Ask) -> None:
    registered = [entry.name.removeprefix("lie.") for entry in registry.conversions()]
    lies = set(registered) - {entry.name for entry in registry.CONVERSIONS}
    assert sorted(liar for liar, *_ in LIES) == sorted(lies)


def test_every_hazard_has_a_liar(rows: dict[str, Row]) -> None:
    assert {hazard.code for row in rows.values() for hazard in row.hazards} == set(HAZARDS)


def test_the_command_loads_liars_as_a_plugin() -> None:
    names = ["lie.copies", "lie.aborts", "lie.prints", "lie.closes-its-output", "lie.exits-with-0", "lie.shares"]
    command = [sys.executable, "-m", "tensorbridge_cli", "inspect", *names, "--plugin", "tests.liars"]
    done = subprocess.run([*command, "--format", "json"], cwd=ROOT, capture_output=True, check=True)
    rows = decode(done.stdout).observations
    assert [row.conversion for row in rows] == names
    assert [str(row.outcome) for row in rows] == ["copied", "crashed", "shared", "shared", "crashed", "shared"]
    assert b"garbage" not in done.stdout + done.stderr
