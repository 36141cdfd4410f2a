"""Shared memory made private in place: objects stay what they are, and nobody else sees what is written to them."""

import subprocess
import sys
from pathlib import Path

import pytest

import tensorbridge_cli

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a map to ask")

START = f"""
import sys
sys.path.insert(0, {str(Path(tensorbridge_cli.__file__).parents[1])!r})
import ctypes, mmap, os
from tensorbridge_cli.memory import mapping, private_copy
def address(buffer):
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
def whole(*addresses):
    return lambda region: any(region.start <= one < region.stop for one in addresses)
"""


def run(program, *arguments):
    """Run ``program`` in a process of its own: what it replaces is replaced for good."""
    subprocess.run([sys.executable, "-c", START + program, *map(str, arguments)], check=True, timeout=60)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"a" * 10000)
    return path


def test_a_mapped_file_keeps_its_bytes(file):
    run(
        """
file = open(sys.argv[1], "r+b")
mapped = mmap.mmap(file.fileno(), 0)
before = address(mapped)
mapped[9000] = ord("b")  # a change of before is there afterwards
replaced = private_copy.make_private(whole())
assert [region.path for region in replaced.copied] == [sys.argv[1]], replaced
assert address(mapped) == before
assert mapping.lookup(before, 10000) == mapping.MappedMemory("private", True, True, sys.argv[1])
mapped[0] = ord("c")
assert mapped[0] == ord("c") and mapped[1] == ord("a") and mapped[9000] == ord("b")
mapped.flush()
assert private_copy.make_private(whole()).copied == ()
""",
        file,
    )
    assert file.read_bytes() == b"a" * 9000 + b"b" + b"a" * 999


@pytest.mark.parametrize("gone", [False, True], ids=["there", "deleted"])
def test_a_part_of_a_file_and_one_that_is_deleted(file, gone):
    with file.open("r+b") as kept:
        run(
            f"""
descriptor = os.open(sys.argv[1], os.O_RDWR)
mapped = mmap.mmap(descriptor, 4096, offset=4096)
if {gone}:
    os.unlink(sys.argv[1])
    open(sys.argv[1], "wb").write(b"z" * 10000)  # another file of that name
replaced = private_copy.make_private(whole(address(mapped)))
assert len(replaced.copied) == 1 and not replaced.locked
mapped[:2] = b"cd"
assert mapped[:4] == b"cdaa"
""",
            file,
        )
        assert kept.read() == b"a" * 10000


def test_memory_shared_with_other_processes():
    """A parent sees nothing of what its child writes; the child's objects read what they read before."""
    run("""
from multiprocessing import Array, RawArray
from multiprocessing.shared_memory import SharedMemory
anonymous = mmap.mmap(-1, 5000)
raw, locked, block = RawArray("b", 100), Array("i", 10), SharedMemory(create=True, size=100)
anonymous[:3] = block.buf[:3] = b"abc"
raw[0], locked[0] = 7, 8
kept = mmap.mmap(-1, 4096)
child = os.fork()
if not child:
    replaced = private_copy.make_private(whole(), stay_shared={address(kept)})
    fine = not replaced.locked and anonymous[:3] == block.buf[:3] == b"abc" and (raw[0], locked[0]) == (7, 8)
    anonymous[:3] = block.buf[:3] = b"xyz"
    raw[0] = locked[0] = 0
    kept[0] = fine
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert kept[0] == 1
assert anonymous[:3] == bytes(block.buf[:3]) == b"abc"
assert (raw[0], locked[0]) == (7, 8)
block.close()
block.unlink()
""")


def test_what_is_too_large_is_locked():
    run("""
import signal
small, large = mmap.mmap(-1, 4096), mmap.mmap(-1, 1 << 20)
private_copy.LARGE = 1 << 16
replaced = private_copy.make_private(whole(address(small)), limit=1 << 30)
assert [region.stop - region.start for region in replaced.locked] == [1 << 20]
assert large[0] == 0
child = os.fork()
if not child:
    large[0] = 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == signal.SIGSEGV
large = mmap.mmap(-1, 1 << 20)
replaced = private_copy.make_private(whole(address(large)), limit=1 << 30)
assert not replaced.locked and len(replaced.copied) == 1
large = mmap.mmap(-1, 1 << 20)
assert len(private_copy.make_private(whole(address(large)), limit=1 << 19).locked) == 1
""")


def test_a_file_cut_off_under_its_map(file):
    run(
        """
descriptor = os.open(sys.argv[1], os.O_RDWR)
mapped = mmap.mmap(descriptor, 10000)
os.ftruncate(descriptor, 100)
private_copy.make_private(whole(address(mapped)))
mapped[0] = ord("c")
""",
        file,
    )
    assert file.read_bytes() == b"a" * 100


def test_protection_stays():
    run("""
import tempfile
with tempfile.TemporaryFile() as file:
    file.truncate(4096)
    mapped = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
    before = mapping.regions()
    assert private_copy.make_private(whole()).copied == ()  # nobody can write there
    assert mapping.regions() == before
""")


def test_elsewhere_nothing_is_known():
    run("""
mapping._MAP = "/no such file"
assert private_copy.make_private(whole()) is None
""")
