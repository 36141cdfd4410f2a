from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab import connection, protocol, wire
from tensorbridge_cli.lab.client import Laboratory, scratch_folder, start_laboratory
from tensorbridge_cli.lab.experiment import Bench, Experiment, Given
from tensorbridge_cli.lab.protocol import Done, Isolation, Settings
from tensorbridge_cli.lab.server import MANY
from tensorbridge_cli.records.enums import Library, Origin, Stage, Write
from tensorbridge_cli.records.report import Crash, NotApplicable, Observation
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tests.sweep import FULL
from tests.tools import ROOT, experiment, found, settled, started, subject

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

SETUP = """
import os, resource, signal
class Hostile(np.ndarray):
    def __setitem__(self, index, value):
        signal.pause()
"""
SHARES = "torch.from_numpy(x)"
ABORTS = "os.abort()"
EXITS = "os._exit(0)"
HANGS = "signal.pause()"


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    with started(setup=SETUP, timeout=5.0) as lab:
        yield lab


def experiments(request: Request, lab: Laboratory) -> list[Experiment]:
    return plan([request], lab, lab.hello()).experiments


def crash(row: object) -> Crash:
    assert isinstance(row, Observation)
    assert row.crash is not None
    return row.crash


# What the server says -------------------------------------------------------------------------------


def test_both_sides_read_one_reply_alike(lab: Laboratory) -> None:
    codes = (SHARES, "torch.tensor(x)", "x.missing", ABORTS)
    ends = [protocol.Finished.of(nth, done) for nth, done in lab.run([experiment(code) for code in codes])]
    assert len(ends) == len(codes)
    for end in ends:
        body = wire.encode(end)
        assert connection._reply(body) == wire.decode(body, protocol.Reply) == end
        for broken in (body[:-1], body.replace(b'"index":', b'"index":"0",')):
            with pytest.raises(connection.ServerEndedError, match="its response cannot be read"):
                connection._reply(broken)


# One child or many ---------------------------------------------------------------------------------

EVERY = 1 if FULL else 2
"""Of the experiments that the sweep makes, the gate makes one in so many."""
EVERYTHING = Request(every=True, layouts=("all",), states=("all",), dtypes=("complex64",))
MIXED = Request(
    every=True,
    layouts=("contiguous", "reversed", "broadcast", "byte-swapped"),
    states=("plain", "read-only", "memory-mapped+read-only", "requires-grad", "lazy-clone", "sparse-coo", "list"),
)

SHIFTY = Request(
    conversions=("torch.frombuffer", "torch.tensor", "np.copy", "Tensor.clone", "Tensor.view(torch.uint8).numpy"),
    shapes=((70, 60),),
    dtypes=("bool",),
    states=("scalar", "plain", "sparse-coo"),
)
"""What shows in a later experiment: a write to numpy's one and only False, and memory that nobody filled."""
NOBODY_WROTE = {"zero-tensor", "fake"}
"""Of these, DLPack gives memory as it finds it."""


def kills(row: object) -> bool:
    return isinstance(row, Observation) and row.crash is not None


def as_alone(row: object) -> object:
    """``row`` as it is compared: whether a death repeats is asked in a batch only."""
    found = settled(row)
    crash = found.crash and replace(found.crash, confirmed=None) if isinstance(found, Observation) else None
    return replace(found, crash=crash) if crash else found


def test_a_row_of_a_batch_is_the_row_of_a_child_of_its_own(lab: Laboratory) -> None:
    scalars = Request(every=True, layouts=("non-contiguous",), states=("scalar", "plain"), dtypes=("bool", "float32"))
    asked = experiments(EVERYTHING, lab)[:: 97 * EVERY] + experiments(SHIFTY, lab) + experiments(scalars, lab)[::3]
    asked = [one for one in asked if one.subject.state not in NOBODY_WROTE]
    batch, alone = found(lab, asked), dict(lab.again(asked))
    assert {type(row) for row in batch} == {Observation, NotApplicable}
    assert any(map(kills, batch))
    for index, row in enumerate(batch):
        assert as_alone(row) == as_alone(alone[index])


def test_all_isolations_find_the_same(lab: Laboratory) -> None:
    asked = experiments(MIXED, lab)[:: 7 * EVERY]
    forked = found(lab, asked)
    survivors = [i for i, row in enumerate(forked) if not kills(row)]
    (killer, *_) = (i for i, row in enumerate(forked) if kills(row))
    asked = [asked[i] for i in (*survivors, killer)]
    forked = [settled(forked[i]) for i in (*survivors, killer)]
    again = dict(lab.again(asked[:-1]))
    assert [settled(again[i]) for i in range(len(again))] == forked[:-1]
    with started("spawn", setup=SETUP, cold=True) as spawning:
        assert spawning.hello() == lab.hello()
        assert [settled(row) for row in found(spawning, asked[-2:])] == forked[-2:]
    with started("none", setup=SETUP) as here:
        assert here.hello() == lab.hello()
        assert [settled(row) for row in found(here, asked[:-1])] == forked[:-1]


def test_two_jobs_find_what_one_finds(lab: Laboratory) -> None:
    asked = [*experiments(MIXED, lab)[::3], experiment(ABORTS), experiment(SHARES)]
    with started(setup=SETUP, jobs=2) as two:
        assert list(map(settled, found(two, asked))) == list(map(settled, found(lab, asked)))


def test_what_is_tried_again_is_a_child_of_a_copy_of_the_server(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    tells = f"(os.write(os.open({str(noted)!r}, os.O_WRONLY | os.O_APPEND), b'%d ' % os.getppid()), {SHARES})[1]"

    def parents(run: Callable[[list[Experiment]], Iterable[tuple[int, Done]]], count: int) -> set[int]:
        """The processes that the children of ``count`` experiments were forked from."""
        noted.write_text("")
        assert all(row.relation.overlaps for _, row in run([experiment(tells)] * count))
        return set(map(int, noted.read_text().split()))

    with started(setup=SETUP, cold=True) as forking:
        (server,) = parents(forking.run, MANY + 1)
        (copy,) = parents(forking.again, 2)
        assert psutil.Process(copy).ppid() == server
        os.kill(copy, signal.SIGKILL)
        (fresh,) = parents(forking.again, 2)
        assert fresh not in (server, copy)
        assert psutil.Process(fresh).ppid() != server
        assert parents(forking.run, MANY + 1) == {server}


# Deaths and time-outs ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(codes=st.lists(st.sampled_from([SHARES, SHARES, ABORTS, EXITS, "x.tobytes() + 1"]), max_size=9))
def test_a_death_costs_the_experiment_that_it_happened_in(lab: Laboratory, codes: list[str]) -> None:
    expected = {SHARES: (True, None, None), ABORTS: (None, "SIGABRT", None), EXITS: (None, None, 0)}
    rows = found(lab, [experiment(code) for code in codes])
    ends = [(row.relation.overlaps, row.crash and row.crash.signal, row.crash and row.crash.exit_code) for row in rows]
    assert ends == [expected.get(code, (None, None, None)) for code in codes]


def test_a_crash_that_is_foreseen_takes_one_process(lab: Laboratory, tmp_path: Path) -> None:
    def attempts(*codes: str) -> list[int]:
        """How often each of the experiments, which are of one kind, is begun."""
        begun = tmp_path / "begun"
        begun.write_text("")
        file = f"os.open({str(begun)!r}, os.O_WRONLY | os.O_APPEND)"
        noted = (f"(os.write({file}, b'{nth}'), {code})[1]" for nth, code in enumerate(codes))
        rows = found(lab, [experiment(code) for code in noted])
        assert all(crash(row).confirmed for row, code in zip(rows, codes, strict=True) if code == ABORTS)
        return [begun.read_text().count(str(nth)) for nth in range(len(codes))]

    assert attempts(ABORTS, ABORTS, ABORTS) == [2, 1, 1]
    assert attempts(ABORTS) == [2]  # what was foreseen of one request is not of the next
    assert attempts(SHARES, ABORTS, SHARES, ABORTS) == [1, 2, 1, 1]


def test_what_needs_no_import_does_not_wait_for_what_does() -> None:
    fake = experiment("x.detach()", subject(Library.TORCH, state="fake"))
    with started(cold=True) as lab:
        done = list(lab.run([fake, experiment(SHARES), fake]))
        assert [index for index, _ in done] == [1, 0, 2]
        assert all(isinstance(row, Observation) and row.crash is None for _, row in done)
        assert [index for index, _ in lab.run([fake, experiment(SHARES)])] == [0, 1]  # it is imported by now


def test_the_children_need_not_wait_while_the_server_imports(tmp_path: Path) -> None:
    done, late = tmp_path / "done", tmp_path / "late"
    setup = f"""
import os, sys, time
class Until:
    def find_spec(name, path=None, target=None):
        ends = time.monotonic() + 20
        while name.startswith("torch._dynamo") and not os.path.exists({str(done)!r}):
            if time.monotonic() > ends:
                os.mkdir({str(late)!r})
                break
            time.sleep(0.01)
sys.meta_path.insert(0, Until)
"""
    fake = experiment("x.detach()", subject(Library.TORCH, state="fake"))
    last = experiment(f"(os.mkdir({str(done)!r}), {SHARES})[1]")
    with started(cold=True, setup=setup, jobs=1, timeout=60.0) as lab:
        assert len(list(lab.run([fake, *[experiment(SHARES)] * 200, last]))) == 202
    assert done.exists()
    assert not late.exists()


def test_what_needs_an_import_comes_before_what_follows_it() -> None:
    fake = experiment("x.detach()", subject(Library.TORCH, state="fake"))
    alone = replace(experiment(SHARES), own_code=True)
    with started(cold=True, jobs=1) as lab:
        # the first begins before the import
        assert [index for index, _ in lab.run([fake, alone, alone, alone])] == [1, 0, 2, 3]


def test_what_was_foreseen_to_crash_and_did_not_runs_in_batches_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.touch()
    file = f"os.open({str(begun)!r}, os.O_WRONLY | os.O_APPEND)"
    noted = f"os.write({file}, b'%d ' % os.getpid())"
    with started(setup=SETUP, jobs=1) as one_by_one:
        found(one_by_one, [experiment(f"({noted}, {code})[1]") for code in (ABORTS, SHARES, SHARES, SHARES, SHARES)])
    *_, survivor, second, third, fourth = begun.read_text().split()
    assert survivor != second == third == fourth


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_time_out_costs_the_experiment_that_it_happened_in(isolation: Isolation) -> None:
    with started(isolation, setup=SETUP, timeout=5) as other:
        before, hung, after = found(other, [experiment(SHARES), experiment(HANGS), experiment(SHARES)])
    assert settled(before) == settled(after)
    expected = Crash(stage=Stage.CONVERT, signal=None, exit_code=None, stderr="", confirmed=True, timed_out=True)
    assert crash(hung) == expected


@pytest.mark.parametrize(
    ("one", "stage"),
    [
        (experiment(SHARES, "os.abort()"), Stage.BUILD),
        (experiment(SHARES, "signal.pause()"), Stage.BUILD),
        (experiment("os.abort()"), Stage.CONVERT),
        (experiment("[os.abort() for _ in x][0]"), Stage.CONVERT),
        (experiment("torch.frombuffer(x, dtype=torch.float32)", setup="os.abort()"), Stage.BUILD),
        (experiment(SHARES, "np.zeros(3).view(Hostile)"), Stage.WRITE_SOURCE),
        (experiment("x.view(Hostile)", "np.zeros(3)"), Stage.WRITE_RESULT),
        (experiment(SHARES, subject(state="memory-mapped+read-only")), Stage.WRITE_RESULT),
    ],
    ids=["build", "build hangs", "convert", "convert deep", "setup", "write source", "write result", "write map"],
)
def test_the_stage_of_an_end_is_told(lab: Laboratory, one: Experiment, stage: Stage) -> None:
    (row,) = found(lab, [one])
    assert (crash(row).stage, crash(row).confirmed) == (stage, True)


def test_what_was_known_before_a_death_is_kept(lab: Laboratory) -> None:
    whole, killed = found(
        lab, [experiment(SHARES, subject(state=state)) for state in ("memory-mapped", "memory-mapped+read-only")]
    )
    assert crash(killed).signal == "SIGSEGV"
    assert killed.writes.source_to_result is Write.REFUSED
    assert killed.writes.result_to_source is Write.CRASHED
    assert (killed.values, killed.relation, killed.source.shape, killed.result.dtype) == (
        whole.values,
        replace(whole.relation, owner_kept=None),  # which is seen last
        (4, 3),
        "float32",
    )


def test_the_reason_of_an_abort_comes_first(lab: Laboratory) -> None:
    says = r"os.write(2, b'terminate called\n' + b'frame\n' * 99 + b'  what():  because\nlast frame\n')"
    (row,) = found(lab, [experiment(f"({says}, os.abort())")])
    assert crash(row).stderr.splitlines() == [
        *("what():  because", "terminate called", "frame", "frame", "…", "frame", "frame", "last frame")
    ]


def test_the_tail_of_stderr_is_that_of_the_experiment(lab: Laboratory) -> None:
    says = r"os.write(2, b'earlier\n')"
    *_, row = found(lab, [experiment(f"({says}, {SHARES})[1]"), experiment(r"(os.write(2, b'now'), os.abort())")])
    assert crash(row).stderr == "now"


def test_a_probe_that_breaks_is_an_internal_error(lab: Laboratory) -> None:
    breaks = "torch.ones(2).as_subclass(type('Odd', (torch.Tensor,), {'requires_grad': property(lambda self: 1 / 0)}))"
    before, row, after = found(lab, [experiment(SHARES), experiment(breaks), experiment(SHARES)])
    assert row.crash is None
    assert (row.internal_error.stage, row.internal_error.type) == (Stage.OBSERVE, "ZeroDivisionError")
    assert "run.py" in row.internal_error.traceback
    assert settled(before) == settled(after)


def test_a_result_of_another_kind_is_not_looked_into(lab: Laboratory) -> None:
    breaks = "type('Odd', (), {'shape': property(lambda self: os.abort()), '__len__': lambda self: 1 / 0})()"
    (row,) = found(lab, [experiment(breaks)])
    assert (row.crash, row.internal_error, row.result.type, row.result.shape) == (None, None, "Odd", None)


# What children are like ----------------------------------------------------------------------------


def test_a_parallel_operation_after_one_in_the_parent_does_not_hang() -> None:
    parallel = "torch.ones(1 << 22).add(1).sum()"
    with started(setup=f"torch.set_num_threads(4); {parallel}") as lab:
        (row,) = found(lab, [experiment(f"({parallel}, {SHARES})[1]")])
    assert row.crash is None
    assert row.relation.overlaps is True


def test_a_child_dumps_no_core_and_is_the_first_to_go(lab: Laboratory) -> None:
    (row,) = found(
        lab,
        [
            experiment(
                "torch.tensor([*resource.getrlimit(resource.RLIMIT_CORE),"
                " int(open('/proc/self/oom_score_adj').read()), torch.get_num_threads()])"
            )
        ],
    )
    assert row.evidence.snapshots[0].result == ("0", "0", "1000", "1")


def test_an_experiment_does_not_see_what_another_did_to_its_subject(lab: Laboratory) -> None:
    first, second = found(lab, [experiment(f"(x.fill(7), {SHARES})[1]"), experiment(SHARES)])
    assert first.evidence.snapshots[0].source == ("7.0",) * 12
    assert second.evidence.snapshots[0].source[:2] == ("1.1", "2.1")


# The user's own code -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 / 0", "the expression raised ZeroDivisionError: division by zero"),
        ("exit(7)", "the expression raised SystemExit: 7"),
        ("'text'", "a str is not an array, a tensor or a list"),
        ("os._exit(7)", "crashed the process: exit code 7"),
        ("(os.write(2, b'goodbye'), os.abort())", "crashed the process: SIGABRT. goodbye"),
        ("signal.pause()", "did not finish within 5 seconds; use a longer --timeout"),
    ],
)
def test_an_object_that_cannot_be_built_is_the_request_s_fault(lab: Laboratory, expression: str, message: str) -> None:
    with pytest.raises(RequestError, match=message.replace("(", r"\(")):
        lab.describe(Given(origin=Origin.EXPRESSION, text=expression))
    assert lab.resolve(["f4"])[0].name == "float32"  # and the laboratory goes on


@pytest.mark.parametrize(
    ("isolation", "setup", "message"),
    [
        ("fork", "1 / 0", "the --setup code raised ZeroDivisionError: division by zero"),
        ("fork", "exit()", "the --setup code raised SystemExit"),
        ("fork", "raise StopIteration", "the --setup code raised StopIteration$"),
        ("fork", "raise ValueError('one\\ntwo')", "the --setup code raised ValueError: one / two$"),
        ("fork", "import os; os._exit(7)", "exit code 7"),
        ("fork", "import os; os.write(2, b'goodbye'); os.abort()", "goodbye"),
        ("spawn", "1 / 0", "the --setup code raised ZeroDivisionError: division by zero"),
        ("spawn", "import os; os.write(2, b'goodbye'); os.abort()", "goodbye"),
    ],
)
def test_a_set_up_that_fails_is_said_so(isolation: Isolation, setup: str, message: str) -> None:
    with started(isolation, setup=setup) as lab, pytest.raises(RequestError, match=message):
        lab.hello()


def test_a_set_up_that_hangs_is_ended_in_its_time() -> None:
    with (
        started(setup="while True: pass", timeout=0.5) as lab,
        pytest.raises(
            RequestError, match=r"the --setup code did not finish within 0.5 seconds; use a longer --timeout"
        ),
    ):
        lab.hello()


def test_the_set_up_runs_once_and_the_expression_each_time() -> None:
    setup = "made = []"
    count = "(made.append(1), np.full(2, len(made)))[1]"
    with started(setup=setup) as lab:
        asked = [experiment(SHARES, count), experiment(SHARES, count)]
        assert [row.evidence.snapshots[0].source[0] for row in found(lab, asked)] == ["1", "2"]
        assert [row.evidence.snapshots[0].source[0] for row in found(lab, asked)] == ["1", "2"]


# The end -------------------------------------------------------------------------------------------


def test_closing_leaves_no_process_and_no_folder() -> None:
    others = set(psutil.Process().children(recursive=True))
    with scratch_folder() as scratch:
        bench = Bench(setup=SETUP, scratch=scratch, folder="")
        lab = start_laboratory(Settings(isolation="fork", timeout=60.0, jobs=1, bench=bench))
        leaves = f"({SHARES} if os.fork() else signal.pause())"
        rows = lab.run([experiment(SHARES), experiment(leaves), experiment(HANGS)])
        assert [next(rows)[0], next(rows)[0]] == [0, 1]
        ours = set(psutil.Process().children(recursive=True)) - others
        assert len(ours) >= 2
        lab.close()
        assert psutil.wait_procs(ours, timeout=30)[1] == []
    assert not scratch.exists()


def test_children_end_with_a_command_line_that_was_killed(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from tests.tools import *
with started(timeout=60.0, cold=True) as lab:
    rows = lab.run([experiment({SHARES!r}), experiment("__import__('signal').pause()")])
    next(rows)
    print("hangs", flush=True)
    next(rows)
"""
    command, here = [sys.executable, "-c", program], os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=here)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"hangs\n"
        ours = psutil.Process(process.pid).children(recursive=True)
        assert ours
        process.kill()
        process.wait()
        assert psutil.wait_procs(ours, timeout=30)[1] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
@pytest.mark.parametrize("which", ["keeper", "server"])
def test_a_server_that_is_gone_is_replaced(lab: Laboratory, which: str, number: int) -> None:
    if (which, number) in {("keeper", signal.SIGTERM), ("keeper", signal.SIGSTOP)}:
        pytest.skip("the keeper ignores it, or has nothing to do")
    others = set(psutil.Process().children())  # that of ``lab``, and the warm process that forked it
    with started(setup=SETUP) as other:
        other.hello()
        (process,) = set(psutil.Process().children()) - others
        if which == "server":
            (process,) = process.children()
        process.send_signal(number)
        (row,) = found(other, [experiment(SHARES)])
    assert row.relation.overlaps is True
