"""Files of every format are opened as their user would, refused in one sentence, and never changed."""

import errno
import io
import mmap
import os
import pickle
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.file_formats import BY_ENDING, RAW_ARRAY, RAW_TENSOR, FileFormat
from tensorbridge_cli.errors import RequestError, TensorbridgeError, UnavailableError
from tensorbridge_cli.memory import describe
from tensorbridge_cli.memory.parts import extents
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.subjects import files

LONG_AGO = 10**18
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("boom").absolute(),)


def opened(text, *words, dtype=None, shape=None):
    return files.load(files.parse(text, dtype=dtype, shape=shape, words=frozenset(words)))


def refused(text, *words, match, error=RequestError, **raw):
    with pytest.raises(error, match=match) as caught:
        opened(text, *words, **raw)
    is_a_sentence(caught.value)
    assert not Path("boom").exists()


def is_a_sentence(error):
    assert str(error).isprintable(), str(error)
    assert str(error).endswith((".", "?")), str(error)


@contextmanager
def untouched(path):
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    before = Path(path).read_bytes()
    yield
    assert Path(path).read_bytes() == before
    assert os.stat(path).st_mtime_ns == LONG_AGO


def scribble(subject):
    """Change every byte of ``subject``, see that it changed, and ask for it on the disk."""
    octets = np.frombuffer(subject, np.uint8) if isinstance(subject, np.ndarray) else bytes_of(subject).numpy()
    before = octets.copy()
    octets ^= 0xFF
    assert not (octets == before).any()
    for owner in (subject, getattr(subject, "base", None)):
        if isinstance(owner, np.memmap):
            owner.flush()


def bytes_of(tensor):
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())


def same(one, other):
    if isinstance(one, np.ndarray):
        assert type(one) is type(other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.strides == other.strides or not one.size
        assert one.flags.writeable == other.flags.writeable
        assert one.tobytes() == other.tobytes()
    else:
        assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
        assert bytes(bytes_of(one).tolist()) == bytes(bytes_of(other).tolist())


def runs(text, *words, dtype=None, shape=None):
    """Return what the code of a file gives, as ``repro`` types it."""
    spec = files.parse(text, dtype=dtype, shape=shape, words=frozenset(words))
    entry = spec.format
    if entry is RAW_ARRAY:
        found = dtypes.find(dtype)
        entry, dtype = (RAW_TENSOR, f"torch.{dtype}") if found.numpy is None else (RAW_ARRAY, f"np.dtype({dtype!r})")
    mode = "r" if "read-only" in words else "c"
    lines = entry.typed(spec.path, spec.key, mapped=spec.mapped, mode=mode, dtype=dtype, shape=shape or ())
    scope = {"np": np, "torch": torch}
    exec("\n".join(lines), scope)
    if "read-only" in words:
        scope["x"].flags.writeable = False
    return scope["x"]


def mapping_of(path):
    """Return the permissions of the maps of ``path`` in this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[1] for line in lines if line.endswith(f"/{path}")}


def rezip(source, target, compression=zipfile.ZIP_STORED, **changed):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name.rpartition("/")[2], old.read(name)))


ARRAY = np.arange(6, dtype="f4").reshape(2, 3)
STATE = OrderedDict({"layer.0.weight": torch.arange(6.0).reshape(2, 3), "layer.0.bias": torch.ones(2)})


def npy(path="a.npy", array=ARRAY, **options):
    np.save(path, array, **options)
    return path


def npz(path="a.npz", save=np.savez, **arrays):
    save(path, **(arrays or {"x": ARRAY}))
    return path


def pt(path="a.pt", content=STATE, **options):
    torch.save(content, path, **options)
    return path


def legacy(path="a.pt", content=STATE):
    return pt(path, content, _use_new_zipfile_serialization=False)


def tensors(path="a.safetensors", **content):
    safetensors.torch.save_file(content or dict(STATE), path)
    return path


def raw(path="a.bin", content=bytes(range(24))):
    Path(path).write_bytes(content)
    return path


# every way to open something, with the words, dtype and shape that go with it
SUBJECTS = {
    "npy": lambda: (npy(), (), {}),
    "npy map": lambda: (npy(), ("memory-mapped",), {}),
    "npy copy-on-write": lambda: (npy(), ("copy-on-write", "memory-mapped"), {}),
    "npz": lambda: (npz() + ":x", (), {}),
    "npz compressed": lambda: (npz(save=np.savez_compressed), (), {}),
    "pt": lambda: (pt() + ":layer.0.weight", (), {}),
    "pt map": lambda: (pt() + ":layer.0.weight", ("memory-mapped",), {}),
    "pt legacy": lambda: (legacy() + ":layer.0.bias", (), {}),
    "pth bare": lambda: (pt("a.pth", torch.arange(4)), (), {}),
    "safetensors": lambda: (tensors() + ":layer.0.weight", (), {}),
    "raw": lambda: (raw(), (), {"dtype": "float32", "shape": (2, 3)}),
    "raw map": lambda: (raw(), ("memory-mapped",), {"dtype": ">i2", "shape": (12,)}),
    "raw tensor": lambda: (raw(), (), {"dtype": "bfloat16", "shape": (3, 4)}),
}


@pytest.fixture(params=SUBJECTS)
def subject(request):
    text, words, options = SUBJECTS[request.param]()
    return text, words, options


def test_no_write_reaches_the_file(subject):
    text, words, options = subject
    with untouched(text.partition(":")[0]):
        scribble(opened(text, *words, **options))


def test_every_load_is_a_fresh_subject(subject):
    text, words, options = subject
    before = opened(text, *words, **options)
    scribble(opened(text, *words, **options))
    same(before, opened(text, *words, **options))


def test_the_code_gives_the_same_object(subject):
    text, words, options = subject
    same(opened(text, *words, **options), runs(text, *words, **options))


@pytest.mark.parametrize(
    "words", [(), ("memory-mapped",), ("read-only",), ("memory-mapped", "read-only")], ids="+".join
)
@pytest.mark.parametrize("name", ["npy", "raw"])
def test_an_array_is_plain_or_a_map_writable_or_not(name, words):
    text, _, options = SUBJECTS[name]()
    with untouched(text):
        array = opened(text, *words, **options)
        assert type(array) is (np.memmap if "memory-mapped" in words else np.ndarray)
        assert array.flags.writeable == ("read-only" not in words)
        same(array, runs(text, *words, **options))
        if "read-only" in words:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        if isinstance(array, np.memmap):
            assert array.mode == ("r" if "read-only" in words else "c")
            array.flush()


def test_the_words_alone_decide_a_map():
    assert opened(npy(), "copy-on-write").mode == "c"


def test_a_read_only_entry_of_an_npz():
    array = opened(npz(), "read-only")
    assert not array.flags.writeable
    same(array, runs("a.npz", "read-only"))


@LINUX
@pytest.mark.parametrize("name", ["npy map", "pt map", "safetensors", "raw map", "raw tensor"])
def test_the_subject_is_a_private_map(name):
    assert_private_map(*SUBJECTS[name]())


@LINUX
@pytest.mark.parametrize("name", ["npy", "pt", "raw"])
def test_a_large_subject_is_a_private_map_that_was_not_asked_for(name, monkeypatch):
    monkeypatch.setattr(files, "_READ_UP_TO", 0)
    assert_private_map(*SUBJECTS[name]())


def assert_private_map(text, words, options):
    subject = opened(text, *words, **options)
    assert mapping_of(text.partition(":")[0]) == {"rw-p"}
    del subject


@pytest.mark.parametrize("name", ["npy", "npz", "npz compressed", "raw"])
@pytest.mark.parametrize("read_up_to", [0, 64 << 20])
def test_no_byte_of_the_file_but_the_elements_is_described(name, read_up_to, monkeypatch):
    monkeypatch.setattr(files, "_READ_UP_TO", read_up_to)
    text, words, options = SUBJECTS[name]()
    array = opened(text, *words, **options)
    (extent,) = extents(array)
    assert (extent.start, extent.stop) == (extent.storage_start, extent.storage_stop)
    assert describe.detect(array, Origin.FILE, text).layout == "contiguous"


@pytest.mark.parametrize(
    ("name", "loaded"),
    [
        ("npy", lambda path: np.load(path)),
        ("npz", lambda path: np.load(path)["x"]),
        ("pt", lambda path: torch.load(path)["layer.0.weight"]),
        ("safetensors", lambda path: safetensors.torch.load_file(path)["layer.0.weight"]),
        ("raw", lambda path: np.fromfile(path, np.float32).reshape(2, 3)),
    ],
)
def test_a_subject_has_the_owner_and_state_of_what_its_user_loads(name, loaded):
    text, words, options = SUBJECTS[name]()
    ours, theirs = opened(text, *words, **options), loaded(text.partition(":")[0])
    assert describe.describe(ours).owner == describe.describe(theirs).owner
    assert describe.detect(ours, Origin.FILE, text) == describe.detect(theirs, Origin.FILE, text)


@LINUX
def test_a_shared_default_of_torch_is_not_followed():
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED), untouched(pt()):
        scribble(opened("a.pt:layer.0.weight"))
        assert torch.serialization.get_default_mmap_options() == mmap.MAP_SHARED


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(ARRAY),
        ARRAY.astype(">f4"),
        np.array([(1, 2.0)], [("a", "<i4"), ("b", ">f8")]),
        np.array(["2024-01-02"], "M8[D]"),
        np.array(["text", "é"]),
        np.array([b"ab", b"c"]),
        np.array(2.5),
        np.array([True, False]),
        np.zeros((0, 3)),
        np.zeros((3, 0), ">i2"),
        np.zeros(2, [("é", "f4")]),
        np.array([1 + 2j], np.clongdouble),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_an_array_keeps_its_dtype_order_and_values(array):
    for found in (opened(npy(array=array)), opened(npz(x=array))):
        same(found, array)
        assert found.flags.f_contiguous == array.flags.f_contiguous
    with untouched("a.npy"):
        opened("a.npy").fill(0)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.filterwarnings("ignore:Stored array in format")
def test_every_version_of_npy(version):
    with Path("a.npy").open("wb") as file:
        np.lib.format.write_array(file, ARRAY, version)
    same(opened("a.npy"), ARRAY)


def test_a_format_is_one_entry(monkeypatch):
    entry = FileFormat(endings=(".txt",), code="np.loadtxt({path})", library="numpy")
    monkeypatch.setitem(BY_ENDING, ".txt", entry)
    np.savetxt("a.txt", ARRAY)
    same(opened("a.txt"), ARRAY.astype("f8"))
    same(opened("a.txt"), runs("a.txt"))
    refused("a.txt:x", match="contains one array without a name")
    refused("a.txt", "read-only", match="a .txt file is opened by numpy: omit --state")


# names


def test_a_bare_tensor_needs_no_name():
    same(opened(pt(content=torch.arange(3))), torch.arange(3))
    refused("a.pt:x", match="contains one array without a name: omit ':x'")


@pytest.mark.parametrize("save", [pt, legacy])
def test_a_path_leads_through_dicts_lists_and_dots(save):
    content = {"model": {"layer.0": [torch.tensor(1), (torch.tensor(2),)], "": torch.tensor(3)}, 7: torch.tensor(4)}
    save(content=content)
    names = {"model.layer.0.0": 1, "model.layer.0.1.0": 2, "model.": 3, "7": 4}
    for name, value in names.items():
        assert opened(f"a.pt:{name}").item() == value
        assert runs(f"a.pt:{name}").item() == value


def test_the_longest_key_wins_and_a_dead_end_is_left():
    nested = {"a": {"b": torch.tensor(1), "b.c": torch.tensor(2)}, "a.b": torch.tensor(3)}
    nested |= {"k": {"l.m": torch.tensor(6)}, "k.l": {"m": torch.tensor(7)}}
    pt(content=nested | {"x.y": {"no": torch.tensor(4)}, "x": {"y.z": torch.tensor(5)}})
    assert opened("a.pt:a.b").item() == 3
    assert opened("a.pt:a.b.c").item() == 2
    assert opened("a.pt:x.y.z").item() == 5
    assert opened("a.pt:k.l.m").item() == 7


def test_an_only_name_can_be_left_out():
    same(opened(npz(x=ARRAY)), ARRAY)
    same(opened(tensors(x=torch.arange(3))), torch.arange(3))
    same(opened(pt(content={"a": [torch.arange(3)], "epoch": 4})), torch.arange(3))
    same(runs("a.pt"), torch.arange(3))


def test_several_names_are_listed():
    refused(
        npz(x=ARRAY, y=ARRAY),
        match="'a.npz' contains several arrays: specify one as 'a.npz:NAME', with NAME one of 'x', 'y'.",
    )
    refused(tensors(), match="several tensors.* one of 'layer.0.bias', 'layer.0.weight'")
    refused(pt(), match="several tensors.* one of 'layer.0.weight', 'layer.0.bias'")
    refused(pt(content=[torch.ones(1)] * 12), match="'7' and 4 more.$")


def test_no_names_at_all():
    with zipfile.ZipFile("a.npz", "w"):
        pass
    refused("a.npz", match="contains no array")
    refused(pt(content={"epoch": 3}), match="contains no tensor")
    refused("a.pt:epoch", match="contains no tensor")
    refused(pt(content="text"), match="contains no tensor")


@pytest.mark.parametrize("save", [pt, legacy, tensors])
def test_an_unknown_name_is_met_with_the_closest(save):
    path = save()
    refused(f"{path}:layer.0.wieght", match="no tensor 'layer.0.wieght': did you mean 'layer.0.weight'")
    refused(f"{path}:zzz", match="no tensor 'zzz': it contains 'layer.0")
    refused(f"{path}:layer", match="'layer' in '.*' is not one tensor but contains several: 'layer.0")


def test_an_unknown_array_is_met_with_the_closest():
    refused(npz(first=ARRAY, second=ARRAY) + ":frist", match="no array 'frist': did you mean 'first'")


def test_a_dict_is_no_tensor():
    refused(
        pt(content={"state_dict": STATE}) + ":state_dict",
        match="not one tensor but contains several: 'state_dict.layer.0.wei",
    )


def test_a_list_that_holds_itself():
    loop = {"t": torch.tensor(1), "u": torch.tensor(2)}
    loop["self"] = loop
    pt(content=loop)
    assert opened("a.pt:t").item() == 1
    refused("a.pt:self.t", match="it contains 't', 'u'")


def test_names_with_control_characters_stay_on_one_line():
    refused(npz(**{"x\n\x1b[31m": ARRAY, "y": ARRAY}), match=re.escape(r"'x\n\x1b[31m'"))


def test_an_entry_that_is_no_array():
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("readme.txt", "text")
        archive.writestr("x.npy", "text")
    refused("a.npz", match="'x' in 'a.npz' is not a .npy file")
    refused("a.npz:readme.txt", match="no array 'readme.txt': it contains 'x'")


# how the text is read


@pytest.mark.parametrize("name", ["a:b.npy", "C:x.npy", "https:..npy", "a.npz:x.npy"])
def test_a_text_that_is_a_file_has_no_name_in_it(name):
    spec = files.parse(npy(name))
    assert (spec.as_typed, spec.key) == (name, None)
    same(files.load(spec), ARRAY)


@pytest.mark.parametrize(
    ("path", "key"), [("a.npz", "x"), ("a.npz", "x:y"), ("a:b.npz", "x"), ("a:b.npz", "x:y"), ("A.NPZ", "C:/x")]
)
def test_a_name_follows_the_path(path, key):
    with Path(path).open("wb") as file:
        np.savez(file, **{"x": ARRAY, "x:y": ARRAY})
    spec = files.parse(f"{path}:{key}")
    assert (spec.as_typed, spec.key) == (path, key)


def test_the_longest_path_that_exists_is_the_file():
    npz("a.npz")
    npz("a.npz:b.npz")
    assert files.parse("a.npz:b.npz:x").as_typed == "a.npz:b.npz"


@pytest.mark.parametrize("text", ["C:\\x.npy", "C:/x.npy"])
def test_a_drive_letter_is_no_path(text):
    raw("C")
    refused(text, match="file 'C:")


def test_an_absolute_path(here):
    same(opened(str(here / npy())), ARRAY)
    same(opened(f"{here / npz()}:x"), ARRAY)


@pytest.mark.parametrize("name", ["with space.npy", "quote'\".npy", "back\\slash.npy", "né.npy", "a.NPY"])
def test_odd_paths(name):
    npy("a.npy")
    Path("a.npy").rename(name)
    same(opened(name), ARRAY)
    same(runs(name), ARRAY)


def test_a_link_is_followed():
    Path("b.npy").symlink_to(npy())
    with untouched("a.npy"):
        scribble(opened("b.npy"))


@pytest.mark.parametrize("text", ["", "no.npy", "no.npz:x", "no/such.npy", "a\0.npy", "x" * 5000, "\udcff.npy", ":x"])
def test_no_such_file(text):
    refused(text, match="does not exist")


def test_only_regular_local_files():
    Path("folder.npy").mkdir()
    os.mkfifo("pipe.npy")
    refused("folder.npy", match="'folder.npy' is a directory")
    refused("folder.npy:x", match="'folder.npy' is a directory")
    refused("pipe.npy", match="not a regular file")
    refused("/dev/zero", match="not a regular file", dtype="uint8", shape=(1,))
    refused("https://example.org/a.npy", match="not a local file")


def test_a_file_that_may_not_be_read(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(npy(), match="no permission to read 'a.npy'")


def test_a_file_that_is_gone_when_it_is_opened():
    spec = files.parse(npy())
    Path("a.npy").unlink()
    with pytest.raises(RequestError, match="does not exist"):
        files.load(spec)


def test_a_name_that_does_not_belong():
    refused(npy() + ":x", match="without a name: omit ':x'")
    refused(raw() + ":x", match="without a name: omit ':x'", dtype="uint8", shape=(24,))
    refused(npz() + ":", match="the name after 'a.npz:' is missing")


# words that do not fit


def test_what_cannot_be_mapped():
    refused(npz(), "memory-mapped", match="cannot be memory-mapped")
    refused(npz(), "copy-on-write", match="cannot be memory-mapped")
    refused(legacy() + ":layer.0.bias", "memory-mapped", match="cannot be memory-mapped")
    refused(raw(content=b""), "memory-mapped", match="cannot be memory-mapped", dtype="float32", shape=(0,))
    refused(raw(content=b""), "memory-mapped", match="cannot be memory-mapped", dtype="bfloat16", shape=(0,))


def test_tensors_are_never_read_only():
    refused(pt() + ":layer.0.bias", "read-only", match="no read-only tensors")
    refused(tensors() + ":layer.0.bias", "read-only", match="no read-only tensors")
    refused(raw(), "read-only", match="bfloat16 exists only in torch", dtype="bfloat16", shape=(12,))


def test_words_that_exclude_each_other_or_are_none():
    refused(npy(), "read-only", "copy-on-write", match="cannot be combined")
    refused(npy(), "memory_mapped", match="did you mean memory-mapped")
    refused(npy(), "conjugate-bit", match="unknown state of a file 'conjugate-bit'")


# raw binary


@pytest.mark.parametrize("dtype", ["float32", ">f4", "int8", "complex64", "datetime64[ns]", "S3", "bool", "f4,i2"])
@pytest.mark.parametrize("count", [6, 1, 0])
def test_raw_bytes_as_an_array(dtype, count):
    itemsize = np.dtype(dtype).itemsize
    content = bytes(range(100))[: itemsize * count]
    array = opened(raw(content=content), dtype=dtype, shape=(1, count))
    same(array, np.frombuffer(bytearray(content), dtype).reshape(1, count))
    same(array, runs("a.bin", dtype=dtype, shape=(1, count)))


TORCH_ONLY = ["bfloat16", "complex32", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float4_e2m1fn_x2", "uint4"]


@pytest.mark.parametrize("dtype", [*TORCH_ONLY, "bits8", "bits16"])
@pytest.mark.parametrize("count", [6, 1, 0])
def test_raw_bytes_as_a_tensor(dtype, count):
    content = bytes(range(100))[: getattr(torch, dtype).itemsize * count]
    with untouched(raw(content=content)):
        tensor = opened("a.bin", dtype=dtype, shape=(count, 1))
        assert (tensor.dtype, tensor.shape) == (getattr(torch, dtype), (count, 1))
        assert bytes(bytes_of(tensor).tolist()) == content
        same(tensor, runs("a.bin", dtype=dtype, shape=(count, 1)))
        scribble(tensor)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_one_raw_element_without_dimensions(dtype):
    content = bytes(getattr(torch, dtype).itemsize)
    with untouched(raw(content=content)):
        subject = opened("a.bin", dtype=dtype, shape=())
        assert subject.shape == ()
        same(subject, runs("a.bin", dtype=dtype, shape=()))
        scribble(subject)


@pytest.mark.parametrize("name", ["data", "data.bin", "data.ckpt", ".npy", "a.npy.gz"])
def test_any_other_ending_is_raw(name):
    raw(name)
    assert opened(name, dtype="uint8", shape=(24,))[-1] == 23
    refused(name, match="raw binary, specify --dtype and --shape")
    refused(name, match="raw binary, specify --dtype and --shape", dtype="uint8")
    refused(name, match="raw binary, specify --dtype and --shape", shape=(24,))


def test_the_raw_size_must_match_to_the_byte():
    refused(
        raw(), match=r"has 24 bytes, but float32 of shape \(7,\) needs 7 × 4 = 28 bytes", dtype="float32", shape=(7,)
    )
    refused("a.bin", match="needs 5 × 4 = 20 bytes", dtype="float32", shape=(5,))
    refused("a.bin", match="needs 13 × 2 = 26 bytes", dtype="bfloat16", shape=(13,))
    refused("a.bin", match="needs 0 × 4 = 0 bytes", dtype="float32", shape=(0,))
    refused(raw(content=b""), match="has 0 bytes, but float32", dtype="float32", shape=())
    refused("a.bin", match="needs 1208925819614629174706176 × 4 =", dtype="float32", shape=(2**40, 2**40))


def test_a_shape_that_no_array_has():
    refused(raw(), match="has a negative dimension", dtype="float32", shape=(-1, 6))
    refused(raw(content=b""), match="cannot be opened as float32", dtype="float32", shape=(0, 2**70))
    refused(raw(content=b""), match="cannot be opened as bfloat16", dtype="bfloat16", shape=(0, 2**70))


def test_a_dtype_that_no_file_holds():
    refused(raw(), match="unknown dtype 'flaot32': did you mean float32", dtype="flaot32", shape=(6,))
    refused(raw(), match="stands for Python objects", dtype="object", shape=(3,))
    refused(raw(), match="stands for Python objects", dtype="O,i4", shape=(2,))
    refused(raw(), match="quantized and needs a scale", dtype="quint8", shape=(24,))


@pytest.mark.parametrize("save", [npy, npz, pt, tensors])
def test_a_file_that_says_its_dtype_takes_none(save):
    refused(save(), match="contains its dtype and shape", dtype="float32")
    refused(save(), match="contains its dtype and shape", shape=(2, 3))


# torch files


def test_a_compressed_torch_file_is_read_and_not_mapped():
    rezip(pt("old.pt"), "a.pt", zipfile.ZIP_DEFLATED)
    same(opened("a.pt:layer.0.weight"), STATE["layer.0.weight"])
    same(runs("a.pt:layer.0.weight"), STATE["layer.0.weight"])
    refused("a.pt:layer.0.weight", "memory-mapped", match="cannot be memory-mapped")


def test_a_torch_file_of_the_other_byte_order():
    rezip(pt("old.pt", torch.tensor([1], dtype=torch.int32)), "a.pt", byteorder=b"big")
    with untouched("a.pt"):
        assert opened("a.pt").item() == 1 << 24


def test_views_keep_their_strides_and_parameters_their_grad():
    pt(content={"view": torch.arange(6.0).reshape(2, 3).T, "p": torch.nn.Parameter(torch.ones(2))})
    assert opened("a.pt:view").stride() == (1, 3)
    assert opened("a.pt:p").requires_grad


def test_a_torchscript_archive():
    with zipfile.ZipFile("a.pt", "w") as archive:
        for name in ("m/data.pkl", "m/constants.pkl", "m/version"):
            archive.writestr(name, "")
    refused("a.pt", match="TorchScript program, which contains code")


def test_safetensors_that_is_not_installed(monkeypatch):
    tensors()
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    advice = re.escape('pip install "tensorbridge-cli[safetensors]"')
    refused("a.safetensors:layer.0.bias", match=advice, error=UnavailableError)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.bool, torch.int64])
def test_safetensors_keeps_the_dtype(dtype):
    tensors(x=torch.tensor([1, 0]).to(dtype), e=torch.zeros(0, 3, dtype=dtype), s=torch.ones((), dtype=dtype))
    shapes = {"x": (2,), "e": (0, 3), "s": ()}
    for name, shape in shapes.items():
        with untouched("a.safetensors"):
            tensor = opened(f"a.safetensors:{name}")
            assert (tensor.dtype, tensor.shape) == (dtype, shape)
            same(tensor, runs(f"a.safetensors:{name}"))
            scribble(tensor)


# what is not loaded


@pytest.mark.parametrize(
    "save", [lambda: npy(array=np.array([Bomb()], object), allow_pickle=True), lambda: npz(x=Bomb())]
)
def test_an_array_of_objects_is_never_unpickled(save):
    refused(save(), match="contains an array of Python objects, which only unpickling can load. It is not loaded")


def test_a_record_with_an_object_is_never_unpickled():
    refused(npy(array=np.array([(1, Bomb())], "i4,O"), allow_pickle=True), match="contains an array of Python objects")


@pytest.mark.parametrize("save", [pt, legacy])
@pytest.mark.parametrize("content", [Bomb(), {"a": torch.ones(2), "b": [Bomb()]}])
def test_a_torch_file_is_never_unpickled(save, content):
    refused(save(content=content) + ":a", match="contains '.*', which only unpickling can load. It is not loaded")


def test_a_torch_file_with_code_of_the_system():
    rezip(pt("old.pt"), "a.pt", **{"data.pkl": b"cos\nsystem\n(S'touch boom'\ntR."})
    refused("a.pt", match="rejects|not loaded")


@pytest.mark.parametrize("path", ["a.npy", "a.npz", "a.pt", "a.pth", "a.safetensors"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_is_never_unpickled(path, protocol):
    Path(path).write_bytes(pickle.dumps(Bomb(), protocol))
    refused(path, match="unpickling|damaged")


def test_a_bare_pickle_is_named():
    Path("a.npy").write_bytes(pickle.dumps([1, 2]))
    refused("a.npy", match="contains a bare pickle, which only unpickling can load")


def test_the_bomb_works():
    pickle.loads(pickle.dumps(Bomb()))
    assert Path("boom").exists()


def test_a_name_does_not_hide_another_kind():
    saved = {npy("a.npy"), npz("b.npz"), pt("c.pt"), legacy("d.pt"), tensors("e.safetensors"), raw("f.bin")}
    with tarfile.open("g.tar", "w") as tar:
        tar.add("a.npy")
    for path in saved | {"g.tar"}:
        for ending in {".npy", ".npz", ".pt", ".safetensors"} - {Path(path).suffix}:
            Path(f"as{ending}").write_bytes(Path(path).read_bytes())
            refused(f"as{ending}", match=f"not a {ending} file|not created by torch.save|contains no array")


def test_the_kind_that_it_seems_to_be_is_said():
    Path(npz()).rename("a.npy")
    refused("a.npy", match="not a .npy file .it starts like a zip archive.")
    Path(npz()).rename("a.pt")
    refused("a.pt", match="a zip archive not created by torch.save")


@pytest.mark.parametrize("path", ["a.npy", "a.npz", "a.pt", "a.pth", "a.safetensors"])
def test_an_empty_file(path):
    refused(raw(path, b""), match=f"'{path}' is empty")


def test_what_does_not_fit_in_memory(monkeypatch):
    monkeypatch.setattr(files, "available", lambda: 23)
    refused(npz(), match="needs 152 bytes of memory, and 23 are available", error=UnavailableError)
    refused(legacy() + ":layer.0.bias", match="bytes of memory, and 23 are available", error=UnavailableError)
    same(opened(npy()), ARRAY)


@pytest.mark.parametrize("count", [2**60, 2**61])
def test_a_header_that_promises_more_than_there_is(count):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (count,)})
    Path("a.npy").write_bytes(header.getvalue())
    refused("a.npy", match="damaged")
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    refused("a.npz", match="does not fit in memory|damaged", error=TensorbridgeError)


@pytest.mark.parametrize(
    ("owner", "text", "error"),
    [
        (np, "a.npy", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))),
        (np, "a.npy", MemoryError("Unable to allocate: Cannot allocate")),
        (torch, "a.pt", RuntimeError("unable to mmap 9 bytes from file <a.pt>: Cannot allocate memory (12)")),
    ],
)
def test_a_map_that_the_kernel_refuses(owner, text, error, monkeypatch):
    def load(*args, **options):
        raise error

    monkeypatch.setattr(owner, "load", load)
    npy()
    pt()
    refused(text, match="does not fit in memory .*Cannot allocate", error=UnavailableError)


def small(name):
    text, _, options = SUBJECTS[name]()
    path, _, key = text.partition(":")
    return path, f":{key}" if key else "", options


DAMAGED = ["npy", "npz", "npz compressed", "pt", "pt legacy", "pth bare", "safetensors", "raw", "raw tensor"]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_cut_short_anywhere_is_refused(name):
    path, key, options = small(name)
    whole = Path(path).read_bytes()
    for length in range(len(whole)):
        Path(path).write_bytes(whole[:length])
        refused(path + key, match="damaged|is empty|unpickling|has [0-9]+ bytes", **options)


@pytest.mark.parametrize("name", DAMAGED)
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_opened_or_refused_and_never_changed(name, data):
    path, key, options = small(name)
    content = bytearray(Path(path).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    Path(path).write_bytes(content)
    with untouched(path):
        try:
            opened(path + key, **options)
        except TensorbridgeError as error:
            is_a_sentence(error)


def test_nothing_is_imported_to_parse(here):
    npy()
    program = "import sys; from tensorbridge_cli.subjects import files; files.parse('a.npy'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], cwd=here, capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "safetensors"} & set(modules.stdout.split())
