"""Conversions from JAX and to it.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports JAX: the
pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conditions import A_TENSOR, AN_ARRAY, any_of
from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import JAX, NUMPY, TORCH, Conversion, Copy, Rule, with_copy
from tensorbridge_cli.catalog.hooks import InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.records.enums import Direction

JAX_API = "https://docs.jax.dev/en/latest/_autosummary/"
JNP_ASARRAY_PAGE = JAX_API + "jax.numpy.asarray.html"
JNP_ARRAY_PAGE = JAX_API + "jax.numpy.array.html"
JNP_FROM_DLPACK_PAGE = JAX_API + "jax.numpy.from_dlpack.html"

_NUMBERS = any_of(AN_ARRAY, A_TENSOR)
_FLOATS = "__import__('jax.numpy').numpy.arange(4.0)"

CONVERSIONS: tuple[Conversion, ...] = (
    of_its_array(
        JAX,
        "jax.Array",
        "np.asarray({})",
        Pitfall(
            text="A JAX array is immutable for JAX, but not for the tensor: a write changes it.",
            shows="immutable-written",
            expr=_FLOATS,
        ),
        summary="A tensor over the memory of a JAX array, which the tensor can write.",
        calls=("np.asarray",),
    ),
    *with_copy(
        Conversion(
            name="jnp.asarray",
            sources=(NUMPY, TORCH),
            target=JAX,
            code="jnp.asarray(x)",
            setup="import jax.numpy as jnp",
            page=JNP_ASARRAY_PAGE,
            hook=InterceptedAt("jax.numpy.asarray", "a"),
            needs="jax.numpy.asarray",
            summary="A JAX array of the values of an array or a tensor.",
            rules=(),
            pitfalls=(
                Pitfall(
                    text="64-bit numbers become 32-bit ones, unless jax_enable_x64 is set.",
                    shows="dtype-changed",
                    dtype="float64",
                    direction=Direction.NUMPY_TO_JAX,
                ),
            ),
        ),
        Copy(
            value=False,
            summary="The same: JAX 0.10 copies, and does not raise.",
            rules=(Rule(_NUMBERS, "copy", "no copy", "If False, then error if a copy is necessary."),),
            pitfalls=(
                Pitfall(
                    text="The array is a copy, although none was wanted. Use jnp.from_dlpack.",
                    shows="copy-flag-broken",
                    direction=Direction.NUMPY_TO_JAX,
                ),
            ),
        ),
    ),
    Conversion(
        name="jnp.array",
        sources=(NUMPY, TORCH),
        target=JAX,
        code="jnp.array(x)",
        setup="import jax.numpy as jnp",
        page=JNP_ARRAY_PAGE,
        hook=InterceptedAt("jax.numpy.array", "object"),
        needs="jax.numpy.array",
        summary="A copy of an array or a tensor as a JAX array.",
        rules=(Rule(_NUMBERS, "copy", "copy", "copy: specify whether to force a copy of the input. Default: True."),),
        pitfalls=(
            Pitfall(
                text="Later writes to the array do not change the JAX array.",
                shows="copied",
                direction=Direction.NUMPY_TO_JAX,
            ),
        ),
    ),
    *with_copy(
        Conversion(
            name="jnp.from_dlpack",
            sources=(TORCH, NUMPY),
            target=JAX,
            code="jnp.from_dlpack(x)",
            setup="import jax.numpy as jnp",
            page=JNP_FROM_DLPACK_PAGE,
            hook=InterceptedAt("jax.numpy.from_dlpack", "x"),
            needs="jax.numpy.from_dlpack",
            summary="A JAX array over the memory of what begins at a multiple of 64 bytes, and else a copy.",
            rules=(),
            pitfalls=(
                Pitfall(
                    text="A later write to the tensor changes the JAX array, which JAX takes to be immutable.",
                    shows="immutable-written",
                    direction=Direction.TORCH_TO_JAX,
                ),
            ),
        ),
        Copy(
            value=True,
            summary="The same: JAX 0.10 shares the memory of what begins at a multiple of 64 bytes.",
            rules=(
                Rule(
                    _NUMBERS,
                    "copy",
                    "copy",
                    "If copy=True then a copy is always performed, even if unpacked onto the same device.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="The memory of a tensor is shared, although a copy was wanted. Use jnp.array.",
                    shows="copy-flag-broken",
                    direction=Direction.TORCH_TO_JAX,
                ),
            ),
        ),
        Copy(
            value=False,
            summary="The same, or an error if the memory does not begin at a multiple of 64 bytes.",
            rules=(
                Rule(
                    _NUMBERS,
                    "copy",
                    "no copy",
                    "If copy=False then the copy is never performed and will raise an error if necessary.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="64-bit numbers are copied to 32-bit ones, unless jax_enable_x64 is set, and nothing raises.",
                    shows="copy-flag-broken",
                    dtype="float64",
                    direction=Direction.TORCH_TO_JAX,
                ),
            ),
        ),
    ),
)
