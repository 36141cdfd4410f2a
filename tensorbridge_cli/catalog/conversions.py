"""The ways over the border: one entry each, in one visible tuple.

An entry's ``code`` is what a user types, with ``x`` for the source; it is also what the experiment evaluates, with
``np`` and ``torch`` at hand. So nothing here needs numpy or torch, and what is shown is what was run.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.model import Direction, Library

NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON
_TORCH_PAGES = "https://docs.pytorch.org/docs/stable/generated/"
_NUMPY_PAGES = "https://numpy.org/doc/stable/reference/generated/"


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """One conversion under its real dotted name.

    Attributes:
        name: the dotted name, with the arguments that are part of the entry.
        sources: the libraries whose objects it takes.
        target: the library of what comes back.
        code: the call, as an expression of ``x``.
        code_with_dtype: the same with a target ``dtype``; ``None`` where the call takes none.
        page: the documentation page.
        setup: statements that run once before the call is timed, say an import of one's own module.
        copy: the ``copy=`` keyword that the call passes.
    """

    name: str
    sources: tuple[Library, ...]
    target: Library
    code: str
    page: str
    code_with_dtype: str | None = None
    setup: str = ""
    copy: bool | None = None

    def direction(self, source: Library) -> Direction:
        """Return the way that this conversion goes from an object of ``source``."""
        return Direction(f"{source}-to-{self.target}")


CONVERSIONS: tuple[Conversion, ...] = (
    Conversion(
        name="Tensor.numpy",
        sources=(TORCH,),
        target=NUMPY,
        code="x.numpy()",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
    ),
    Conversion(
        name="Tensor.numpy(force=True)",
        sources=(TORCH,),
        target=NUMPY,
        code="x.numpy(force=True)",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
    ),
    Conversion(
        name="np.asarray",
        sources=(TORCH,),
        target=NUMPY,
        code="np.asarray(x)",
        code_with_dtype="np.asarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
    ),
    Conversion(
        name="np.from_dlpack",
        sources=(TORCH,),
        target=NUMPY,
        code="np.from_dlpack(x)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
    ),
    Conversion(
        name="torch.from_numpy",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.from_numpy(x)",
        page=_TORCH_PAGES + "torch.from_numpy.html",
    ),
    Conversion(
        name="torch.as_tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.as_tensor(x)",
        code_with_dtype="torch.as_tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.as_tensor.html",
    ),
    Conversion(
        name="torch.tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.tensor(x)",
        code_with_dtype="torch.tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.tensor.html",
    ),
    Conversion(
        name="torch.asarray",
        sources=(NUMPY, PYTHON),
        target=TORCH,
        code="torch.asarray(x)",
        code_with_dtype="torch.asarray(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.asarray.html",
    ),
    Conversion(
        name="torch.from_dlpack",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.from_dlpack(x)",
        page="https://docs.pytorch.org/docs/stable/dlpack.html",
    ),
    Conversion(
        name="Tensor.clone",
        sources=(TORCH,),
        target=TORCH,
        code="x.clone()",
        page=_TORCH_PAGES + "torch.Tensor.clone.html",
    ),
    Conversion(
        name="Tensor.detach",
        sources=(TORCH,),
        target=TORCH,
        code="x.detach()",
        page=_TORCH_PAGES + "torch.Tensor.detach.html",
    ),
)

CLASSIC = ("Tensor.numpy", "torch.from_numpy", "torch.as_tensor", "torch.tensor")
"""The four that run when none is named, and that work under their last word alone."""

_registered: list[Conversion] = []


def register(conversion: Conversion) -> None:
    """Add one's own conversion to the registry; modules named by ``--plugin`` call this.

    Raises:
        ValueError: where the name is taken by another entry.
    """
    for known in conversions():
        if known.name == conversion.name:
            if known == conversion:
                return
            raise ValueError(f"a conversion named {conversion.name!r} is there already")
    _registered.append(conversion)


def conversions() -> tuple[Conversion, ...]:
    """Return all entries, the registered ones last."""
    return CONVERSIONS + tuple(_registered)


def classic() -> tuple[Conversion, ...]:
    """Return the classic four, in the order in which they are shown."""
    by_name = {entry.name: entry for entry in CONVERSIONS}
    return tuple(by_name[name] for name in CLASSIC)


def candidates(text: str) -> list[Conversion]:
    """Return the conversions that ``text`` may mean: the one of that full name, or those that end in it, in any case.

    Raises:
        RequestError: where there is none, with the closest names.
    """
    wanted = _fold(text)
    entries = conversions()
    found = [entry for entry in entries if _fold(entry.name) == wanted] or [
        entry for entry in entries if wanted in _suffixes(entry)
    ]
    if not found:
        raise unknown("conversion", text, [name for entry in entries for name in (entry.name, _suffixes(entry)[-1])])
    return found


def named(text: str, library: Library | None = None, direction: Direction | None = None) -> Conversion:
    """Return the one conversion that ``text`` means.

    Where several may be meant, ``library`` (the subject's) and ``direction`` decide.

    Raises:
        RequestError: where there is none, with the closest names, or more than one, with all of them.
    """
    found = candidates(text)
    if len(found) > 1:
        fitting = [
            entry
            for entry in found
            if any(
                library in (None, source) and direction in (None, entry.direction(source)) for source in entry.sources
            )
        ]
        found = fitting or found
    if len(found) > 1:
        names = " or ".join(entry.name for entry in found)
        raise RequestError(f"conversion {text!r} is ambiguous: write {names}, or give --direction.")
    return found[0]


def _suffixes(entry: Conversion) -> list[str]:
    """Return the names that mean ``entry``: its own cut at each dot outside the parentheses."""
    name = _fold(entry.name)
    head, bracket, arguments = name.partition("(")
    words = head.split(".")
    return [".".join(words[i:]) + bracket + arguments for i in range(len(words))]


def _fold(text: str) -> str:
    """Return the one spelling of a name: lower case, ``np`` for ``numpy``, ``Tensor.x`` for ``torch.Tensor.x``."""
    folded = text.strip().lower().replace(" ", "").removesuffix("()")
    if folded.startswith("numpy."):
        return "np." + folded.removeprefix("numpy.")
    return folded.removeprefix("torch.") if folded.startswith("torch.tensor.") else folded
