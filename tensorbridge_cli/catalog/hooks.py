"""Where a program's own calls of a conversion are seen: what ``tensorbridge trace`` intercepts, and what it cannot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InterceptedAt:
    """Intercepted at ``path``, and at ``also``, where the same function is bound once more.

    ``position`` and ``keyword`` are those of the argument that is converted. ``result`` is the position of the argument
    that becomes the result: of an ``__init__`` 0, and -1 if the result is what is returned.
    """

    path: str
    keyword: str = ""
    position: int = 0
    also: tuple[str, ...] = ()
    result: int = -1

    @property
    def module(self) -> str:
        """The module after whose import the function is there."""
        package = self.path.partition(".")[0]
        return _LATER.get(package, package)


_LATER = {"PIL": "PIL.Image", "jax": "jax.numpy", "scipy": "scipy.sparse"}
"""Of packages that do not import the module that is hooked: that module."""


@dataclass(frozen=True)
class ComposedOf:
    """Recorded as the conversions that it is composed of."""

    conversions: tuple[str, ...]


@dataclass(frozen=True)
class MonitoredMethod:
    """A method of ``ndarray``: Python 3.12 and newer report its calls in the user's code, but not their results."""

    method: str


@dataclass(frozen=True)
class NoHook:
    """Not intercepted, and why."""

    why: str


OPERATOR = NoHook("indexing is an operator: it is called everywhere, and is not recorded")
A_CLASS = NoHook("a class: with a stand-in in its place isinstance would fail")
ONLY_A_VIEW = NoHook("always a view, and called everywhere: it is not recorded")

RAISES = NoHook("it raises an exception: nothing is converted")

FROM_A_PLUGIN = NoHook("registered by a plugin, which the program has not loaded")

ALSO = (
    *(
        (f"Tensor.{name}", InterceptedAt(f"torch.Tensor.{name}"))
        for name in ("cuda", "bfloat16", "int", "long", "bool", "type")
    ),
    ("DataFrame.values", InterceptedAt("pandas.DataFrame.values")),
)
"""Calls that are not entries of the catalogue: they are ``Tensor.to`` and ``DataFrame.to_numpy`` in other words."""
