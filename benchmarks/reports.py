"""Measure what large reports and traces cost: CPU seconds of all processes, and the peak of their memory together.

    python benchmarks/reports.py [ROWS]

Two reports of ROWS rows (60,000) are made of one run of ``matrix --full``: each hundredth row of the second is another.
A trace of 10,000 lines in 64 threads is made by a program that converts 10 million times. The page of the report is
opened in Chromium where playwright has it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from budgets import TOOL, measure, timed_with_cpu

BUDGETS = {"diff": "5 s of CPU, 300 MB", "show to html": "15 MB, 2 s in Chromium", "trace": "3 s after the program"}

THREADS = """
import threading
import numpy as np, torch
array = np.ones(4)
def work(number):
    scope = {"torch": torch, "array": array}
    lines = "\\n".join(["    torch.from_numpy(array)"] * 157)
    code = compile(f"for _ in range(1000):\\n{lines}", f"part{number}.py", "exec")
    exec(code, scope)
threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
"""64 times 157 lines, 1,000 times each."""


def saved(folder: Path, rows: int) -> tuple[Path, Path]:
    """Return two reports of ``rows`` rows."""
    whole = folder / "whole.jsonl"
    timed_with_cpu([*TOOL, "matrix", "--full", "--format", "jsonl", "-o", str(whole)])
    first, second = folder / "first.jsonl", folder / "second.jsonl"
    with first.open("w", encoding="utf-8") as one, second.open("w", encoding="utf-8") as other:
        for nth, line in enumerate(_lines(whole, rows)):
            one.write(line)
            other.write(line.replace('"outcome":"copied"', '"outcome":"shared"') if nth % 100 == 1 else line)
    return first, second


def _lines(whole: Path, rows: int) -> Iterator[str]:
    """Yield the first line, ``rows`` observations, and the last line: its sums are those of the whole."""
    with whole.open(encoding="utf-8") as lines:
        yield next(lines)
        line = ""
        for line in lines:
            if rows and line.startswith('{"observation"'):
                rows -= 1
                yield line
        yield line


def opened(page: Path) -> float | None:
    """Return the seconds until Chromium has loaded and laid out ``page``; None if it is not there."""
    if importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_chromium())
        except Error:
            return None
        tab = browser.new_page()
        began = time.perf_counter()
        tab.goto(page.as_uri(), timeout=120_000)
        tab.evaluate("document.body.offsetHeight")
        took = time.perf_counter() - began
        browser.close()
    return took


def _chromium() -> str | None:
    return next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)


def reports(folder: Path, rows: int) -> None:
    """Measure reports, and print a line a command."""
    first, second = saved(folder, rows)
    page = folder / "page.html"
    commands = {
        "show": [*TOOL, "show", str(first), "--format", "tsv", "-o", str(folder / "rows.tsv")],
        "show to html": [*TOOL, "show", str(first), "-o", str(page)],
        "diff": [*TOOL, "diff", str(first), str(second), "-o", str(folder / "changes.txt")],
        "merge": [*TOOL, "merge", str(first), str(second), "-o", str(folder / "merged.json")],
    }
    for name, command in commands.items():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        together = measure(command, ends=(0, 1))[1]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{name:14} CPU {cpu:6.2f} s, {together:5.0f} MB", end="")
        print(f"  budget {BUDGETS[name]}" if name in BUDGETS else "", flush=True)
    took = opened(page)
    print(f"{'the page':14} {page.stat().st_size / 1e6:6.1f} MB, {'not opened' if took is None else f'{took:.2f} s'}")


def trace(folder: Path) -> None:
    """Measure a program with many threads, traced and not, and print what was recorded."""
    program = folder / "program.py"
    program.write_text(THREADS, encoding="utf-8")
    record = folder / "trace.json"
    commands = {
        "bare": [sys.executable, str(program)],
        "trace": [*TOOL, "trace", "--no-config", "-o", str(record), str(program)],
    }
    for name, command in commands.items():
        began = time.perf_counter()
        together = measure(command)[1]
        print(f"{name:14} {time.perf_counter() - began:6.2f} s, {together:5.0f} MB", flush=True)
    read = json.loads(record.read_text(encoding="utf-8"))
    print(f"{read['totals']['calls']:,} calls at {len(read['sites']):,} lines  budget {BUDGETS['trace']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure what large reports and traces cost.")
    parser.add_argument("rows", nargs="?", type=int, default=60_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        reports(Path(name), rows)
        trace(Path(name))
