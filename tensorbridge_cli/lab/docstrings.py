"""What the docstrings of the installed versions say: which of the cited sentences are not on their pages."""

from __future__ import annotations

import functools
import importlib

from tensorbridge_cli.catalog import documentation
from tensorbridge_cli.catalog.registry import RULES


def absent() -> tuple[tuple[str, str], ...]:
    """Return each page with a sentence that a rule cites and that its docstring does not have in any part.

    The pages that are generated from no docstring are left out. Imports NumPy and PyTorch.
    """
    cited = {(rule.page, wording) for rules in RULES.values() for rule in rules for wording in rule.wordings}
    texts = {page: _text(page) for page, _ in cited if documentation.is_docstring(page)}
    return tuple(
        sorted(
            (page, wording) for page, wording in cited if page in texts and not documentation.says(texts[page], wording)
        )
    )


def _text(name: str) -> str:
    """Return the docstring of ``name`` without markup; an older version may lack the function, or its docstring."""
    library, *path = name.split(".")
    try:
        return documentation.bare(functools.reduce(getattr, path, importlib.import_module(library)).__doc__ or "")
    except (ImportError, AttributeError):
        return ""
