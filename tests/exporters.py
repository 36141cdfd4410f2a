"""Objects of no library in particular, which tell where their memory lies by one protocol alone."""

from __future__ import annotations

import ctypes
from typing import Any


class ByInterface:
    """Tells it by ``__array_interface__``."""

    def __init__(self, held: Any) -> None:
        self.held = held

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.held.__array_interface__

    def __setitem__(self, index: Any, value: Any) -> None:
        self.held[index] = value


class ByDLPack:
    """Tells it by DLPack, and writes to it."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __dlpack__(self, **options: Any) -> Any:
        return self.held.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.held.__dlpack_device__()

    def __setitem__(self, index: Any, value: Any) -> None:
        self.held[index] = value


class CopiesByDLPack(ByDLPack):
    """Answers with a copy of its memory, and does not say so."""

    def __dlpack__(self, **options: Any) -> Any:
        return self.held.copy().__dlpack__()


class OnCuda:
    """Tells of an address on an accelerator, where this process has nothing."""

    __cuda_array_interface__ = {  # noqa: RUF012
        "shape": (2, 3),
        "typestr": "<f4",
        "data": (0xDEAD0000, True),
        "version": 3,
    }


# A capsule of our own, to see what becomes of it ---------------------------------------------------


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _DELETER))


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", _DELETER),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
READ_ONLY = 1


class Counted:
    """Three float64 numbers; counts the capsules that it handed out and those whose deleter was called."""

    def __init__(self, flags: int = 0, versioned: bool = True) -> None:
        self.held = (ctypes.c_double * 3)(1, 2, 3)
        self.flags, self.versioned = flags, versioned
        self.given = 0
        self.deleted: list[int] = []
        self._alive: list[Any] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, max_version: Any = None, **options: Any) -> Any:
        shape, strides = (ctypes.c_int64 * 1)(3), (ctypes.c_int64 * 1)(1)
        tensor = _Tensor(ctypes.addressof(self.held), 1, 0, 1, 2, 64, 1, shape, strides, 0)
        deleter = _DELETER(self.deleted.append)
        versioned = self.versioned and max_version is not None
        managed = _Versioned(1, 0, None, deleter, self.flags, tensor) if versioned else _Managed(tensor, None, deleter)
        self.given += 1
        self._alive.append((shape, strides, deleter, managed))
        name = b"dltensor_versioned" if versioned else b"dltensor"
        return _new_capsule(ctypes.addressof(managed), name, None)
