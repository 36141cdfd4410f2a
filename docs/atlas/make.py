"""Make the atlas: a snapshot of each pair of versions, and the pages that are read from them.

    python docs/atlas/make.py record            # every pair, one after the other; hours and GBs of downloads
    python docs/atlas/make.py record 2.8.0      # only this PyTorch
    python docs/atlas/make.py pages             # the pages, from the snapshots that there are; seconds

For each pair, ``record`` makes an environment in a temporary folder, runs ``tensorbridge snapshot --python`` with it,
and removes it: at most one is on the disk. It needs tensorbridge in its own Python, and the Python of each pair on the
path, or under ``PYENV_ROOT``. ``--index-url https://download.pytorch.org/whl/cpu`` takes the CPU builds, which are
much smaller.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tensorbridge_cli.diff.cells import Comparison, Facts, Group, Key, Recording, Way, text
from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.environments import look
from tensorbridge_cli.diff.snapshot import of_snapshot
from tensorbridge_cli.explain import history
from tensorbridge_cli.explain.history import Event, Pair, VersionHistory
from tensorbridge_cli.records.enums import Direction
from tensorbridge_cli.render.diff import ways
from tensorbridge_cli.render.environments.grid import sign
from tensorbridge_cli.render.text import words

FOLDER = Path(__file__).parent
PAIRS = (  # of each PyTorch a Python and a NumPy that people had with it
    ("3.9", "2.1.2", "1.26.4"),
    ("3.10", "2.4.1", "1.26.4"),
    ("3.11", "2.6.0", "2.1.3"),
    ("3.12", "2.8.0", "2.2.6"),
    ("3.12", "2.10.0", "2.3.5"),
    ("3.13", "2.12.0", "2.4.4"),
    ("3.11", "2.13.0", "2.4.6"),
    ("3.13", "2.15.0", "2.5.5"),
)
app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None)


# Recording ---------------------------------------------------------------------------------------


@app.command()
def record(
    torch: Annotated[list[str] | None, typer.Argument(help="Only these versions of PyTorch.")] = None,
    index_url: Annotated[str, typer.Option(help="The package index of PyTorch.")] = "",
) -> None:
    """Install each pair in turn, and write its snapshot."""
    if unknown := {*(torch or ())} - {version for _, version, _ in PAIRS}:
        raise typer.BadParameter(f"no pair has PyTorch {', '.join(sorted(unknown))}")
    for python, torch_version, numpy_version in PAIRS:
        if not torch or torch_version in torch:
            with tempfile.TemporaryDirectory(prefix="atlas-") as folder:
                environment = Path(folder, "environment")
                _install(environment, python, [f"torch=={torch_version}", f"numpy=={numpy_version}"], index_url)
                _snapshot(environment, FOLDER / f"torch-{torch_version}.snapshot")


def _install(environment: Path, python: str, packages: Sequence[str], index_url: str) -> None:
    subprocess.run([_interpreter(python), "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-cache-dir", *packages]
    subprocess.run([*pip, *(["--extra-index-url", index_url] if index_url else [])], check=True)


def _interpreter(version: str) -> str:
    """Return a Python of this version.

    Raises:
        BadParameter: if there is none.
    """
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for candidate in (*map(str, versions.glob(f"{version}.*/bin/python")), shutil.which(f"python{version}")):
        if candidate:
            return candidate
    raise typer.BadParameter(f"there is no Python {version}")


def _snapshot(environment: Path, file: Path) -> None:
    command = [sys.executable, "-m", "tensorbridge_cli", "snapshot", "--no-config", "--python", environment]
    subprocess.run([*command, "--timeout", "60", "--output", file], check=True)


# Pages -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edition:
    """What was recorded of one pair of versions."""

    file: str
    recording: Recording

    @property
    def pair(self) -> Pair:
        """The versions, without those of the build."""
        versions = self.recording.versions
        return Pair(
            python=versions.python,
            numpy=versions.numpy,
            torch=versions.torch.partition("+")[0],
        )


@app.command()
def pages() -> None:
    """Write the pages, and the history that explain and env show."""
    for path, content in written().items():
        path.write_text(content, "utf-8")


def written() -> dict[Path, str]:
    """Return what is read from the snapshots: the text of each file."""
    editions = sorted(map(_edition, FOLDER.glob("*.snapshot")), key=lambda edition: edition.pair.order)
    comparisons = [compare(one.recording, other.recording) for one, other in itertools.pairwise(editions)]
    events = [event for step, one in enumerate(comparisons, 1) for event in _events(step, one)]
    recorded = VersionHistory(pairs=tuple(edition.pair for edition in editions), events=tuple(events))
    encoded = msgspec.json.format(msgspec.json.encode(recorded), indent=1).decode()
    return {
        FOLDER / "index.md": "\n".join(_index(editions, comparisons)),
        FOLDER / "history.md": "\n".join(_history(recorded)),
        FOLDER / "contradictions.md": "\n".join(_contradictions(editions)),
        history.FILE: f"{encoded}\n",
    }


def _edition(path: Path) -> Edition:
    return Edition(path.name, of_snapshot(path.read_text("utf-8")))


def _events(step: int, comparison: Comparison) -> Iterator[Event]:
    """Yield what changed from one pair to the next, conversion by conversion; ``step`` is the index of the later."""
    for way in comparison.ways:
        if way.kind == "exception" or _is_of_words(way):
            continue
        for group in way.groups:
            for named in group.conversions:
                yield Event(
                    name=named.conversion,
                    direction=named.direction,
                    since=step,
                    kind=way.kind,
                    change=_change(way),
                    sources=_sources(group),
                )
    for arrival in comparison.new_for:
        if arrival.axis in ("conversion", "dtype") and arrival.value:
            yield Event(name=arrival.value, since=step, kind="new")


_PLAIN = {"shape": "4,3", "dtype": "float32", "layout": "contiguous", "state": "plain"}


def _sources(group: Group) -> str:
    """Return what the sources of ``group`` have that the plain one of the atlas has not."""
    unusual = tuple(one for one in group.sources if one.values != (_PLAIN.get(one.axis),))
    return ways.sources(replace(group, sources=unusual)) or "float32, contiguous"


def _change(way: Way) -> str:
    """Return what changed; if the outcome did, not what the documentation says of it, which is another page by now."""
    outcome = any(change.about == "outcome" for change in way.changes)
    some = tuple(change for change in way.changes if not outcome or change.about != "contract")
    return ways.changes(replace(way, changes=some)).removeprefix("memory ")


def _is_of_words(way: Way) -> bool:
    """Return True if only the documentation says more or less than before."""
    return all(
        change.about == "contract" and {change.before, change.after} != {"kept", "broken"} for change in way.changes
    )


def _index(editions: Sequence[Edition], comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield "# Atlas"
    yield ""
    yield "What each conversion does on other versions of PyTorch and NumPy, recorded by running it there."
    yield "`tensorbridge snapshot` made the files; `python docs/atlas/make.py pages` made these pages from them."
    yield ""
    yield "- [History](history.md): what changed for each conversion, and with which version"
    yield "- [Contradictions](contradictions.md): what contradicts the documentation of its version"
    yield ""
    yield "To compare two of them, or one with your own environment:"
    yield ""
    yield "```sh"
    yield f"tensorbridge diff docs/atlas/{editions[0].file} docs/atlas/{editions[-1].file}"
    yield f"tensorbridge snapshot | tensorbridge diff docs/atlas/{editions[-1].file} -"
    yield "```"
    yield ""
    yield "```{toctree}"
    yield ":hidden:"
    yield ""
    yield "history"
    yield "contradictions"
    yield "```"
    yield ""
    yield "## Versions"
    yield ""
    yield "| PyTorch | NumPy | Python | cells | shared | copied | refused | crashed | changed |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for edition, since in zip(editions, [None, *comparisons], strict=True):
        cells = edition.recording.cells
        outcomes = Counter(facts["outcome"] for facts in cells.values())
        counts = [len(cells), *(outcomes[name] for name in ("shared", "copied", "refused", "crashed"))]
        changed = "" if since is None else f"{len(since.changed):,}"
        pair = edition.pair
        columns = [pair.torch, pair.numpy, pair.python, *(f"{count:,}" for count in counts), changed]
        yield f"| {' | '.join(columns)} |"
    yield ""
    yield "A cell is one conversion of one source: 4×3 of every dtype, and float32 in every layout and in every state."
    yield "*Changed* counts cells that exist in the version above and differ in outcome, hazard, value or verdict."
    yield ""
    for title, wanted in _GRIDS.items():
        yield from _grid(title, wanted, editions)


_GRIDS = {
    "A contiguous float32 source": _PLAIN,
    "A reversed source": {**_PLAIN, "layout": "reversed"},
    "A read-only array": {**_PLAIN, "state": "read-only"},
    "A tensor that requires grad": {**_PLAIN, "state": "requires-grad"},
}


def _grid(title: str, wanted: Facts, editions: Sequence[Edition]) -> Iterator[str]:
    """Yield a table of all conversions of one source: a letter an edition."""
    yield f"## {title}"
    yield ""
    yield "S shares, C copies, R raises, X crashes, U is undecidable, · does not exist there."
    yield "Lower case contradicts the documentation of that version."
    yield ""
    yield from _head(editions)
    cells: dict[tuple[str, str], list[str]] = {}
    for column, edition in enumerate(editions):
        for key, facts in edition.recording.cells.items():
            if all(text(key.at(axis)) == value for axis, value in wanted.items()):
                row = cells.setdefault((key.direction, key.conversion), ["·"] * len(editions))
                row[column] = sign(look(facts)).plain
    for direction in Direction:
        for (way, conversion), row in sorted(cells.items()):
            if way == direction:
                yield f"| `{conversion}` {words.DIRECTIONS[direction]} | {' | '.join(row)} |"
    yield ""


def _head(editions: Sequence[Edition]) -> Iterator[str]:
    """Yield the head of a table with a column for each edition, named by its PyTorch without the last number."""
    yield f"| | {' | '.join(edition.pair.torch.rpartition('.')[0] for edition in editions)} |"
    yield f"| --- |{' --- |' * len(editions)}"


def _history(recorded: VersionHistory) -> Iterator[str]:
    yield "# History"
    yield ""
    yield "What changed for each conversion and each dtype, and between which recorded versions. If only the type of an"
    yield "exception changed, it is left out."
    yield ""
    for name in sorted({event.name for event in recorded.events}, key=lambda name: (name.lower(), name)):
        yield f"## {name}"
        yield ""
        for step, changes in recorded.of(name):
            yield f"- {step}:"
            yield from (f"  - {change}" for change in changes)
        yield ""


def _contradictions(editions: Sequence[Edition]) -> Iterator[str]:
    yield "# Contradictions"
    yield ""
    yield "The number of cells in which a conversion contradicts the documentation of that version. A dash: that"
    yield "documentation says nothing about these cells, or its page is not installed with the library. To see the"
    yield "sentences, run `tensorbridge check --python` with an environment of that version."
    yield ""
    yield from _head(editions)
    found: dict[tuple[str, str], set[Key]] = {}
    for edition in editions:
        for key, facts in edition.recording.cells.items():
            if facts["contract"] == "broken":
                found.setdefault((key.conversion, key.direction), set()).add(key)
    for (conversion, direction), keys in sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        columns = " | ".join(_broken(edition, keys) for edition in editions)
        yield f"| `{conversion}` {words.direction(direction)} | {columns} |"
    yield ""


def _broken(edition: Edition, keys: set[Key]) -> str:
    """Return how many of the cells contradict the documentation; nothing if none does, – if it speaks of none."""
    cells = edition.recording.cells
    contracts = Counter(cells[key]["contract"] for key in keys if key in cells)
    if contracts["broken"]:
        return str(contracts["broken"])
    return "–" if set(contracts) == {"undocumented"} else ""


if __name__ == "__main__":
    app()
