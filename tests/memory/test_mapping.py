"""What the system says of an address, and reading what may be gone without dying."""

import ast
import ctypes
import mmap
import os
import subprocess
import sys
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from tensorbridge_cli.memory import mapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a map to ask")

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
if sys.platform == "linux":
    LIBC.mmap.restype = ctypes.c_void_p
    LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

NONE, READ, WRITE = 0, mmap.PROT_READ, mmap.PROT_WRITE


@pytest.fixture
def pages():
    """Map pages in a given way; unmap them at the end."""
    mapped = []

    def at(count, protection, flags, descriptor=-1):
        address = LIBC.mmap(None, count * PAGE, protection, flags, descriptor, 0)
        mapped.append((address, count * PAGE))
        return address

    yield at
    for address, nbytes in mapped:
        LIBC.munmap(address, nbytes)


@pytest.fixture
def file(tmp_path):
    """A file of three pages, whose name is awkward."""
    path = tmp_path / "a b\nç"
    path.write_bytes(bytes(range(256)) * (3 * PAGE // 256))
    return path


@pytest.fixture
def descriptor(file):
    number = os.open(file, os.O_RDWR)
    yield number
    os.close(number)


def facts(address, nbytes=1):
    seen = mapping.lookup(address, nbytes)
    return seen.sharing, seen.readable, seen.writable, seen.path


def test_heap_is_private():
    buffer = ctypes.create_string_buffer(b"hello")
    assert facts(ctypes.addressof(buffer), 6) == ("private", True, True, None)
    assert mapping.read(ctypes.addressof(buffer), 6) == b"hello\0"


@pytest.mark.parametrize(
    ("protection", "flags", "expected"),
    [
        (READ | WRITE, mmap.MAP_SHARED, ("shared", True, True)),
        (READ, mmap.MAP_SHARED, ("shared", True, False)),
        (READ | WRITE, mmap.MAP_PRIVATE, ("private", True, True)),
        (READ, mmap.MAP_PRIVATE, ("private", True, False)),
        (NONE, mmap.MAP_PRIVATE, ("private", False, False)),
    ],
)
def test_file(pages, file, descriptor, protection, flags, expected):
    address = pages(3, protection, flags, descriptor)
    assert facts(address + 5, 2 * PAGE) == (*expected, str(file))
    assert mapping.read(address + 5, 2 * PAGE) == (file.read_bytes()[5 : 5 + 2 * PAGE] if expected[1] else None)


@pytest.mark.parametrize("flags", [mmap.MAP_SHARED, mmap.MAP_PRIVATE])
def test_behind_the_end_of_a_truncated_file(pages, file, descriptor, flags):
    address = pages(3, READ | WRITE, flags, descriptor)
    os.ftruncate(descriptor, 100)
    assert mapping.read(address, 100) == bytes(range(100))
    assert mapping.read(address + PAGE, 1) is None  # loading it is SIGBUS
    assert mapping.read(address, 2 * PAGE) is None


def test_one_mapping_is_described_as_by_the_whole_map(pages, descriptor):
    compare_with_the_whole_map(pages, descriptor, some=40)


def test_many_mappings_are_described_as_by_the_whole_map(pages, descriptor):
    compare_with_the_whole_map(pages, descriptor, some=400)  # a process that has run other tests may have thousands


def compare_with_the_whole_map(pages, descriptor, some):
    kinds = ((mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1), (mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1))
    own = {
        pages(2, protection, *kind)
        for protection in (NONE, READ, READ | WRITE)
        for kind in (*kinds, (mmap.MAP_PRIVATE, descriptor))
    }
    known = mapping.regions()
    ranges = [(address, 8) for address in (0, -1, 1 << 63, 1 << 64)]
    for nth, (start, stop, *_) in enumerate(known):
        if nth % (len(known) // some + 1) == 0 or any(start <= address < stop for address in own):
            ranges += [(start, stop - start), (start, 0), (stop - 1, 1), (stop - 1, 2), (start - 1, 2)]
    for where in ranges:
        if mapping.lookup(*where) != mapping.lookup(*where, known):
            # what allocates memory meanwhile changes the map, and may do so again
            assert any(mapping.lookup(*where) == mapping.lookup(*where, mapping.regions()) for _ in range(9))


def test_deleted_file(pages, file, descriptor):
    address = pages(1, READ, mmap.MAP_SHARED, descriptor)
    file.unlink()
    assert facts(address) == ("shared", True, False, str(file))


def test_shared_anonymous_memory_has_no_file(pages):
    address = pages(1, READ | WRITE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    assert facts(address) == ("shared", True, True, None)
    memory = os.memfd_create("ours")
    os.ftruncate(memory, PAGE)
    assert facts(pages(1, READ | WRITE, mmap.MAP_SHARED, memory)) == ("shared", True, True, None)
    os.close(memory)


def test_shared_memory_of_multiprocessing():
    block = SharedMemory(create=True, size=100)
    try:
        view = ctypes.c_char.from_buffer(block.buf)
        assert facts(ctypes.addressof(view), 100) == ("shared", True, True, f"/dev/shm/{block.name.lstrip('/')}")
        del view
    finally:
        block.close()
        block.unlink()


def test_protected_and_unmapped(pages):
    address = pages(1, NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    assert facts(address) == ("private", False, False, None)
    assert mapping.read(address, 1) is None
    for nowhere in (0, 16, -8, 2**63, 2**64 - 1, 2**64, 2**80):
        assert facts(nowhere)[0] == "unknown"
        assert mapping.read(nowhere, 8) is None


def test_range_over_several_regions(pages, descriptor):
    address = pages(3, READ | WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    ctypes.memmove(address, b"x" * 3 * PAGE, 3 * PAGE)
    LIBC.mprotect(address + PAGE, PAGE, READ)
    assert facts(address, 3 * PAGE) == ("private", True, False, None)
    assert mapping.read(address, 3 * PAGE) == b"x" * 3 * PAGE
    fixed = mmap.MAP_SHARED | getattr(mmap, "MAP_FIXED", 0x10)
    LIBC.mmap(address + PAGE, PAGE, READ, fixed, descriptor, 0)
    assert facts(address, PAGE)[0] == facts(address + 2 * PAGE, PAGE)[0] == "private"
    assert facts(address, 3 * PAGE)[:3] == ("shared", True, False)
    assert facts(address + PAGE - 1, 1)[0] == "private"
    assert facts(address + PAGE - 1, 2)[0] == "shared"
    LIBC.munmap(address + PAGE, PAGE)
    assert facts(address, 3 * PAGE)[0] == "unknown"
    assert mapping.read(address, 3 * PAGE) is None
    assert mapping.read(address, PAGE) == b"x" * PAGE


def test_one_map_for_many_questions():
    known = mapping.regions()
    assert [region.start for region in known] == sorted(region.start for region in known)
    buffer = ctypes.create_string_buffer(8)
    assert mapping.lookup(ctypes.addressof(buffer), 8, known).is_private


def test_large_reads_are_whole():
    size = (3 << 20) + 17
    source = os.urandom(size)
    buffer = bytearray(size)
    address = ctypes.addressof(ctypes.create_string_buffer(source, size))
    kept = ctypes.create_string_buffer(source, size)
    address = ctypes.addressof(kept)
    assert mapping.read_into(address, buffer)
    assert buffer == source
    assert mapping.read(address, 0) == b""


def test_without_the_system_call_the_memory_file_is_read(pages, monkeypatch):
    monkeypatch.setattr(mapping, "_process_vm_readv", None)
    buffer = ctypes.create_string_buffer(b"hello")
    assert mapping.reads_safely()
    assert mapping.read(ctypes.addressof(buffer), 5) == b"hello"
    assert mapping.read(pages(1, NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), 1) is None
    assert mapping.read(16, 1) is None


def test_a_forked_child_reads_its_own_memory():
    buffer = ctypes.create_string_buffer(b"parent")
    assert mapping.read(ctypes.addressof(buffer), 6) == b"parent"
    child = os.fork()
    if not child:
        buffer.value = b"child!"
        os._exit(mapping.read(ctypes.addressof(buffer), 6) != b"child!")
    assert os.waitpid(child, 0)[1] == 0


def test_a_system_without_a_map_says_unknown(monkeypatch):
    monkeypatch.setattr(mapping, "_MAP", "/no such file")
    buffer = ctypes.create_string_buffer(8)
    assert mapping.lookup(ctypes.addressof(buffer)) == mapping.NOT_KNOWN
    assert not mapping.NOT_KNOWN.is_private


def test_reading_while_the_memory_goes(file):
    """A thread maps and unmaps what another reads: never a signal."""
    program = f"""
import sys, threading
sys.path.insert(0, {str(Path(mapping.__file__).parents[2])!r})
from tests.memory.test_mapping import LIBC, PAGE, mapping, mmap
place = LIBC.mmap(None, PAGE, 3, 0x22, -1, 0)
done = False
def flicker():
    while not done:
        LIBC.munmap(place, PAGE)
        LIBC.mmap(place, PAGE, 3, 0x100022, -1, 0)
thread = threading.Thread(target=flicker)
thread.start()
seen = {{mapping.read(place, 8) for _ in range(20000)}}
done = True
thread.join()
assert seen <= {{None, bytes(8)}}, seen
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_only_the_standard_library_in_old_syntax():
    source = Path(mapping.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
