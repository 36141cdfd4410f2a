"""A program's trace made by hand, and the verbs to make another: a ``site``, a ``finding``, ``traced`` of them."""

from dataclasses import replace
from typing import Any

from tensorbridge_cli.records.trace import (
    SCHEMA,
    Dtypes,
    Finding,
    NotIntercepted,
    Outcomes,
    Process,
    Sample,
    Side,
    Site,
    Totals,
    Trace,
    TracedEnvironment,
    TracedWarning,
    Unused,
)

_ARRAY = Side(kind="array", dtype="float64", shape=(4, 3), layout="contiguous", state="plain", nbytes=96)
_BASE = Site(
    id="",
    file="/code/program.py",
    line=4,
    end_line=4,
    column=4,
    end_column=19,
    function="<module>",
    source_line="t = torch.tensor(a)",
    conversion="torch.tensor",
    calls=20,
    bytes=1920,
    copied_bytes=1920,
    outcomes=Outcomes(copied=20),
    dtypes=(Dtypes(source="float64", result="float64", calls=20),),
    hazards=(),
    seconds=0.0012,
    stack=("/code/main.py:9",),
    via=(),
    warnings=(TracedWarning(message="The given NumPy array is not writable", count=1),),
    samples=(Sample(outcome="copied", source=_ARRAY, result=replace(_ARRAY, kind="tensor")),),
    processes=("main",),
)


def site(**changes: Any) -> Site:
    """Return a line that converts; its id follows from the rest."""
    made = replace(_BASE, **changes)
    return replace(made, id=f"{made.file}:{made.line}:{made.column} {made.conversion}")


def finding(at: Site, **changes: Any) -> Finding:
    plain = {
        "code": "repeated-copy",
        "detail": "in 16 of 16 calls looked at, of 20, the source was the same and unchanged",
        "remedy": "convert once, and use the result",
        "certainty": "possible",
        "bytes": at.copied_bytes,
    }
    return Finding(site=at.id, **plain | changes)


def traced(*sites: Site, findings: tuple[Finding, ...] = (), **changes: Any) -> Trace:
    counts = {name: sum(getattr(one.outcomes, name) for one in sites) for name in Outcomes.__dataclass_fields__}
    sums = {name: sum(getattr(one, name) for one in sites) for name in ("calls", "bytes", "copied_bytes", "seconds")}
    plain = Trace(
        schema=SCHEMA,
        environment=TracedEnvironment(
            tensorbridge="0.1.0", python="3.11.7", numpy="2.4.6", torch="2.13.0", platform="Linux-6.1-x86_64"
        ),
        command=("program.py",),
        exit_code=0,
        processes=(Process(name="main", pid=7, parent=1, calls=sums["calls"], seconds=2.5, ended=True),),
        sites=sites,
        findings=findings,
        not_intercepted=(NotIntercepted(what="Tensor.detach, Tensor.data", why="it is called everywhere"),),
        totals=Totals(sites=len(sites), outcomes=Outcomes(**counts), **sums),
    )
    return replace(plain, **changes)


COPIED = site()
CAST = site(
    line=6,
    source_line="x = torch.as_tensor(a, dtype=torch.float32)",
    conversion="torch.as_tensor",
    calls=1,
    bytes=48,
    copied_bytes=48,
    outcomes=Outcomes(copied=1),
    dtypes=(Dtypes(source="float64", result="float32", calls=1),),
    hazards=("dtype-changed",),
    seconds=3e-5,
)
SHARED = site(
    line=12,
    end_line=13,
    function="Loader.load",
    source_line="    return torch.from_numpy(",
    conversion="torch.from_numpy",
    calls=3000,
    bytes=288000,
    copied_bytes=0,
    outcomes=Outcomes(shared=2999, refused=1),
    hazards=("readonly-dropped",),
    seconds=0.004,
    processes=("main", "worker-1"),
)
_DROPPED = finding(
    SHARED,
    code="readonly-dropped",
    detail="the source is read-only but the result, sharing its memory, is writable",
    remedy="torch.from_numpy(x.copy())",
    certainty="certain",
    accepted="nobody writes",
)
PROGRAM = traced(
    COPIED,
    CAST,
    SHARED,
    findings=(finding(COPIED), _DROPPED),
    processes=(
        Process(name="main", pid=7, parent=1, calls=3000, seconds=2.5, ended=True),
        Process(name="worker-1", pid=8, parent=7, calls=21, seconds=1.5, ended=False),
    ),
    unused=(Unused(file="/code/program.py", line=20, reason="it was slow"),),
)
"""Lines of every kind: copied, cast, shared by two processes and refused once; a finding, and one that is accepted."""


_MOVED = site(line=5, calls=3000, bytes=288000, copied_bytes=288000, outcomes=Outcomes(copied=3000))
_EDITED = replace(
    site(line=7, source_line="x = torch.as_tensor(a, dtype=torch.float64)", conversion="torch.as_tensor"),
    calls=1,
    copied_bytes=0,
    outcomes=Outcomes(shared=1),
    dtypes=(Dtypes(source="float64", result="float64", calls=1),),
)
_ADDED = site(line=30, function="main", source_line="    return torch.tensor([a, b])", calls=1, copied_bytes=192)
LATER = traced(
    _MOVED,
    _EDITED,
    _ADDED,
    findings=(
        finding(
            _ADDED,
            code="element-by-element",
            detail="a list of 2 arrays is converted by torch.tensor element by element",
            remedy="    return torch.from_numpy(np.stack([a, b]))",
            certainty="certain",
        ),
    ),
    exit_code=1,
    environment=replace(PROGRAM.environment, torch="2.14.0", platform="Darwin-25"),
)
"""The program at another time: one line moved and is called more, one was edited, one is gone, and one is new."""
