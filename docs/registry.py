"""A Sphinx extension that writes a page for each command, conversion, hazard, outcome, layout and state.

They say what ``--help`` and ``explain`` say, from the same functions, so they are never out of date. Nothing here
imports numpy or torch.
"""

import functools
import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from tensorbridge_cli.cli import app
from tensorbridge_cli.explain import pages as explain
from tensorbridge_cli.render.explain import pages

FOLDER = "reference"
TITLES = {
    "command": "Commands",
    "conversion": "Conversions",
    "hazard": "Hazards",
    "outcome": "Outcomes",
    "layout": "Layouts",
    "state": "States",
    "dtype": "Dtypes",
    "group": "Groups",
    "finding": "Findings",
}


def setup(sphinx: Any) -> dict[str, bool]:
    """Write the pages before Sphinx looks for its sources."""
    sphinx.connect("config-inited", lambda _sphinx, _config: write(Path(sphinx.srcdir) / FOLDER))
    return {"parallel_read_safe": True}


def write(folder: Path) -> None:
    """Write all pages to ``folder``, and remove those of names that are no more."""
    texts = dict(written())
    folder.mkdir(exist_ok=True)
    for old in set(folder.rglob("*.md")) - {folder / name for name in texts}:
        old.unlink()
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def written() -> Any:
    """Yield the path and the text of each page, the page of each kind last."""
    kinds: dict[str, list[str]] = {kind: [] for kind in TITLES}
    for name, command in commands().items():
        kinds["command"].append(name)
        yield place("command", name), _command(name, command)
    for name, kind in explain.names().items():
        kinds[kind].append(name)
        yield place(kind, name), _linked(pages.markdown(explain.find(name)), name)
    for kind, names in kinds.items():
        listed = "\n".join(f"{name} <{Path(place(kind, name)).relative_to(f'{kind}s')}>" for name in sorted(names))
        yield f"{kind}s/index.md", f"# {TITLES[kind]}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    every = "\n".join(f"{kind}s/index" for kind in TITLES)
    yield "index.md", f"# Reference\n\n```{{toctree}}\n:maxdepth: 1\n\n{every}\n```\n"


def commands() -> dict[str, Any]:
    """Return the commands by name."""
    return dict(get_command(app).commands)


_SIGNS = {"_(": "-in-place(", "[...]": "-ellipsis", "[()]": "-empty-tuple", "[:]": "-slice"}
"""Words for what tells two names apart and would not be left in the name of a file."""


def place(kind: str, name: str) -> str:
    """Return where the page of a name is, in the folder of its kind; no two names differ in case alone there."""
    spelled = functools.reduce(lambda text, sign: text.replace(*sign), _SIGNS.items(), name)
    words = re.sub(r"\W+", "-", spelled).strip("-").lower()
    twin = kind == "conversion" and name.lower() != name and name.lower() in explain.names()  # torch.Tensor
    return f"{kind}s/{words}{'-class' if twin else ''}.md"


def _linked(text: str, own: str) -> str:
    """Make links of the names of hazards, layouts and states that stand as code, and of outcomes."""
    kinds = explain.names()

    def link(found: re.Match[str]) -> str:
        name = found[1]
        kind = kinds.get(name)
        if kind is None or name == own:
            return found[0]
        return f"[`{name}`](../{place(kind, name)})"

    return re.sub(r"(?<![`\[])`([^`\n]+)`(?!`)", link, text)


def _command(name: str, command: Any) -> str:
    """Return the page of a command: what it does, examples, and its options in their groups."""
    summary, _, examples = (command.help or "").partition("\b")
    context = command.make_context(name, [], resilient_parsing=True)
    groups: dict[str, list[str]] = {}
    for param in command.get_params(context):
        group = "Arguments" if param.param_type_name == "argument" else getattr(param, "rich_help_panel", None)
        if not getattr(param, "hidden", False):  # an old name
            groups.setdefault(group or "Options", []).append(_option(param))
    parts = [f"# tensorbridge {name}", summary.strip()]
    if examples.strip():
        lines = "\n".join(line.strip() for line in examples.strip().splitlines() if line.strip())
        parts.append(f"```sh\n{lines}\n```")
    for title, options in groups.items():
        parts.append(f"## {title}\n\n" + "\n".join(options))
    if any(getattr(param, "envvar", None) for param in command.params):
        parts.append("Every option can also be set by [a variable or a file](../../in-scripts.md#defaults).")
    return "\n\n".join(parts) + "\n"


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        names = f"`{param.metavar or param.human_readable_name}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
        names += f" `{param.metavar}`" if param.metavar else ""
    said = (getattr(param, "help", None) or "").replace("<", "&lt;").replace("*", r"\*")
    return f"- {names}: {said}"
