"""What crosses into a traced process and out of it: encoded and read again it is the same."""

import json

import msgspec

from tensorbridge_cli.tracing.inside.records import (
    CellCounts,
    Counts,
    Note,
    Place,
    ProcessFacts,
    SampleSides,
    SideSeen,
    SiteCounts,
    Versions,
    encode,
    read_plan,
)
from tensorbridge_cli.tracing.launch import plan


def counts(**facts):
    cell = CellCounts(
        source_dtype="float32",
        result_dtype=None,
        outcome="copied",
        calls=3,
        bytes=48,
        seconds=0.5,
        inspected=2,
        sample=SampleSides(SideSeen("array", dtype="float32", shape=(4, 3), nbytes=48), SideSeen("tensor")),
    )
    site = SiteCounts(
        conversion="torch.tensor",
        file="train.py",
        function="main",
        span=(3, 3, 4, 20),
        stack=("run.py:1",),
        via="",
        cells=[cell],
        notes={"alias-written": Note(count=2, since=Place("train.py", 1, "torch.from_numpy"))},
        warnings={"UserWarning: slow": 1},
    )
    fields = {
        "process": ProcessFacts(pid=1, parent=0, name="main", began=1.0, seconds=2.0, ended=True),
        "environment": Versions(python="3.11", numpy="2.3", torch=None),
        "missing": [],
        "unhooked": ["torch"],
        "observes_methods": False,
        "compiled": True,
        "unrecorded": 0,
        "missed": 1,
        "sites": [site],
    }
    return Counts(**fields | facts)


def test_a_plan_is_read_as_it_was_written():
    whole = plan("/home/train.py", include=["/home/a"], omit=["/home/b"], depth=2, follow=True)
    assert any(hook.variants for hook in whole.hooks)
    assert read_plan(encode(whole)) == whole


def test_counts_are_read_as_they_were_written():
    line = encode(counts())
    assert line.count(b"\n") == 1
    assert msgspec.convert(json.loads(line), Counts) == counts()


def test_what_json_lacks_is_written_as_its_type():
    """A stub that stands for a library may have a version that is not text."""
    environment = Versions(python="3.11", numpy=complex(1), torch=None)
    assert json.loads(encode(counts(environment=environment)))["environment"]["numpy"] == "complex"
