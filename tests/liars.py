"""Conversions that lie, registered as a user's plugin registers its own: ``tensorbridge inspect --plugin tests.liars``.

The codes run in the child, with ``np``, ``torch`` and the source ``x`` at hand; this module imports neither.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.catalog.registry import register
from tensorbridge_cli.records.enums import Library

SHARE = "torch.from_numpy(x)"
PAGE = "https://example.org/lies"


def _lie(name: str, code: str, setup: str = "", *, of: Library = Library.NUMPY, copy: bool | None = None) -> None:
    conversion = Conversion(
        name=f"lie.{name}", sources=(of,), target=Library.TORCH, code=code, page=PAGE, setup=setup, copy=copy
    )
    register(conversion)


def _do(name: str, does: str, *, imports: str = "os") -> None:
    """A conversion that shares as it should, and does something else before."""
    body = "\n".join(f"    {line}" for line in does.splitlines())
    _lie(name, "convert(x)", f"import {imports}\ndef convert(x):\n{body}\n    return {SHARE}")


# About memory
_lie("shares", SHARE)
_lie("copies", "torch.from_numpy(x.copy())")
_lie("shares-though-asked-to-copy", SHARE, copy=True)
_lie("copies-though-asked-not-to", "torch.from_numpy(x.copy())", copy=False)
_lie("copies-as-asked", "torch.from_numpy(x.copy())", copy=True)
_lie("is-another", "torch.from_numpy(other)", "other = np.arange(12, dtype='f4').reshape(4, 3)")
_lie("is-another-with-equal-values", "torch.from_numpy(kept(x))", "from tests.liars import kept")
_lie("copies-one-part", '{"part": torch.from_numpy(x), "copy": torch.from_numpy(x.copy())}')
_lie("is-half", "torch.from_numpy(x)[2:]")
_lie("is-half-in-the-same-shape", "torch.from_numpy(x).as_strided((4, 3), (1, 1), 6)")
_lie("is-one-element-before", "torch.from_numpy(x.base[:-1]).reshape(x.shape)")
_lie("overlaps-itself", "torch.from_numpy(x)[:1].expand(4, 3)")
_lie("starts-at-an-odd-byte", "at_an_odd_byte(torch, x)", "from tests.liars import at_an_odd_byte")
_lie("keeps-no-owner", "torch.from_numpy(from_address(np, x))", "from tests.liars import from_address")
_lie("drops-read-only", SHARE)
_lie("drops-that-bytes-are-immutable", "torch.frombuffer(x, dtype=torch.uint8)", of=Library.BUFFER)
_lie("copies-the-references-only", "x.copy()")
_lie("copies-and-echoes", "echo(np, x)", "from tests.liars import echo")
_lie("is-the-same-object", "x")

# About values, dtype, shape
_lie("swaps-bytes", "torch.from_numpy(x.byteswap())")
_lie("swaps-bytes-and-shares", "x.view(x.dtype.newbyteorder())")
_lie("permutes", "torch.from_numpy(x[::-1].copy())")
_lie("permutes-and-shares", "torch.from_numpy(x.reshape(3, 4).T)")
_lie("negates", "-torch.from_numpy(x)")
_lie("negates-and-shares", "torch._neg_view(torch.from_numpy(x))")
_lie("is-off-in-one-far-cell", "off(torch, x)", "from tests.liars import off")
_lie("reinterprets", "torch.from_numpy(x.view(np.int32))")
_lie("casts", "torch.from_numpy(x.astype(np.float64))")
_lie("narrows", "torch.from_numpy(x.astype(np.float16))")
_lie("flattens", "torch.from_numpy(x.reshape(-1))")
_lie("adds-a-dimension", "torch.from_numpy(x[None])")
_do("changes-its-source", "x *= 2")
_lie(
    "changes-its-source-only",
    "convert(x)",
    "def convert(x):\n    y = x.copy()\n    x[3, 2] = 7\n    return torch.from_numpy(y)",
)

_lie("freezes-its-source", "(x.setflags(write=False), torch.from_numpy(x.copy()))[1]")
_lie("writes-nothing-to-its-source-in-place", "(x.detach().add_(0), x.clone())[1]", of=Library.TORCH)
_lie("moves-its-source", "x.share_memory_()", of=Library.TORCH)
_lie("takes-the-storage-along", "torch.from_numpy(np.repeat(x, 4, axis=1))[:, ::4]")
_lie("gives-what-nobody-filled", "torch.empty(4, 3)")
_lie("gives-an-array-that-nobody-filled", "np.empty_like(x)")
_lie("gives-other-values-each-time", "torch.rand(4, 3)")
_lie("refuses-yet-writes", "refusing(np, x)", "from tests.liars import refusing")

# About what else it is
_lie("loses-the-mask", "torch.from_numpy(np.asarray(x))")
_lie("loses-the-subclass", SHARE)
_lie("loses-the-gradient", "x.detach()", of=Library.TORCH)
_lie("writes-behind-autograd", "x.data", of=Library.TORCH)

# Warnings
_do("warns", "warnings.warn('careful', stacklevel=1)", imports="warnings")
_do("warns-once", "tests.liars.warn_once()", imports="tests.liars")
_do("warns-in-no-alphabet", "warnings.warn('caf\\udce9', stacklevel=1)", imports="warnings")

# What comes back
_lie("is-none", "None")
_lie("is-text", "'a tensor'")
_lie("is-a-number", "7")
_lie("is-a-list", "x.tolist()")
_lie("is-a-list-that-holds-itself", "knot()", "from tests.liars import knot")
_lie("is-a-shape-of-no-numbers", "odd()", "from tests.liars import Odd as odd")

# What it raises
_do("exits-politely", "raise SystemExit(3)")
_do("is-interrupted", "raise KeyboardInterrupt")
_do("raises-a-group", "raise BaseExceptionGroup('many', [ValueError(1), SystemExit(2)])")
_do("raises-in-no-alphabet", "raise ValueError('caf\\udce9')")
_do("raises-what-cannot-be-said", "from tests.liars import UnspeakableError\nraise UnspeakableError")
_do("raises-at-length", "raise ValueError('no ' * 500_000)")
_do("recurses", "return convert(x)")

# How it ends
_do("exits-with-0", "os._exit(0)")
_do("exits-with-3", "os._exit(3)")
_do("aborts", "os.abort()")
_do("segfaults", "ctypes.string_at(0)", imports="ctypes")
_do("is-killed", "os.kill(os.getpid(), 9)")
_do(
    "hangs",
    "for each in signal.valid_signals() - {9, 19}: signal.signal(each, signal.SIG_IGN)\nwhile True: signal.pause()",
    imports="signal",
)
_do("hangs-mute", "os.closerange(0, 1000)\nsignal.pause()", imports="os, signal")
_do("dies-the-first-time", "if first_time('a'): os.abort()")
_do("hangs-the-first-time", "if first_time('b'): signal.pause()", imports="signal")
_do("dies-otherwise-the-second-time", "os.abort() if first_time('c') else os._exit(3)")
_do("dies-of-a-write", "x = np.frombuffer(mmap.mmap(-1, 48, prot=mmap.PROT_READ), 'f4').reshape(4, 3)", imports="mmap")
_do("frees-what-it-returns", "from tests.liars import gone\nreturn gone(np)")

# What else it does
_do("prints", "print('{\"garbage\": true}')\nos.write(1, b'\\x00\\xff' * 99)\nos.write(2, b'\\xfe' * 99)")
_do("shouts", "os.write(2, b'loud\\n' * 200_000)")
_do(
    "shouts-and-aborts",
    "os.write(2, b'first\\n' + b'loud\\n' * 200_000 + b'  what():  the reason\\nlast\\n')\nos.abort()",
)
_do("closes-its-output", "os.close(1)\nos.close(2)")
_do("closes-its-input", "os.close(0)")
_do("starts-a-thread", "threading.Thread(target=threading.Event().wait).start()", imports="threading")
_do("starts-a-process", "subprocess.run(['true'], check=True)", imports="subprocess")
_do("forks", "if not os.fork(): os._exit(5)\nos.wait()")
_do("forks-and-leaves-it-behind", "if not os.fork(): signal.pause()", imports="os, signal")
_do("forks-and-dies", "if not os.fork(): signal.pause()\nos.abort()", imports="os, signal")
_do("forks-and-goes-on-twice", "os.fork()")
_do("leaves-its-folder", "os.chdir('/')\nos.environ.clear()")
_do("turns-warnings-into-errors", "warnings.simplefilter('error')", imports="warnings")


# What the codes above need; each runs in the child


def refusing(np, array):
    """A view of ``array`` whose writes are made, and raise."""

    class Refusing(np.ndarray):
        def __setitem__(self, index, value):
            super().__setitem__(index, value)
            raise ValueError("no")

    return array.view(Refusing)


_kept = {}
_warned = []


def kept(array):
    """The first array of its kind that was seen in this process, or rather its copy."""
    return _kept.setdefault(array.shape, array.copy())


def at_an_odd_byte(torch, array):
    octets = bytearray(1) + array.tobytes()
    return torch.frombuffer(octets, dtype=torch.float32, offset=1).reshape(array.shape)


def from_address(np, array):
    import ctypes

    return np.ctypeslib.as_array((ctypes.c_float * array.size).from_address(array.ctypes.data)).reshape(array.shape)


def off(torch, array):
    result = torch.from_numpy(array.copy())
    result[62, 63] += 1
    return result


def warn_once():
    import warnings

    if not _warned:
        _warned.append(1)
        warnings.warn("careful", stacklevel=1)


def knot():
    found = []
    found.append(found)
    return found


def echo(np, array):
    class Echo(np.ndarray):
        def __setitem__(self, index, value):
            super().__setitem__(index, value)
            array[index] = value

    return array.copy().view(Echo)


def gone(np):
    import ctypes
    import mmap

    memory = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    array = np.ctypeslib.as_array((ctypes.c_float * 12).from_address(address)).reshape(4, 3)
    libc = ctypes.CDLL(None)
    libc.munmap(ctypes.c_void_p(address), 4096)
    return array


class Odd:
    shape = "wide"


class UnspeakableError(Exception):
    def __str__(self):
        raise ValueError("no words")


# What it leaves changed in its process
for _name, _change in {
    "dtype": "torch.set_default_dtype(torch.float64)",
    "device": "torch.set_default_device('meta')",
    "inference": "builtins.kept = torch.inference_mode()\nbuiltins.kept.__enter__()",
    "grad": "torch.set_grad_enabled(False)",
    "function": "torch.from_numpy = torch.tensor",
    "method": "torch.Tensor.numpy = lambda self: 7",
    "limit": "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
    "handler": "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
    "errors": "np.seterr(all='raise')",
    "digits": "np.set_printoptions(precision=1)",
    "umask": "os.umask(0o77)",
    "algorithms": "torch.use_deterministic_algorithms(True)",
}.items():
    _do(f"changes-the-{_name}", f"y = {SHARE}\n{_change}\nreturn y", imports="builtins, os, resource, signal")
